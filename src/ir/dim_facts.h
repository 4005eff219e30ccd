// What a graph's nodes demand of its dimensions.
#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"
#include "tensor/dim_demands.h"

namespace kiln::ir {

struct DimFact {
  DimDemand demand;
  std::string node;  // that demands it, for messages
};

// Of the nodes outside regions, which all run, over dimensions that are known before running. Infers each node again.
std::vector<DimFact> dim_facts(Graph& graph);

}  // namespace kiln::ir
