// Cutting a model down to what still shows a fault.
#include "ir/reduce.h"

#include "api/graph_file.h"
#include "api/kiln_api.h"
#include "kiln/debug.h"

namespace kiln::api {

Reduction reduce_model(const std::string& model, const std::string& output,
                       const std::function<bool(const std::string& path)>& fails) {
  return guarded([&] {
    if (!output.ends_with(kGraphEnding))
      throw Error(Code::kInvalidArgument, "'" + output + "' does not end in " + kGraphEnding)
          .remedy("reduced models are graphs in Kiln's text form");
    auto graph = load_model(model);
    Reduction reduction{graph->nodes().size(), 0, 0};
    const auto smallest = ir::reduce(std::move(graph), [&](const ir::Graph& candidate) {
      save_graph(candidate, output);
      ++reduction.tries;
      return fails(output);
    });
    save_graph(*smallest, output);
    reduction.nodes_after = smallest->nodes().size();
    return reduction;
  });
}

}  // namespace kiln::api
