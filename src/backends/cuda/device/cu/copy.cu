// Copies between tensors of any strides, and transposes through shared memory.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/copy.h"

namespace kiln::cuda {
namespace {

template <class T> __device__ void copy_elements(const CopyLoop& walk, const T* from, T* to) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kCopyThreads + threadIdx.x;
  if (index >= walk.count) return;
  int64_t at[2];
  walk.offsets(index, at);
  to[at[0]] = from[at[1]];
}

template <class T> __device__ void transpose_tiles(const TransposeArguments& a, const T* from, T* to) {
  begin_kernel();
  __shared__ T tile[kTileSide][kTileSide + 1];
  const uint32_t squares = a.column_tiles.quotient(blockIdx.x), outer = a.row_tiles.quotient(squares);
  const uint32_t column0 = (blockIdx.x - squares * a.column_tiles.divisor) * kTileSide;
  const uint32_t row0 = (squares - outer * a.row_tiles.divisor) * kTileSide;
  int64_t at[2];
  a.outer.offsets(outer, at);
  const uint32_t x = threadIdx.x % kTileSide;
  for (uint32_t y = threadIdx.x / kTileSide; y < kTileSide; y += kCopyThreads / kTileSide)
    if (row0 + x < a.rows && column0 + y < a.columns) tile[y][x] = from[at[1] + (column0 + y) * a.from_column + row0 + x];
  __syncthreads();
  for (uint32_t y = threadIdx.x / kTileSide; y < kTileSide; y += kCopyThreads / kTileSide)
    if (row0 + y < a.rows && column0 + x < a.columns) to[at[0] + (row0 + y) * a.to_row + column0 + x] = tile[x][y];
}

}  // namespace

#define KILN_COPY(bytes, type)                                                                                       \
  extern "C" __global__ void __launch_bounds__(kCopyThreads)                                                        \
      copy_##bytes(const __grid_constant__ CopyLoop walk, const type* from, type* to) {                             \
    copy_elements(walk, from, to);                                                                                  \
  }                                                                                                                 \
  extern "C" __global__ void __launch_bounds__(kCopyThreads)                                                        \
      transpose_##bytes(const __grid_constant__ TransposeArguments arguments, const type* from, type* to) {         \
    transpose_tiles(arguments, from, to);                                                                           \
  }
KILN_COPY(1, uint8_t)
KILN_COPY(2, uint16_t)
KILN_COPY(4, uint32_t)
KILN_COPY(8, uint64_t)
KILN_COPY(16, uint4)

}  // namespace kiln::cuda
