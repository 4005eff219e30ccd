// The call of what a tactic emitted for a problem: of tuning, of planning, and of packing at build.
#pragma once
#include <deque>

#include "target/target.h"

namespace kiln {

class StepCall {
 public:
  enum class Shapes { kOptimum, kLargest };
  // The views have no data yet, but for constants that the step's device can read where they lie.
  StepCall(const Problem& problem, const Emitted& emitted, Shapes shapes);
  std::vector<TensorView> inputs, outputs;
  KernelCall call(void* workspace = nullptr, size_t size = 0) const { return {inputs, outputs, workspace, size}; }

 private:
  struct Held {
    Dims dims, strides;
    Layout layout;
  };
  TensorView view(DType dtype, const Dims& dims, const Layout& layout);
  TensorView input(const Problem& problem, const Emitted& emitted, int from, Shapes shapes, bool readable);
  std::deque<Held> held_;  // what the views point to
};

// The kernel of the step on its device. Throws kInternal when the device has none of that name.
std::unique_ptr<Kernel> make_kernel(const Emitted& emitted);
// Bytes that it wants beside its operands at the largest shapes.
size_t workspace_of(const Problem& problem, const Emitted& emitted);

}  // namespace kiln
