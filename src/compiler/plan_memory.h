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

// Bytes of each arena that a program takes, its bodies' too.
struct ArenaSizes {
  uint64_t device = 0, host = 0;
};

// Lets pointwise steps write where they read, and places all buffers and workspaces, from offset 0 on: what steps use that may run at one
// time lies apart. The memory of bodies, whose sizes are `bodies` by program, is that of their branch or loop: their offsets are moved
// there. Throws kOverflow.
ArenaSizes plan_memory(const MemoryPlan& memory, plan::Plan& plan, const std::vector<ArenaSizes>& bodies,
                       int64_t alignment);

}  // namespace kiln
