// What the tactics of matrix products share.
#pragma once
#include "target/epilogue.h"

namespace kiln::cpu {

// MatMul or Gemm in row-major layouts.
struct ProductProblem {
  int64_t batch = 1, m = 1, n = 1, k = 1;  // at the optimum; batch multiplies m
  bool vector_a = false, vector_b = false, transpose_a = false, transpose_b = false;
  double alpha = 1;
  bool shared_b = true;  // b has no leading axes of more than one element
  FusedEpilogue epilogue;
};
// Of operands of that type.
Refusal read_product(const Problem& problem, ProductProblem& product, DType type = DType::kF32);
// The same for a problem that was accepted.
ProductProblem product_problem(const Problem& problem, DType type = DType::kF32);

}  // namespace kiln::cpu
