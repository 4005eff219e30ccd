// What a pooling asks of its kernel.
#pragma once
#include "device/pool_parameters.h"
#include "target/target.h"

namespace kiln {

// Of MaxPool and AveragePool.
inline Pooling pooling_of(const Problem& p) {
  if (p.op() == "MaxPool") return Pooling::kMaximum;
  return p.attributes().integer("count_include_pad", 0) != 0 ? Pooling::kMeanWithPadding : Pooling::kMean;
}

}  // namespace kiln
