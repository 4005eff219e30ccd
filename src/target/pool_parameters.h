// What a pooling asks of its kernel.
#pragma once
#include "device/pool_parameters.h"
#include "target/spatial_window.h"

namespace kiln {

// Of MaxPool, AveragePool and LpPool.
inline Pooling pooling_of(const Problem& p) {
  if (p.op() == "LpPool") return Pooling::kNorm;
  if (p.op() == "MaxPool") return Pooling::kMaximum;
  return p.attributes().integer("count_include_pad", 0) != 0 ? Pooling::kMeanWithPadding : Pooling::kMean;
}

inline PoolAnyParameters pool_any_parameters(const Problem& p) {
  return {
      .kind = pooling_of(p),
      .p = p.attributes().integer("p", 2),
      .column_major = p.attributes().integer("storage_order", 0) != 0,
      .window = spatial_window_of(p, p.attributes().ints("kernel_shape")),
  };
}

}  // namespace kiln
