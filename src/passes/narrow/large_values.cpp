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
  Spread(DType type, DType instead) : type_(type), instead_(instead) {}

  // Whether a result of the graph may be large.
  bool through(ir::Graph& graph, bool inputs_are) {
    if (inputs_are) add(graph.inputs());
    for (const auto& node : graph.nodes())
      if (makes_large(*node)) add(node->outputs());
    return std::any_of(graph.outputs().begin(), graph.outputs().end(),
                       [&](const Value* v) { return large_.count(v) > 0; });
  }

  std::vector<std::string> layers;  // that compute wide for that

 private:
  void add(const std::vector<Value*>& values) {
    for (const Value* v : values)
      if (v->is_tensor() && v->dtype() == DType::kF32) large_.insert(v);
  }

  bool makes_large(Node& node) {
    const bool reads =
        std::any_of(node.inputs().begin(), node.inputs().end(), [&](const Value* v) { return large_.count(v) > 0; });
    bool made = false;
    for (const auto& region : node.regions) made = through(*region, reads) || made;
    if (!node.regions.empty()) return reads || made;
    if (node.precision != type_ && multiplies_by_weights(node) && overflowing_constant(node, type_)) return true;
    if (!reads || node.precision == type_) return false;  // who asks for the type has its results rounded
    if (node.precision == DType::kInvalid) {
      node.precision = instead_;
      layers.push_back(node.name());
    }
    return !bounds(node);
  }

  DType type_, instead_;
  std::set<const Value*> large_;
};

}  // namespace

std::vector<std::string> keep_large_values_wide(ir::Graph& graph, DType type, DType instead) {
  Spread spread(type, instead);
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
