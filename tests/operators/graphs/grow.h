// Random graphs: they grow node by node out of the operators' samplers, the graphs that rules match, and regions of all of these.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace kiln::operators {

struct SymbolBounds {
  int64_t min = 0, drawn = 0, max = 0;
};

struct Grown {
  std::unique_ptr<ir::Graph> graph;
  std::map<std::string, Tensor> inputs;         // by name
  std::map<std::string, SymbolBounds> symbols;  // of the inputs' shapes; none: a static graph
  bool batched = false;                         // along symbol kBatch each item is computed for itself
};
inline constexpr const char* kBatch = "n";

// The same graph for the same seed. Throws Error when a reference fails in itself, or when a node that its reference takes is refused.
Grown grow(uint64_t seed);

}  // namespace kiln::operators
