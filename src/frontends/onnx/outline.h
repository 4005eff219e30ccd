// A look at a model's graph without its weights.
#pragma once
#include <functional>
#include <string>

#include "ir/graph.h"

namespace kiln::onnx {

// Calls look(graph) with the graph that import_file() gives, but that the elements of large initializers are all zero: for who asks for
// names, types and operators. Throws as import_file() does, but for what is wrong with those elements.
void look_at_file(const std::string& path, const std::function<void(const ir::Graph&)>& look);

}  // namespace kiln::onnx
