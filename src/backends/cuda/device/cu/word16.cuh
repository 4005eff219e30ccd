// Elements of 16 bytes, for kernels that move elements.
#pragma once
#include <cstdint>

namespace kiln::cuda {

// It lies at multiples of 8 bytes, as complex128 does.
struct Word16 {
  uint64_t at[2];
};

}  // namespace kiln::cuda
