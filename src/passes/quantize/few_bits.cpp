// Weights of a float network in few bits, activations as they are.
#include "passes/quantize/few_bits.h"

#include <algorithm>
#include <cmath>

#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {
namespace {

struct Coded {
  Tensor integers, scales;  // [k, n], [blocks, n]
};

// Nothing when an element is not finite.
std::optional<Coded> coded(const Tensor& w, DType type, int64_t block) {
  const int64_t k = w.dims()[0], n = w.dims()[1], steps = type == DType::kI4 ? 7 : 127;
  Coded result{Tensor::allocate(type, w.dims()), Tensor::allocate(DType::kF32, {(k - 1) / block + 1, n})};
  const auto from = w.as<float>();
  const auto scales = result.scales.as_mutable<float>();
  for (int64_t j = 0; j < n; ++j)
    for (int64_t first = 0; first < k; first += block) {
      const int64_t last = std::min(first + block, k);
      float most = 0;
      for (int64_t i = first; i < last; ++i) {
        const float v = std::abs(from[static_cast<size_t>(i * n + j)]);
        if (!std::isfinite(v)) return std::nullopt;
        most = std::max(most, v);
      }
      const float step = most / static_cast<float>(steps), scale = sound_scale(step) ? step : 1;
      scales[static_cast<size_t>(first / block * n + j)] = scale;
      for (int64_t i = first; i < last; ++i)
        result.integers.set_int(i * n + j, static_cast<int64_t>(std::clamp<float>(
                                               std::nearbyint(from[static_cast<size_t>(i * n + j)] / scale),
                                               static_cast<float>(-steps), static_cast<float>(steps))));
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
        if (!codes) return decline("a weight is not finite");
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
              (void)take_decline_reason();
              if (const auto match = ir::match(rule.pattern, *n)) (void)rule.rewrite(*match);
              context.remark("'" + n->name() + "' keeps its weights: " + take_decline_reason());
            }
          }};
}

}  // namespace kiln::passes
