// Weights of a float network in few bits, activations as they are.
#include "passes/quantize/few_bits.h"

#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"
#include "tensor/number_text.h"

namespace kiln::passes {
namespace {

struct Coded {
  Tensor integers, scales;  // [k, n], [blocks, n]
};

// For weights up to `most` in a column up to `column`, so that `steps` of it are the largest. Blocks of nothing become zeros.
std::optional<float> step_for(float most, float column, float steps) {
  const float step = most / steps;
  if (std::isnormal(step) && std::isfinite(step * steps)) return step;
  return most <= kNegligibleWeight * column ? std::optional(1.0f) : std::nullopt;
}

// The largest absolute value of rows [first, last) of column j; nothing when one is not finite.
std::optional<float> largest_of(const Tensor& w, int64_t j, int64_t first, int64_t last) {
  const auto numbers = w.as<float>();
  float most = 0;
  for (int64_t i = first; i < last; ++i) {
    const float v = std::abs(nth(numbers, i * w.dims()[1] + j));
    if (!std::isfinite(v)) return std::nullopt;
    most = std::max(most, v);
  }
  return most;
}

// Nothing, with the reason, when few bits do not hold them.
std::optional<Coded> coded(const Tensor& w, DType type, int64_t block) {
  const int64_t k = w.dims()[0], n = w.dims()[1];
  const float steps = type == DType::kI4 ? 7 : 127;
  Coded result{Tensor::allocate(type, w.dims()), Tensor::allocate(DType::kF32, {(k - 1) / block + 1, n})};
  const auto numbers = w.as<float>();
  for (int64_t j = 0; j < n; ++j) {
    const auto column = largest_of(w, j, 0, k);
    if (!column) return decline("a weight is not finite");
    for (int64_t first = 0; first < k; first += block) {
      const int64_t last = std::min(first + block, k);
      const float most = *largest_of(w, j, first, last);
      const auto step = step_for(most, *column, steps);
      if (!step)
        return decline("column " + std::to_string(j) + " has weights up to " + real_text(most) +
                       ", for which float32 has no scale");
      result.scales.set(first / block * n + j, *step);
      for (int64_t i = first; i < last; ++i)
        result.integers.set_int(i * n + j, static_cast<int64_t>(std::clamp(
                                               std::nearbyint(nth(numbers, i * n + j) / *step), -steps, steps)));
    }
  }
  return result;
}

Rule in_few_bits(const FewBits& form) {
  return {
      .name = std::string(kWeightsInFewBits),
      .pattern = node("MatMul", {any("a"), constant("b")}),
      .rewrite = [&form](const Match& m) -> std::optional<Patch> {
        const Node& n = m.root();
        const Value *a = m.value("a"), *b = m.value("b");
        if (n.output()->dtype() != DType::kF32) return decline("it is no product of float32");
        if (!a->ranked() || a->rank() < 2 || b->rank() != 2 || b->constant()->size() == 0)
          return decline("it is no product by a matrix");
        if (n.precision == DType::kF32) return decline("it is to compute in float32");
        const int64_t terms = b->constant()->dims()[0], block = form.block > 0 ? std::min(form.block, terms) : terms;
        const auto codes = coded(*b->constant(), form.type, block);
        if (!codes) return std::nullopt;
        Patch p(m);
        p.replace(n.output(), p.add("MatMulDequantized",
                                    {m.value("a"), p.constant(codes->integers, b->name()),
                                     p.constant(codes->scales, b->name() + ".scale")},
                                    {{"block_size", block}}));
        return p;
      },
  };
}

bool multiplies_constant(const Node& n) { return n.is("MatMul") && n.input(1)->constant(); }

bool multiplies_integers(const Node& n) {
  const Node* from = n.is("MatMul") ? n.input(1)->producer() : nullptr;
  return from && (from->is("Dequantize") || from->is("DequantizeLinear")) && from->input(0)->constant();
}

void note_what_has_no_weights(const Graph& graph, PassContext& context) {
  size_t numbers = 0, integers = 0;
  for (const auto& n : graph.nodes()) {
    numbers += multiplies_constant(*n);
    integers += multiplies_integers(*n);
  }
  if (integers > 0)
    context.warn(
        "weights that are not kept in few bits, for they are integers already, by ranges or in the model: those of " +
        std::to_string(integers) + (integers == 1 ? " product" : " products") +
        " (remedy: leave out the ranges, or the few bits)");
  else if (numbers == 0) context.remark("no product has constant weights: none are kept in few bits");
}

}  // namespace

Pass weights_in_few_bits(const FewBits& form) {
  return {"weights", [form](Graph& graph, PassContext& context) {
            const Rule rule = in_few_bits(form);
            note_what_has_no_weights(graph, context);
            apply_rules(graph, {&rule}, context);
            for (const auto& n : graph.nodes()) {
              if (!multiplies_constant(*n) || !context.may_apply(rule)) continue;
              context.remark("'" + n->name() + "' keeps its weights: " + refusal(rule, *n, context.options()));
            }
          }};
}

}  // namespace kiln::passes
