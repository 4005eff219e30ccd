// A table with a result for each byte.
#pragma once
#include <cstdint>

namespace kiln {

inline constexpr int64_t kByteTable = 256;

}  // namespace kiln
