// Questions that tactics of NVIDIA GPUs ask of a problem, and what they emit.
#pragma once
#include "device/parameter_fields.h"
#include "target/checks.h"

namespace kiln::cuda {

inline constexpr TypeSet kKernelFloats{DType::kF32, DType::kF16, DType::kBF16};
inline constexpr TypeSet kKernelReals = kKernelFloats | TypeSet{DType::kF64};
inline constexpr TypeSet kByteTypes{DType::kI8, DType::kU8};
inline bool is_kernel_float(DType type) { return kKernelFloats.has(type); }

// A problem on plain tensors without post-operations, whose floating-point operands are of one of `types`, which `names` tells.
inline Refusal needs_one_of(const Problem& p, TypeSet types, const char* names) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  const DType type = p.input(0).dtype;
  if (!types.has(type)) return refuse("elements of type " + std::string(name(type)) + ", needs " + names);
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list)
      if (a.present && is_float(a.dtype) && a.dtype != type)
        return refuse("operands of " + std::string(name(type)) + " and " + std::string(name(a.dtype)));
  return accept();
}
// One that kernels compute with.
inline Refusal needs_one_float(const Problem& p) {
  return needs_one_of(p, kKernelFloats, "float32, float16 or bfloat16");
}
// The same with float64.
inline Refusal needs_one_real(const Problem& p) {
  return needs_one_of(p, kKernelReals, "float64, float32, float16 or bfloat16");
}

inline Emitted emit_kernel(std::string kernel, Attributes parameters, std::vector<int> inputs) {
  return {.device = "cuda",
          .kernel = std::move(kernel),
          .parameters = std::move(parameters),
          .inputs = std::move(inputs),
          .constants = {}};
}
template <class T> Emitted emit_kernel(std::string kernel, const T& parameters, std::vector<int> inputs) {
  return emit_kernel(std::move(kernel), to_parameters(parameters), std::move(inputs));
}

}  // namespace kiln::cuda
