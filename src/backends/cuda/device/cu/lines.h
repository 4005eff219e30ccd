// Arguments of the kernels of cu/lines.cu, which work along the middle axis of [outer, n, inner].
#pragma once
#include <cstdint>

namespace kiln::cuda {

inline constexpr int kLineThreads = 128;  // of a block: its lines are a warp's each, or a thread's
inline constexpr int kMostSorted = 4096;  // elements of a line that a block sorts
inline constexpr int kSortThreads = 512;  // of such a block, at most

struct Lines {
  int64_t outer, n, inner;
};

struct CumulativeArguments {
  Lines lines;
  int32_t product, exclusive, reverse;
};

struct ArgExtremeArguments {
  Lines lines;
  int32_t largest, last;  // the last of equal ones
};

struct TopKArguments {
  Lines lines;
  int32_t k, largest;
  uint32_t size;  // of what is sorted: n rounded up to a power of two
};

}  // namespace kiln::cuda
