// What a node has to compute and to move, by the definition of its operator: the measure beside which times are shown.
#pragma once
#include <functional>
#include <optional>

#include "ir/graph.h"

namespace kiln::api {

struct Work {
  double flops = 0, bytes = 0;
};

// Numbers for the dimensions of a value; nothing when they are not known.
using Numbers = std::function<std::optional<Dims>(const Shape&)>;

// A multiplication and an addition count as two. Transcendental functions count as one, movement as none.
Work work_of(const ir::Node& node, const Numbers& numbers);
Work work_of(const ir::Graph& graph, const Numbers& numbers);

}  // namespace kiln::api
