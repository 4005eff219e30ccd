// Products of 16-bit integers by constant bytes, whose weights are int16.
#pragma once
#include "backends/cpu/target/quantize/byte_products.h"

namespace kiln::cpu {

inline ByteProblem word_problem() {
  SumForm form = kSumForm;
  form.words = true;
  return ByteProblem(form);
}

// What is added to the numbers of x before they are multiplied.
inline int32_t shift_of_words(const Problem& p) { return p.input(0).dtype == DType::kU16 ? INT16_MIN : 0; }

// What kernels of words take besides: a zero point of x that is constant.
inline Refusal fixes_zero(const ByteProblem& words) {
  return words.x_zero_input < 0 ? accept() : refuse("the zero point of x is not constant");
}

}  // namespace kiln::cpu
