// Demands of shape rules, node by node.
#include "ir/dim_facts.h"

#include <algorithm>

namespace kiln::ir {

std::vector<DimFact> dim_facts(Graph& graph) {
  std::vector<DimFact> facts;
  for (const auto& node : graph.nodes()) {
    if (!node->regions.empty()) continue;
    DimDemands demands;
    graph.infer(*node);
    for (DimDemand& demand : demands.take())
      if (!has_run_time_symbol({demand.same, demand.other}))
        facts.push_back({std::move(demand), "'" + node->name() + "' (" + node->op_name() + ")"});
  }
  return facts;
}

}  // namespace kiln::ir
