// Values that float16 may not hold, since weights that made them overflow it, and the layers that they reach.
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "passes/narrow/overflow.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr size_t kNamed = 3;  // layers that a line names

bool is_finite(const Value* v) {
  const auto number = uniform(v);
  return number && std::abs(*number) <= kLargestHalf;
}

// Its results are small, whatever it reads.
bool bounds(const Node& n) {
  static constexpr std::array kOps{"Sigmoid",
                                   "HardSigmoid",
                                   "Tanh",
                                   "Erf",
                                   "Softsign",
                                   "Softmax",
                                   "Hardmax",
                                   "Sign",
                                   "Sin",
                                   "Cos",
                                   "Atan",
                                   "LayerNormalization",
                                   "RMSNormalization",
                                   "GroupNormalization",
                                   "InstanceNormalization",
                                   "LpNormalization",
                                   "MeanVarianceNormalization",
                                   "EmbeddingNorm"};
  if (!n.post.empty()) return false;
  if (n.is("Clip")) return is_finite(n.input(1)) && is_finite(n.input(2));
  return std::any_of(kOps.begin(), kOps.end(), [&](const char* op) { return n.is(op); });
}

class Spread {
 public:
  Spread(const OverflowingWeights& found, DType type, DType instead) : type_(type), instead_(instead) {
    for (const auto& [node, weights] : found) makers_.insert(node);
  }

  // Whether a result of the graph may be large.
  bool through(ir::Graph& graph, bool inputs_are) {
    if (inputs_are) large_.insert(graph.inputs().begin(), graph.inputs().end());
    for (const auto& node : graph.nodes()) add_results(*node);
    return std::any_of(graph.outputs().begin(), graph.outputs().end(), [&](const Value* v) { return is_large(v); });
  }

  std::vector<std::string> layers;  // that compute wide for that

 private:
  bool is_large(const Value* v) const { return large_.count(v) > 0; }

  void add_results(Node& node) {
    const bool reads =
        std::any_of(node.inputs().begin(), node.inputs().end(), [&](const Value* v) { return is_large(v); });
    if (!node.regions.empty()) {
      if (reach_bodies(node, reads) || reads) add(node, 0);
      return;
    }
    if (node.precision != type_ && makers_.count(&node)) return add(node, 0);
    if (!reads || node.precision == type_) return;  // who asks for the type has its results rounded
    if (node.precision == DType::kInvalid && would_narrow(node)) {
      node.precision = instead_;
      layers.push_back(node.name());
    }
    add(node, bounds(node) ? 1 : 0);
  }

  // What a loop's body makes, it may read in the next round.
  bool reach_bodies(Node& node, bool reads) {
    bool made = false;
    for (const auto& region : node.regions) made = through(*region, reads) || made;
    if (made && !reads)
      for (const auto& region : node.regions) through(*region, true);
    return made;
  }

  bool would_narrow(const Node& node) const {
    if (std::none_of(node.outputs().begin(), node.outputs().end(),
                     [](const Value* v) { return v->is_tensor() && v->dtype() == DType::kF32; }))
      return false;
    for (size_t i = 0; i < node.inputs().size(); ++i)
      if (may_narrow(node, i, type_)) return !node.is("Cast");
    return false;
  }

  void add(const Node& node, size_t first) {
    for (size_t i = first; i < node.outputs().size(); ++i)
      if (carries(node, *node.outputs()[i])) large_.insert(node.outputs()[i]);
  }

  // Not where elements lie or how many there are, nor what the model itself rounds to 16 bits.
  static bool carries(const Node& node, const Value& result) {
    if (!result.is_tensor()) return true;
    const DType type = result.dtype();
    if (is_float(type)) return bits(type) >= bits(DType::kF32);
    if (type == DType::kBool || type == DType::kString || node.is("Shape") || node.is("Size")) return false;
    const Value* data = node.input(0);
    return bits(type) <= 16 || node.is("Cast") || (data && data->is_tensor() && data->dtype() == type);
  }

  DType type_, instead_;
  std::set<const Node*> makers_;  // layers with such weights
  std::set<const Value*> large_;
};

}  // namespace

std::vector<std::string> keep_large_values_wide(ir::Graph& graph, const OverflowingWeights& found, DType type,
                                                DType instead) {
  if (found.empty()) return {};
  Spread spread(found, type, instead);
  spread.through(graph, false);
  if (spread.layers.empty()) return {};
  const size_t count = spread.layers.size();
  std::string names;
  for (size_t i = 0; i < std::min(count, kNamed); ++i) names += (i ? ", '" : "'") + spread.layers[i] + "'";
  if (count > kNamed) names += " and " + std::to_string(count - kNamed) + " more";
  return {"values behind weights that overflow " + std::string(name(type)) +
          " may overflow it too: " + std::to_string(count) +
          (count == 1 ? " layer that reads them computes in " : " layers that read them compute in ") +
          std::string(name(instead)) + ": " + names};
}

}  // namespace kiln::passes
