// What a node has to compute and to move, by the definition of its operator: the measure beside which times are shown, and of which
// estimates are made.
#pragma once
#include <functional>
#include <optional>

#include "target/target.h"

namespace kiln {

struct Workload {
  double flops = 0, bytes = 0;
};

// Numbers for the dimensions of a value; nothing when they are not known.
using DimNumbers = std::function<std::optional<Dims>(const Shape&)>;

// A multiplication and an addition count as two. Transcendental functions count as one, movement as none.
Workload workload_of(const ir::Node& node, const DimNumbers& numbers);
Workload workload_of(const ir::Graph& graph, const DimNumbers& numbers);
// At the optimum.
Workload workload_of(const Problem& problem);

}  // namespace kiln
