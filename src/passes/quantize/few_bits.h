// Weights of a float network in few bits, activations as they are.
#pragma once
#include <string_view>

#include "passes/pass.h"

namespace kiln::passes {

inline constexpr std::string_view kWeightsInFewBits = "weights_in_few_bits";  // the rule that is made of them

struct FewBits {
  DType type = DType::kI8;  // kI8, or kI4, two to a byte
  int64_t block = 0;        // weights that share a scale, along the terms of a sum; 0: all of a column
};

// Products of float32 by constant matrices keep the weights as integers, symmetric about zero. The log says which stay as they are, and
// why.
Pass weights_in_few_bits(const FewBits& form);

}  // namespace kiln::passes
