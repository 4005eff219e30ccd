// Constants that a type of 16 bits cannot hold.
#include "passes/narrow/overflow.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <iterator>
#include <limits>
#include <span>

#include "base/in_parallel.h"

namespace kiln::passes {
namespace {

// Without branches inside, so that it is vectorised.
bool any_overflows(std::span<const float> numbers) {
  constexpr auto kLargest = std::bit_cast<uint32_t>(static_cast<float>(kLargestHalf));
  constexpr auto kInfinity = std::bit_cast<uint32_t>(std::numeric_limits<float>::infinity());
  uint32_t found = 0;
  for (const float x : numbers) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(x) & 0x7fffffffu;
    found |= static_cast<uint32_t>(magnitude > kLargest) & static_cast<uint32_t>(magnitude < kInfinity);
  }
  return found != 0;
}

bool overflows(const Tensor& constant) {
  constexpr int64_t kLeast = int64_t{1} << 18;  // elements for which a thread pays
  const auto numbers = constant.as<float>();
  std::atomic<bool> found = false;
  in_parallel_ranges(static_cast<int64_t>(numbers.size()), kLeast, [&](int64_t begin, int64_t end) {
    if (any_overflows(numbers.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)))) found = true;
  });
  return found;
}

bool multiplies_by_weights(const ir::Node& node) {
  return node.is("Conv") || node.is("ConvTranspose") || node.is("MatMul") || node.is("Gemm") || node.is("LSTM") ||
         node.is("GRU") || node.is("RNN");
}

}  // namespace

bool may_narrow(const ir::Node& node, size_t input, DType type) {
  const ir::Value* v = node.inputs()[input];
  const InputDef* def = node.op().input_def(static_cast<int>(input));
  return v && v->is_tensor() && v->dtype() == DType::kF32 && def && def->types.has(type);
}

const ir::Value* overflowing_constant(const ir::Node& node, DType type) {
  if (type != DType::kF16) return nullptr;
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const ir::Value* v = node.inputs()[i];
    if (may_narrow(node, i, type) && v->constant() && overflows(*v->constant())) return v;
  }
  return nullptr;
}

OverflowingWeights find_overflowing_weights(const ir::Graph& graph, DType type) {
  OverflowingWeights found;
  for (const auto& node : graph.nodes()) {
    for (const auto& region : node->regions)
      std::ranges::move(find_overflowing_weights(*region, type), std::back_inserter(found));
    if (!multiplies_by_weights(*node)) continue;
    if (const ir::Value* weights = overflowing_constant(*node, type)) found.emplace_back(node.get(), weights);
  }
  return found;
}

std::vector<std::string> settle_overflowing_weights(const OverflowingWeights& found, DType type, DType instead) {
  std::vector<std::string> lines;
  for (const auto& [node, weights] : found) {
    if (node->precision != DType::kInvalid && node->precision != type) continue;
    lines.push_back("the weights '" + weights->name() + "' overflow " + std::string(name(type)) + ": the layer '" +
                    node->name() + "' computes in " + std::string(name(instead)));
    if (instead != DType::kF32) node->precision = instead;
  }
  return lines;
}

}  // namespace kiln::passes
