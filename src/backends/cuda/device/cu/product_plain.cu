// Products of matrices in the types that tensor cores lack: integers, which wrap around, and float64. A block makes a tile of a matrix.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/product_plain.h"

namespace kiln::cuda {
namespace {

template <class T> __device__ void multiply_tile(const PlainProductArguments& p, uint32_t matrix, const T* a, const T* b, T* y) {
  __shared__ T left[kPlainTile][kPlainTile + 1], right[kPlainTile][kPlainTile + 1];
  const uint32_t x = threadIdx.x % kPlainTile, z = threadIdx.x / kPlainTile;
  const uint32_t row = blockIdx.y * kPlainTile + z, column = blockIdx.x * kPlainTile + x;
  int64_t at[3];
  p.batch.offsets(matrix, at);
  T sum = 0;
  for (uint32_t first = 0; first < p.terms; first += kPlainTile) {
    const bool has_left = row < p.rows && first + x < p.terms, has_right = column < p.columns && first + z < p.terms;
    left[z][x] = has_left ? a[at[1] + row * p.a_row + (first + x) * p.a_term] : T(0);
    right[z][x] = has_right ? b[at[2] + (first + z) * p.b_term + column * p.b_column] : T(0);
    __syncthreads();
    for (int i = 0; i < kPlainTile; ++i) sum += left[z][i] * right[i][x];
    __syncthreads();
  }
  if (row < p.rows && column < p.columns) y[at[0] + row * p.y_row + column] = sum;
}

template <class T> __device__ void multiply_matrices(const PlainProductArguments& p, const T* a, const T* b, T* y) {
  begin_kernel();
  for (uint32_t matrix = blockIdx.z; matrix < p.matrices; matrix += gridDim.z) multiply_tile(p, matrix, a, b, y);
}

}  // namespace

#define KILN_PLAIN(name, type)                                                                                     \
  extern "C" __global__ void __launch_bounds__(kPlainTile * kPlainTile)                                           \
      product_plain_##name(const __grid_constant__ PlainProductArguments p, const type* a, const type* b, type* y) { \
    multiply_matrices(p, a, b, y);                                                                                \
  }
KILN_PLAIN(u32, uint32_t)
KILN_PLAIN(u64, uint64_t)
KILN_PLAIN(f64, double)

}  // namespace kiln::cuda
