// Which products are those of bfloat16, and what they take.
#pragma once
#include "backends/cpu/target/quantize/tiles.h"

namespace kiln::cpu {

// A build that may compute in bfloat16 says so of the node. What the model has in bfloat16 computes in float32 where the processor does not
// multiply it, which is faster there.
inline Refusal multiplies_in_bfloat16(const Problem& problem) {
  if (type_of_products(problem) != DType::kBF16) return refuse("it is not to compute in bfloat16");
  if (problem.node->precision != DType::kBF16 && !multiplies_bfloat16())
    return refuse("the processor has no instruction for products of bfloat16");
  return accept();
}

// Of the roofline's, which takes products of bfloat16 for twice as fast as those of float32: Intel's cores without AMX do half as many of them
// (docs/measured.md).
inline double slowness_of_bfloat16() {
  __builtin_cpu_init();
  return __builtin_cpu_is("intel") ? 4 : 1;
}

// Of weights that are bfloat16 once they are packed, whatever the problem has, in whole panels of `columns`.
inline Estimate estimate_bfloat16(const Problem& problem, const DeviceFacts& facts, bool in_tiles, int64_t columns) {
  Workload work = workload_of(problem);
  work.flops *= in_tiles ? filled_tiles(rows_of_product(problem), columns) / kTilesFaster
                         : filled_panels(columns) * slowness_of_bfloat16();
  const Tensor& weights = *problem.input(1).constant;
  work.bytes -= static_cast<double>(weights.bytes()) - 2.0 * static_cast<double>(weights.size());
  Estimate e = roofline(work, DType::kBF16, facts);
  if (in_tiles) e.launch += kTilesLaunch;
  return e;
}

}  // namespace kiln::cpu
