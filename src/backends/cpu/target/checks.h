// Questions that many tactics ask of a problem, and what they emit.
#pragma once
#include "device/parameter_fields.h"
#include "target/checks.h"

namespace kiln::cpu {

// A problem on plain tensors without post-operations, whose floating-point operands are all float32.
inline Refusal needs_f32(const Problem& p) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list)
      if (a.present && is_float(a.dtype) && a.dtype != DType::kF32)
        return refuse(std::string("it computes in float32, not ") + std::string(name(a.dtype)));
  return accept();
}

// The same of float32 or float64, whichever the first input has.
inline Refusal needs_f32_or_f64(const Problem& p) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  const DType type = p.input(0).dtype;
  if (type != DType::kF32 && type != DType::kF64)
    return refuse(std::string("it computes in float32 and float64, not ") + std::string(name(type)));
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list)
      if (a.present && is_float(a.dtype) && a.dtype != type)
        return refuse(std::string("one operand is ") + std::string(name(type)) + ", another " +
                      std::string(name(a.dtype)));
  return accept();
}

// A kernel of this device without constants.
inline Emitted emit_kernel(std::string kernel, Attributes parameters, std::vector<int> inputs) {
  return {.device = "cpu",
          .kernel = std::move(kernel),
          .parameters = std::move(parameters),
          .inputs = std::move(inputs),
          .constants = {}};
}
template <class T> Emitted emit_kernel(std::string kernel, const T& parameters, std::vector<int> inputs) {
  return emit_kernel(std::move(kernel), to_parameters(parameters), std::move(inputs));
}

}  // namespace kiln::cpu
