// Programs on small integers, rewritten to compute in float32, which holds them exactly. Private to this room.
#pragma once
#include <optional>
#include <span>

#include "tensor/dtype.h"
#include "tensor/scalar_program.h"

namespace kiln::cpu {

// Integers of 8 and 16 bits.
bool is_small_integer(DType type);

// The program with elements of small integers as float32 lanes, if it does nothing with them but convert them from and to float32 that
// fits; nothing otherwise, and when it reads and writes none. Types are those of the tensors it reads and writes.
std::optional<ScalarProgram> in_float_lanes(const ScalarProgram& program, std::span<const DType> inputs,
                                            std::span<const DType> outputs);

}  // namespace kiln::cpu
