// Launch of the kernel that replaces bytes. Host and GPU.
#pragma once
#include <cstdint>

namespace kiln::cuda {

inline constexpr int kByteTableThreads = 256;
inline constexpr int64_t kByteTableRun = 16;  // bytes of a thread

}  // namespace kiln::cuda
