// Which bytes a kernel lets its operands share.
#pragma once
#include <cstdint>

namespace kiln {

// Number is stored: append only.
enum class Sharing : uint8_t {
  kNothing = 0,  // no result shares a byte with another operand or the workspace
  kInPlace = 1,  // result 0 may lie exactly where an operand of the same type, shape and layout lies
  kParts = 2,    // operand i may lie in result 0, behind the operands before it
};

}  // namespace kiln
