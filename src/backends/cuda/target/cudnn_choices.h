// What cuDNN proposes for the GPU that engines are built for.
#pragma once
#include <functional>

#include "backends/cuda/device/cudnn_graph.h"
#include "target/target.h"

namespace kiln::cuda {

// Kernels for a graph, at least one; else why there are none. `text` says all that the graph depends on: asking takes milliseconds, so
// answers are kept. Thread-safe.
Refusal find_choices(const std::string& text, const CudnnNeeds& needs,
                     const std::function<CudnnGraph(const Cudnn&, const CudnnSite&)>& graph,
                     std::vector<kernels::CudnnChoice>& choices);
template <class Described>
Refusal find_choices(const Described& d, const CudnnNeeds& needs, std::vector<kernels::CudnnChoice>& choices) {
  const auto graph = [&](const Cudnn& library, const CudnnSite& site) { return d.graph(library, site); };
  return find_choices(d.str(), needs, graph, choices);
}

// Whether no operand's shape changes from run to run: what is compiled for a plan of cuDNN takes one shape.
Refusal needs_one_shape(const Problem& problem);

// A configuration for each.
std::vector<Config> to_configs(const std::vector<kernels::CudnnChoice>& choices);

}  // namespace kiln::cuda
