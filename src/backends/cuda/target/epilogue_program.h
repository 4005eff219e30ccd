// Post-operations as the kernels of convolutions and products do them: as an epilogue with one activation, else as a program.
#pragma once
#include "backends/cuda/device/cu/epilogue_program.h"
#include "target/epilogue.h"

namespace kiln::cuda {

// Of a problem whose post-operations are more than a FusedEpilogue says; that has its bias and, as its residual, the first tensor that it reads.
struct FusedProgram {
  std::vector<EpilogueStep> steps;
  std::vector<Tensor> vectors;  // a number for each column
  int second_input = -1;        // of the problem: the second tensor that it reads
  int64_t columns = 0;          // of the results
};

// Reads all post-operations, as an epilogue where that is enough.
Refusal read_results(const Problem& problem, int column_axis, FusedEpilogue& epilogue, FusedProgram& program);
// Where a kernel has no programs.
Refusal needs_no_program(const FusedProgram& program);
// Adds the program and its second tensor as the last inputs; nothing where there is none.
void emit_program(const FusedProgram& program, Emitted& emitted);

}  // namespace kiln::cuda
