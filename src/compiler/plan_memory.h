// Memory of a program: which tensors share bytes, and where in the arenas each lies.
#pragma once
#include <functional>
#include <map>
#include <vector>

#include "compiler/place.h"

namespace kiln {

struct MemoryPlan {
  plan::Program& program;
  std::vector<StepDetail>& details;
  const std::map<int32_t, int32_t>& shares;            // tensors that are other names of a tensor's bytes
  const std::map<const ir::Value*, int32_t>& tensors;  // of values of the graph
  std::function<uint32_t(const Dim&)> dim_of;          // index of a dimension in the plan
};

// Puts producers of a concatenation into its result where their kernels can write slices, lets pointwise steps write where they read,
// and places all buffers and workspaces. Sets the sizes of the arenas. Throws kOverflow.
void plan_memory(const MemoryPlan& memory, plan::Plan& plan, int64_t alignment);

}  // namespace kiln
