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

// How many parts each line is made in, and the elements of one.
struct LineParts {
  int64_t count, chunk;
};

struct CumulativeArguments {
  Lines lines;
  int32_t product, exclusive, reverse;
  LineParts parts;
};

struct ArgExtremeArguments {
  Lines lines;
  int32_t largest, last;  // the last of equal ones
  LineParts parts;
  int32_t width;  // adjacent lines of a block that makes a part
};
inline constexpr int kArgThreads = 256;     // of such a block
inline constexpr int kMostArgColumns = 32;  // the widest

// The extreme element of some of a line.
struct Extreme {
  int64_t key, index;  // index -1: nothing yet
};

struct TopKArguments {
  Lines lines;
  int32_t k, largest;
  uint32_t size;  // of what is sorted: n rounded up to a power of two
};

}  // namespace kiln::cuda
