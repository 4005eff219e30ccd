// The types and formats that a build asks for its inputs and outputs.
#pragma once

namespace kiln {
struct CompileOptions;
namespace ir {
class Graph;
}
}  // namespace kiln

namespace kiln::api {

struct BuildOptions;

// Gives the graph's inputs and outputs the types and layouts that the options ask for; those of outputs go to `to`. Throws Error.
void put_io_formats(const BuildOptions& options, ir::Graph& graph, CompileOptions& to);

}  // namespace kiln::api
