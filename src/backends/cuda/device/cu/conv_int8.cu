// Convolutions and products of bytes on tensor cores by mma.sync, with exact sums and the steps behind them.
#include "backends/cuda/device/cu/conv_mma.cuh"
#include "backends/cuda/device/cu/sums.cuh"

namespace kiln::cuda {
namespace {

// Results of a thread at a time: more stay in registers no longer than their steps take.
constexpr int kRowsAtOnce = 4;

struct FinishSums {
  template <class Tile>
  __device__ void operator()(const Tile& t, const int32_t (&sums)[Tile::kRowSquares][Tile::kColumnSquares][4]) const {
    const ConvInt8Arguments& a = t.a;
    const int lane = threadIdx.x % 32;
    constexpr int kRows = Tile::kRowSquares * 2, kAtOnce = kRows < kRowsAtOnce ? kRows : kRowsAtOnce;
    static_assert(kRows % kAtOnce == 0);
#pragma unroll
    for (int g = 0; g < Tile::kColumnSquares / 4; ++g) {
      const uint32_t column = t.column0 + t.warp_column() + g * 32 + lane % 4 * 8;
      if (column >= a.g.columns) continue;
#pragma unroll
      for (int first = 0; first < kRows; first += kAtOnce) {
        SumPlace<kAtOnce> at;
        int32_t run[kAtOnce][8];
        at.column = blockIdx.y * a.g.columns + column;
        at.columns = static_cast<int>(a.g.columns - column);
#pragma unroll
        for (int r = 0; r < kAtOnce; ++r) {
          const int i = (first + r) / 2, half = (first + r) % 2;
          const uint32_t pixel = t.row0 + t.warp_row() + i * 16 + half * 8 + lane / 4;
          at.stored[r] = pixel < a.g.pixels;
          at.pixel[r] = at.stored[r] ? pixel : a.g.pixels - 1;
#pragma unroll
          for (int j = 0; j < 8; ++j) run[r][j] = sums[i][g * 4 + j / 2][half * 2 + j % 2];
        }
        finish_sums(a.sums, at, run, a.y, a.g.to_pixel);
      }
    }
  }
};

template <class Math, int kTile> __device__ void conv_int8(const ConvInt8Arguments& a) {
  extern __shared__ __align__(128) char shared[];
  ConvTile<Math, kTile, ConvInt8Arguments>(a, shared).run(FinishSums());
}

}  // namespace

#define KILN_CONV_INT8_TILE(name, math, tile)                                                             \
  extern "C" __global__ void __launch_bounds__(kMmaTiles[tile].threads())                                 \
      conv_int8_##name##_##tile(const __grid_constant__ ConvInt8Arguments a) {                            \
    conv_int8<math, tile>(a);                                                                             \
  }
#define KILN_CONV_INT8(name, math)    \
  KILN_CONV_INT8_TILE(name, math, 0)  \
  KILN_CONV_INT8_TILE(name, math, 1)  \
  KILN_CONV_INT8_TILE(name, math, 2)  \
  KILN_CONV_INT8_TILE(name, math, 3)  \
  KILN_CONV_INT8_TILE(name, math, 4)
KILN_CONV_INT8(i8, MathS8)
KILN_CONV_INT8(u8, MathU8)

}  // namespace kiln::cuda
