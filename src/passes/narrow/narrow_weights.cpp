// Products whose constant weights may be kept in 16 bits.
#include "passes/narrow/narrow_weights.h"

#include <algorithm>
#include <bit>

#include "passes/narrow/overflow.h"
#include "tensor/half.h"

namespace kiln::passes {
namespace {

constexpr int64_t kFewWeights = 1 << 14;     // take no time to read, and no memory
constexpr int64_t kWeightsAtOnce = 1 << 12;  // looked at before those behind them are

template <uint16_t (*narrow)(float), float (*wide)(uint16_t)> bool are_held(std::span<const float> numbers) {
  for (size_t at = 0; at < numbers.size(); at += kWeightsAtOnce) {
    uint32_t differences = 0;
    for (const float x : numbers.subspan(at, std::min<size_t>(kWeightsAtOnce, numbers.size() - at)))
      differences |= std::bit_cast<uint32_t>(wide(narrow(x))) ^ std::bit_cast<uint32_t>(x);
    if (differences) return false;
  }
  return true;
}

bool holds(DType type, std::span<const float> numbers) {
  return type == DType::kF16 ? are_held<f16_from_float, f16_to_float>(numbers)
                             : are_held<bf16_from_float, bf16_to_float>(numbers);
}

// Empty: it has none, or few.
std::vector<const Tensor*> weights_of(const Node& n) {
  const bool recurs = n.is("LSTM") || n.is("GRU") || n.is("RNN");
  if (!recurs && !n.is("Conv") && !n.is("MatMul") && !n.is("Gemm")) return {};
  std::vector<const Tensor*> list;
  int64_t count = 0;
  for (const int i : {1, 2}) {
    if (i == 2 && !recurs) break;
    const Value* v = n.input(i);
    if (!v->constant() || v->dtype() != DType::kF32 || n.input(0)->dtype() != DType::kF32) return {};
    list.push_back(v->constant());
    count += v->constant()->size();
  }
  return count >= kFewWeights ? list : std::vector<const Tensor*>();
}

DType type_to_keep(const Node& n, const std::vector<const Tensor*>& weights, DType compute) {
  const auto held_in = [&](DType type) {
    return std::all_of(weights.begin(), weights.end(), [&](const Tensor* t) { return holds(type, t->as<float>()); });
  };
  for (const DType type : {DType::kF16, DType::kBF16})
    if (held_in(type)) return type;
  const DType wanted = n.precision == DType::kInvalid ? compute : n.precision;
  const bool is_half = wanted == DType::kF16 || wanted == DType::kBF16;
  return compute != DType::kF32 && is_half && !overflowing_constant(n, wanted) ? wanted : DType::kInvalid;
}

void mark(Graph& graph, DType compute) {
  for (const auto& n : graph.nodes()) {
    for (const auto& region : n->regions) mark(*region, compute);
    if (const auto weights = weights_of(*n); !weights.empty()) n->keeps = type_to_keep(*n, weights, compute);
  }
}

}  // namespace

void mark_narrow_weights(Graph& graph, DType compute, PassContext& context) {
  if (context.options().disabled.count(std::string(kNarrowWeights))) return;
  if (compute != DType::kF32)
    for (const std::string& line :
         settle_overflowing_weights(find_overflowing_weights(graph, compute), compute, DType::kF32))
      context.warn(line);
  mark(graph, compute);
}

}  // namespace kiln::passes
