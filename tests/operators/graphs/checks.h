// What must hold of a random graph, and the cutting down of one for which it does not.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "operators/graphs/grow.h"

namespace kiln::operators {

struct Finding {
  std::string check;  // by name, so that a smaller graph can be given the same one
  std::string text;
};

// Values of a graph's inputs by name, as they were drawn or computed.
using Values = std::map<std::string, Tensor>;

struct Subject {
  const ir::Graph* graph = nullptr;
  const Values* values = nullptr;
  const std::map<std::string, SymbolBounds>* symbols = nullptr;
  bool batched = false;
};

// Types as inferred, both engines, in memory and reloaded, without all rules, without each that fires, without a tactic, at the corners of the
// profile, item by item. `only` names one check. Nothing when all hold.
std::optional<Finding> first_finding(const Subject& subject, const std::string& only = "");

// The smallest graph that shows the same, as text, with its inputs.
std::string reduced(const Grown& grown, const Finding& finding);

// Of one seed; empty when nothing is found.
std::string report_of(uint64_t seed);

}  // namespace kiln::operators
