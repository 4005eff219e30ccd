// Products and convolutions of bytes as problems of their kernels, whoever's they are.
#pragma once
#include "backends/cpu/target/quantize/sum_form.h"

namespace kiln::cpu {

// MatMulInteger by one constant matrix, and ConvInteger by constant weights with images channels last, with what follows them; of what the
// form says x holds.
Refusal read_gemm_int8(const Problem& problem, ByteProblem& bytes);
Refusal read_conv_int8(const Problem& problem, ByteProblem& bytes);

// Of the weights of each column of the result.
std::vector<int32_t> gemm_column_sums(const ByteProblem& bytes, int64_t columns);
std::vector<int32_t> conv_column_sums(const ByteProblem& bytes, int64_t columns);

// The weights of a convolution, OIHW, as matrices of a product: group by group, terms of kernel elements and then channels.
struct GroupWeights {
  explicit GroupWeights(const Problem& problem);
  int64_t terms() const { return taps * channels; }
  int64_t place(int64_t group, int64_t term, int64_t column) const {
    return (group * columns + column) * terms() + term % channels * taps + term / channels;
  }
  int64_t groups, columns, channels, taps;
};

}  // namespace kiln::cpu
