// Weights of a float network in few bits, activations as they are.
#pragma once
#include "passes/pass.h"

namespace kiln::passes {

struct FewBits {
  DType type = DType::kI8;  // kI8, or kI4, two to a byte
  int64_t block = 0;        // weights that share a scale, along the terms of a sum; 0: all of a column
};

// Products of float32 by constant matrices keep the weights as integers, symmetric about zero. The log says which stay as they are, and
// why.
Pass weights_in_few_bits(const FewBits& form);

}  // namespace kiln::passes
