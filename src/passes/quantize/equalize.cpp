// Channels between two convolutions are made alike, so that few bits hold all of them.
#include <algorithm>
#include <cmath>

#include "passes/quantize/by_range.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int kRounds = 3;  // over chains of convolutions

bool has_float_weights(const Node& n) {
  return n.is("Conv") && n.post.empty() && n.input(1)->constant() && n.input(1)->dtype() == DType::kF32 &&
         (!n.input(2) || (n.input(2)->constant() && n.input(2)->dtype() == DType::kF32));
}

// Weights as [columns, terms, taps], seen by the channel that they make or read.
struct Channels {
  const Tensor& w;
  bool makes;
  int64_t count, terms, taps;
  Channels(const Node& n, bool makes)
      : w(*n.input(1)->constant()),
        makes(makes),
        count(makes ? w.dims()[0] : w.dims()[1] * integer(n, "group")),
        terms(w.dims()[1]),
        taps(w.size() / std::max<int64_t>(w.dims()[0] * w.dims()[1], 1)),
        columns_of_group(w.dims()[0] / integer(n, "group")) {}
  int64_t columns_of_group;

  int64_t channel_of(int64_t i) const {
    const int64_t column = i / (terms * taps), term = i / taps % terms;
    return makes ? column : column / columns_of_group * terms + term;
  }
  std::vector<float> largest() const {
    std::vector<float> most(static_cast<size_t>(count), 0);
    for (int64_t i = 0; i < w.size(); ++i) {
      float& m = most[static_cast<size_t>(channel_of(i))];
      m = std::max(m, std::abs(w.as<float>()[static_cast<size_t>(i)]));
    }
    return most;
  }
  Tensor scaled(const std::vector<float>& factors) const {
    Tensor result = Tensor::allocate(DType::kF32, w.dims());
    for (int64_t i = 0; i < w.size(); ++i)
      result.as_mutable<float>()[static_cast<size_t>(i)] =
          w.as<float>()[static_cast<size_t>(i)] * factors[static_cast<size_t>(channel_of(i))];
    return result;
  }
};

// The power of two nearest to the root of `read` ÷ `made`; 1 where a channel is nothing.
float factor_of(float made, float read) {
  const float factor = std::exp2(std::nearbyint(std::log2(read / made) / 2));
  return std::isnormal(factor) ? factor : 1;
}

void set_weights(Graph& graph, Node& node, int input, Tensor tensor) {
  node.set_input(input, graph.add_constant(std::move(tensor), node.input(input)->name()));
}

// The convolution whose channels, Relu or not, this one alone reads; null when there is none.
Node* maker_of(const Node& reader) {
  const Value* x = reader.input(0);
  if (x->has_one_use() && x->producer() && x->producer()->is("Relu")) x = x->producer()->input(0);
  Node* maker = x->producer();
  return maker && has_float_weights(*maker) && x->has_one_use() ? maker : nullptr;
}

void equalize(Graph& graph, Node& maker, Node& reader) {
  const Channels makes(maker, true), reads(reader, false);
  if (makes.count != reads.count) return;
  const std::vector<float> from = makes.largest(), to = reads.largest();
  std::vector<float> factors, inverse;
  for (size_t c = 0; c < from.size(); ++c) {
    factors.push_back(factor_of(from[c], to[c]));
    inverse.push_back(1 / factors.back());
  }
  if (const Value* bias = maker.input(2)) {
    Tensor scaled = Tensor::allocate(DType::kF32, bias->constant()->dims());
    for (size_t c = 0; c < factors.size(); ++c)
      scaled.as_mutable<float>()[c] = bias->constant()->as<float>()[c] * factors[c];
    set_weights(graph, maker, 2, std::move(scaled));
  }
  set_weights(graph, maker, 1, makes.scaled(factors));
  set_weights(graph, reader, 1, reads.scaled(inverse));
}

}  // namespace

Pass equalize_layers() {
  return {"equalize", [](Graph& graph, PassContext& context) {
            apply_rules(graph, {&conv_batch_norm, &conv_bias, &pad_conv}, context);
            for (int round = 0; round < kRounds; ++round)
              for (Node* reader : graph.node_list())
                if (Node* maker = has_float_weights(*reader) ? maker_of(*reader) : nullptr)
                  equalize(graph, *maker, *reader);
          }};
}

}  // namespace kiln::passes
