// ReverseSequence: a thread for each word of the result. Lengths beyond the steps that there are count as all of them, negative ones as none.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/reverse_sequence.h"

namespace kiln::cuda {
namespace {

template <class T> __device__ void reverse_sequence(const ReverseSequenceArguments& a, const T* x, const int64_t* lengths, T* y) {
  begin_kernel();
  const uint32_t i = blockIdx.x * kReverseThreads + threadIdx.x;
  if (i >= a.count) return;
  const uint32_t line = a.run.quotient(i), word = i - line * a.run.divisor;
  const uint32_t first = a.second.quotient(line), second = line - first * a.second.divisor;
  const uint32_t step = a.time_first ? first : second;
  const int64_t length = min(lengths[a.time_first ? second : first], a.steps);
  const int64_t from = step < length ? length - 1 - step : step;
  y[i] = x[(a.time_first ? from * a.second.divisor + second : first * int64_t{a.second.divisor} + from) * a.run.divisor + word];
}

}  // namespace

#define KILN_REVERSE_SEQUENCE(bytes, type)                                                                          \
  extern "C" __global__ void __launch_bounds__(kReverseThreads)                                                    \
      reverse_sequence_##bytes(ReverseSequenceArguments a, const type* x, const int64_t* lengths, type* y) {       \
    reverse_sequence(a, x, lengths, y);                                                                            \
  }
KILN_REVERSE_SEQUENCE(1, uint8_t)
KILN_REVERSE_SEQUENCE(2, uint16_t)
KILN_REVERSE_SEQUENCE(4, uint32_t)
KILN_REVERSE_SEQUENCE(8, uint64_t)
KILN_REVERSE_SEQUENCE(16, uint4)

}  // namespace kiln::cuda
