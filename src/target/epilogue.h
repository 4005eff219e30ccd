// Post-operations that a kernel does before it stores its results: bias, residual sum, activation.
#pragma once
#include <optional>
#include <vector>

#include "device/parameters.h"
#include "target/target.h"

namespace kiln {

// The activation of the kernels that an operator of one operand, without attributes, is; nothing when they have none.
std::optional<Activation> plain_activation(std::string_view op);

// activation(x + bias [+ residual]) [+ residual].
struct FusedEpilogue {
  EpilogueParameters parameters;
  std::vector<float> bias;  // sum of the constant ones, per column; empty: none
  int bias_input = -1;      // of the problem, known at run time
  int residual_input = -1;  // of the problem
  bool has_bias() const { return !bias.empty() || bias_input >= 0; }
};

// Does the argument broadcast to the output with nothing but the column axis?
bool runs_along(const Argument& argument, const Argument& out, int column_axis);
// Whether input `i` has the shape of result 0 in every run. Where only running can tell, equal guesses are no proof.
bool has_shape_of_result(const Problem& problem, int i);
// And its layout, too?
bool lies_like(const Problem& problem, int i);

// Reads the post-operations. `column_axis` of output 0 is what the bias runs along.
Refusal read_epilogue(const Problem& problem, int column_axis, FusedEpilogue& epilogue);
// Adds input `i` of the problem as a bias, scaled by `factor`, as a post-operation Add would.
Refusal add_bias(const Problem& problem, int i, int column_axis, double factor, FusedEpilogue& epilogue);
// Adds bias and residual as the next two inputs.
void emit_epilogue_inputs(const FusedEpilogue& epilogue, Emitted& emitted);

// The tensor of floats of that many elements, filled by `fill(float*)`.
template <class Fill> Tensor packed_floats(int64_t count, const Fill& fill) {
  Tensor t = Tensor::allocate(DType::kF32, {count});
  if (count > 0) fill(t.as_mutable<float>().data());
  return t;
}
// Of targets whose convolutions and products end with such an epilogue; with the fused operators that a tactic is for.
passes::FusionLimits epilogue_limits(const TacticList& tactics);

// Appends a constant; returns its index as an input.
int add_constant(Emitted& emitted, Tensor tensor);

}  // namespace kiln
