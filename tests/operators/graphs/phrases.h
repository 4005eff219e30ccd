// Graphs on which rules fire, out of the rules' own tests.
#pragma once
#include <memory>
#include <vector>

#include "ir/graph.h"

namespace kiln::operators {

using Phrases = std::vector<std::unique_ptr<ir::Graph>>;
// All static, of tensors, without post-operations. Read once from tests/passes.
const Phrases& phrases();

}  // namespace kiln::operators
