// The operands of a pointwise kernel: checks, and the loop over their elements.
#pragma once
#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/loop.h"
#include "tensor/scalar_program.h"

namespace kiln::cuda::kernels {

// Plain tensors of numbers, inputs that broadcast to results of one shape, of the types that the program has.
Status check_pointwise(const ScalarProgram& program, const KernelCall& call);
// Only that they are plain, and that inputs broadcast to results of one shape; there is a result.
Status check_broadcast(const KernelCall& call);

// Operands in the order of the loop: results, then inputs. The first result decides how the loop runs.
struct PointwiseLoop {
  std::vector<const TensorView*> operands;
  std::vector<LoopPart> parts;
};
PointwiseLoop pointwise_loop(const KernelCall& call);

// The innermost axis counts groups of `lanes` elements from now on; `inner`: the elements that it had.
void group_lanes(Loop& loop, int64_t lanes, uint32_t& inner);

}  // namespace kiln::cuda::kernels
