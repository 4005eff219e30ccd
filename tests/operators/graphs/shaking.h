// How far rounding can move the results of a graph: it is evaluated again with what is inexact a little off.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "ir/graph.h"

namespace kiln::operators {

enum class Shake { kNot, kUp, kDown, kRandom };
inline constexpr std::array kShakes = {Shake::kUp, Shake::kDown, Shake::kRandom, Shake::kRandom};

// Evaluates a node and moves its results, and those in its regions, as far as another order of the same arithmetic may.
using Regions = std::vector<std::unique_ptr<ir::Graph>>;
std::vector<Datum> evaluate_shaken(const OpDef& op, const Attributes& attributes, const std::vector<Datum>& inputs,
                                   int outputs, const Regions& regions, Shake how, std::mt19937_64& random);

// The greatest distance of two elements; nothing when type, shape or what is finite differs.
std::optional<double> distance(const Tensor& a, const Tensor& b);
// Of the finite elements.
double largest(const Tensor& tensor);
// Whether a tensor that was shaken is the same but for rounding.
bool agrees(const Tensor& shaken, const Tensor& exact);

struct Expected {
  Tensor value;
  bool stable = true;          // false: rounding decides, and nothing can be said of the values
  std::vector<double> spread;  // how far each element moved
};
// The outputs of a graph. Throws Error.
std::vector<Expected> expect(const ir::Graph& graph, const std::vector<Tensor>& inputs);

// The first difference that rounding does not explain; empty when there is none.
std::string difference_from(const Expected& expected, const Tensor& actual);

}  // namespace kiln::operators
