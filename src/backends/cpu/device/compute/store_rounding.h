// Scalar programs whose results are stored in float16 or bfloat16.
#pragma once
#include <vector>

#include "tensor/dtype.h"
#include "tensor/scalar_program.h"

namespace kiln::cpu {

// Storing rounds: what rounds to the type of a result before that, and before Relu, which keeps the order, is left out. `types`: of the results.
ScalarProgram rounded_by_stores(ScalarProgram program, const std::vector<DType>& types);

}  // namespace kiln::cpu
