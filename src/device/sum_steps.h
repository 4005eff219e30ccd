// What kernels of several devices do with the sums of a product before they store them, as parameters.
#pragma once
#include <vector>

#include "device/sum_step.h"
#include "tensor/attributes.h"

namespace kiln {

// Weights of bytes less a zero point are the sum of so many signed bytes at most.
inline constexpr int64_t kMostWeightParts = 3;

struct SumParameters {
  std::vector<SumStep> steps;
  int32_t zero = 0;  // of a result of bytes: added when they are rounded, and before they saturate
  // What the bytes of the result become at last, and whether they are signed before; empty: they stay.
  std::vector<uint8_t> table;
  bool is_signed = false;
};
void put_sum_parameters(Attributes& to, const SumParameters& parameters);
SumParameters read_sum_parameters(const Attributes& parameters);  // throws Error(kMalformedPlan)

}  // namespace kiln
