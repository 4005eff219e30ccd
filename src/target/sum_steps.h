// The post-operations of a product of bytes as the steps of its kernel.
#pragma once
#include <vector>

#include "device/sum_steps.h"
#include "target/target.h"

namespace kiln {

// How the kernels of a target take the steps.
struct SumForm {
  // Vectors per column, constants of the kernels, have the columns of whole panels and `behind` elements more. Those that only running
  // tells are taken as they are, of whole panels.
  int64_t panel = 1, behind = 0;
  bool tables = false;  // what becomes of bytes at last may be a table
  bool words = false;   // x has 16 bits; else 8
  int64_t vector_size(int64_t columns) const;
};

// Operands x, w, x_zero_point, w_zero_point of ConvInteger and MatMulInteger with constant weights, and what follows.
struct ByteProblem {
  explicit ByteProblem(const SumForm& kernels) : form(kernels) {}
  SumForm form;
  std::vector<int16_t> weights;  // w - w_zero_point, in the order of w
  int32_t x_zero = 0;
  int x_zero_input = -1;      // of the problem, known only when running
  std::vector<int32_t> bias;  // per column
  SumParameters parameters;
  struct Operand {
    int input = -1;   // of the problem, or
    Tensor constant;  // a vector per column or one number
  };
  std::vector<Operand> operands;
};

// `column_axis` is that of output 0, `weight_axis` that of w along which columns lie.
Refusal read_byte_problem(const Problem& problem, int column_axis, int weight_axis, ByteProblem& bytes);
// The same but for the weights, which may be anything.
Refusal read_byte_steps(const Problem& problem, int column_axis, ByteProblem& bytes);
// A product of two operands that only running tells: matrices a and b, row-major, of as many leading axes, b centred (signed bytes, or
// unsigned ones less 128). The zero point of a is constant.
Refusal read_byte_pair(const Problem& problem, ByteProblem& bytes);
// What follows a product whose sums are real numbers; `bias`: the input that is added first, constants per column, or kAbsent.
Refusal read_real_steps(const Problem& problem, int column_axis, ByteProblem& steps, int bias = Emitted::kAbsent);

// Weights of more than signed bytes are the sum of parts that are. How many parts, and weight `i` of part `part`.
int64_t int8_parts(const ByteProblem& bytes);
int8_t int8_part(const ByteProblem& bytes, int64_t part, size_t i);

// Adds the start values (bias less x_zero, of x moved up by `shift`, times the sums of the columns' weights) and the
// operands.
void emit_sums(const ByteProblem& bytes, std::vector<int32_t> column_sums, int32_t shift, Emitted& emitted);
// The same of real numbers: the operands.
void emit_steps(const ByteProblem& steps, Emitted& emitted);

}  // namespace kiln
