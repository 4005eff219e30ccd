// Which memory each tensor of an engine lies in when the device has memory of its own, and the copies between the two.
#pragma once
#include <map>
#include <vector>

#include "ir/graph.h"
#include "plan/plan.h"

namespace kiln {

// What the compiler knows of a step beside what the plan says.
struct StepDetail {
  const ir::Node* node = nullptr;                     // null for transfers
  bool strided_output = false, strided_rows = false;  // see Emitted
  int64_t row_alignment = 1;
  uint32_t strided_inputs = 0;
  double milliseconds = 0;  // that it takes alone, as measured or by reasoning
  bool measured = false;    // the former
  double share = 1;         // of what the device can do that it takes meanwhile, by reasoning
};

// Tensors that steps of the host write go to the host's arena. A step that needs a tensor from the other memory reads a copy, which a
// transfer step makes as soon as the tensor is there; a step of the host waits for the device only when a copy that it reads is not
// known to be done, so that one wait serves many copies. Bodies take and give values on the host. `shares` holds tensors that are other names of a tensor's bytes.
void place_steps(plan::Program& program, bool is_body, std::vector<StepDetail>& details,
                 const std::map<int32_t, int32_t>& shares, const plan::Plan& plan);

}  // namespace kiln
