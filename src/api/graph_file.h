// Graphs as files: the text of src/ir/text.h, and the large constants that it names in a second file beside it.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "ir/graph.h"

namespace kiln::api {

inline constexpr const char* kGraphEnding = ".kir";

// Writes `path`, and `path`.weights when there are large constants. Throws kIo.
void save_graph(const ir::Graph& graph, const std::string& path);
// Throws kNotFound, kIo, kInvalidArgument (with line and column), kInvalidGraph.
std::unique_ptr<ir::Graph> load_graph(const std::string& path);

// Of a model by the ending of its name: .kir, else ONNX.
std::unique_ptr<ir::Graph> load_model(const std::string& path, Logger* logger = nullptr);
// Calls look(graph) with it; its large weights need not have been read.
void look_at_model(const std::string& path, const std::function<void(const ir::Graph&)>& look);

}  // namespace kiln::api
