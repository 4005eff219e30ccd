// Cutting a graph down to what still shows a fault.
#pragma once
#include <functional>
#include <memory>

#include "ir/graph.h"

namespace kiln::ir {

// Cuts nodes, inputs and outputs away as long as `fails` says that the fault is still there. An input that takes the place of a computed value
// has its name with ".given" behind. Throws kInvalidState when the whole graph does not fail.
std::unique_ptr<Graph> reduce(std::unique_ptr<Graph> graph, const std::function<bool(const Graph&)>& fails);

}  // namespace kiln::ir
