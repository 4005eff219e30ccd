// Kiln's tools for faults, as `kiln debug` uses them. Errors, threads and ownership as in kiln.h.
#pragma once
#include <cstddef>
#include <functional>
#include <string>

namespace kiln::api {

// How far a model was cut down.
struct Reduction {
  size_t nodes_before = 0, nodes_after = 0, tries = 0;
};
// Cuts nodes, inputs and outputs from a model as long as `fails`, which is given the path of a smaller one, says that a fault is still
// there. `output` ends in .kir; it holds the smallest at the end, and each candidate on the way. Throws when the whole model does not fail.
Reduction reduce_model(const std::string& model, const std::string& output,
                       const std::function<bool(const std::string& path)>& fails);

}  // namespace kiln::api
