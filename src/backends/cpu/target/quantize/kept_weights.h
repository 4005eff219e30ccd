// Weights that are kept in 16 bits.
#pragma once
#include "target/target.h"

namespace kiln::cpu {

inline Refusal keeps_narrow_weights(const Problem& problem) {
  const DType type = problem.node->keeps;
  return type == DType::kF16 || type == DType::kBF16 ? accept() : refuse("its weights are not to be kept in 16 bits");
}

}  // namespace kiln::cpu
