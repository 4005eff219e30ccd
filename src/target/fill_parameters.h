// What operators that make tensors of few different elements, and ReverseSequence, ask of their kernels.
#pragma once
#include "device/movement_parameters.h"
#include "target/checks.h"

namespace kiln {

// The value of ConstantOfShape, or the one of EyeLike.
inline Tensor filling_element(const Problem& p) {
  if (p.op() == "ConstantOfShape" && p.attributes().has("value")) return p.attributes().tensor("value").reshaped({1});
  Tensor t = Tensor::allocate(p.outputs[0].dtype, {1});
  if (p.op() == "EyeLike") t.set(0, 1);
  return t;
}

inline AxisParameters one_hot_parameters(const Problem& p) { return {axis_of(p, "axis", -1, rank(p.input(0)) + 1)}; }
inline TriluParameters trilu_parameters(const Problem& p) { return {p.attributes().integer("upper", 1) != 0}; }
inline EyeParameters eye_parameters(const Problem& p) { return {p.attributes().integer("k", 0)}; }
inline ReverseSequenceParameters reverse_sequence_parameters(const Problem& p) {
  return {p.attributes().integer("time_axis", 0) == 0};
}

}  // namespace kiln
