// Products and convolutions of bytes as problems of their kernels, whoever's they are.
#pragma once
#include "backends/cpu/target/quantize/sum_form.h"

namespace kiln::cpu {

// MatMulInteger by one constant matrix, and ConvInteger by constant weights with images channels last, with what follows them.
Refusal read_gemm_int8(const Problem& problem, ByteProblem& bytes);
Refusal read_conv_int8(const Problem& problem, ByteProblem& bytes);

// Of the weights of each column of the result.
std::vector<int32_t> gemm_column_sums(const ByteProblem& bytes, int64_t columns);
std::vector<int32_t> conv_column_sums(const ByteProblem& bytes, int64_t columns);

}  // namespace kiln::cpu
