// A nested graph as part of the graph around it.
#pragma once
#include <vector>

#include "ir/graph.h"

namespace kiln::onnx {

// Adds the nodes of `body` to `graph`; its inputs are `arguments`. Its results.
std::vector<ir::Value*> inlined(const ir::Graph& body, ir::Graph& graph, const std::vector<ir::Value*>& arguments);

}  // namespace kiln::onnx
