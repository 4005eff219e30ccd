// Arguments of convolutions of bytes without tensor cores. Host and GPU.
#pragma once
#include "backends/cuda/device/cu/conv.h"

namespace kiln::cuda {

inline constexpr int kByteThreads = 256;
inline constexpr int64_t kByteRun = 8;  // adjacent columns of a thread

struct ConvInt8AnyArguments {
  ConvGeometry g;
  SumArguments sums;
  const void* x;
  const int16_t* weights;  // [taps, channels, columns of all groups in whole runs]
  void* y;
  int64_t from_channel;
  uint32_t columns, padded_columns;  // of all groups
  uint32_t threads;                  // that have results
  FastDivisor runs, group_columns;
  int32_t x_in_words;  // runs of channels lie in aligned words
};

}  // namespace kiln::cuda
