// What the products of bfloat16 take.
#pragma once
#include "target/estimate.h"

namespace kiln::cpu {

// Of weights that are bfloat16 once they are packed, whatever the problem has.
inline Estimate estimate_bfloat16(const Problem& problem, const DeviceFacts& facts) {
  Workload work = workload_of(problem);
  const Tensor& weights = *problem.input(1).constant;
  work.bytes -= static_cast<double>(weights.bytes()) - 2.0 * static_cast<double>(weights.size());
  return roofline(work, DType::kBF16, facts);
}

}  // namespace kiln::cpu
