// Constants of a graph that wait in a file.
#pragma once
#include "ir/graph.h"

namespace kiln {

inline constexpr int64_t kParkedBytes = int64_t{32} << 20;

// Large constants that passes have made lie in a temporary file from now on, where they are `least` bytes together: what nobody reads needs
// no memory. Where there is no room for such a file they stay. Returns how many bytes lie there.
int64_t park_constants(ir::Graph& graph, int64_t least = kParkedBytes);

}  // namespace kiln
