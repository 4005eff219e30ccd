// Scalar programs as kernel parameters of engine files.
#pragma once
#include "tensor/attributes.h"
#include "tensor/scalar_program.h"

namespace kiln {

// Adds the program under names that begin with `prefix`.
void put_program(Attributes& parameters, const std::string& prefix, const ScalarProgram& program);
// Reads it back. The program is checked: throws kMalformedPlan when it is not sound.
ScalarProgram get_program(const Attributes& parameters, const std::string& prefix);

}  // namespace kiln
