// Bytes that stand for numbers: (byte - zero) * scale.
#pragma once
#include <cstdint>

namespace kiln::cuda {

struct ByteNumbers {
  float scale;
  int32_t zero, is_signed;
};

}  // namespace kiln::cuda
