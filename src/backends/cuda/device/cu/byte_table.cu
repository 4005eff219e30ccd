// Bytes made of bytes by a table of all results.
#include "backends/cuda/device/cu/byte_table.h"
#include "backends/cuda/device/cu/common.cuh"
#include "device/byte_table.h"

namespace kiln::cuda {

// The table may be read before the kernels before this one have run: it is a constant.
extern "C" __global__ void __launch_bounds__(kByteTableThreads)
    byte_table(const uint8_t* x, const uint8_t* results, uint8_t* y, uint32_t count, int32_t in_words) {
  __shared__ uint8_t table[kByteTable];
  let_next_start();
  for (int i = threadIdx.x; i < kByteTable; i += kByteTableThreads) table[i] = results[i];
  wait_for_inputs();
  __syncthreads();
  using Word = Pack<uint8_t, kByteTableRun>;
  const uint32_t first = (blockIdx.x * kByteTableThreads + threadIdx.x) * static_cast<uint32_t>(kByteTableRun);
  if (in_words && first + kByteTableRun <= count) {
    Word word = *reinterpret_cast<const Word*>(x + first);
#pragma unroll
    for (int i = 0; i < kByteTableRun; ++i) word.at[i] = table[word.at[i]];
    *reinterpret_cast<Word*>(y + first) = word;
  } else {
    for (uint32_t i = first; i < count && i < first + kByteTableRun; ++i) y[i] = table[x[i]];
  }
}

}  // namespace kiln::cuda
