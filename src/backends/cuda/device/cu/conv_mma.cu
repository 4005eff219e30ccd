// Convolutions and products on tensor cores by mma.sync, of floats.
#include "backends/cuda/device/cu/conv_mma.cuh"
#include "backends/cuda/device/cu/epilogue.cuh"

namespace kiln::cuda {
namespace {

struct Finish {
  template <class Tile>
  __device__ void operator()(const Tile& t, const float (&sums)[Tile::kRowSquares][Tile::kColumnSquares][4]) const {
    using T = typename Tile::T;
    const ConvMmaArguments& a = t.a;
    const int lane = threadIdx.x % 32;
    const int64_t group = int64_t{blockIdx.y} * a.g.columns;
    const T* residual = static_cast<const T*>(a.epilogue.residual);
    T* y = static_cast<T*>(a.y);
#pragma unroll
    for (int g = 0; g < Tile::kColumnSquares / 4; ++g) {
      const uint32_t column = t.column0 + t.warp_column() + g * 32 + lane % 4 * 8;
      if (column >= a.g.columns) continue;
      const int columns = static_cast<int>(a.g.columns - column);
      float bias[8] = {};
      if (a.epilogue.bias) {
#pragma unroll
        for (int j = 0; j < 8; ++j)
          if (j < columns) bias[j] = a.epilogue.bias[group + column + j];
      }
#pragma unroll
      for (int i = 0; i < Tile::kRowSquares; ++i)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const uint32_t pixel = t.row0 + t.warp_row() + i * 16 + half * 8 + lane / 4;
          if (pixel >= a.g.pixels) continue;
          Eight v;
#pragma unroll
          for (int j = 0; j < 8; ++j) v.at[j] = sums[i][g * 4 + j / 2][half * 2 + j % 2] + bias[j];
          finish<T>(a.epilogue, v, residual ? residual + pixel * a.epilogue.residual_stride + group + column : nullptr,
                    y + pixel * a.g.to_pixel + group + column, {pixel, static_cast<uint32_t>(group) + column, columns});
        }
    }
  }
};

template <class Math, int kTile> __device__ void conv_mma(const ConvMmaArguments& a) {
  extern __shared__ __align__(128) char shared[];
  ConvTile<Math, kTile, ConvMmaArguments>(a, shared).run(Finish());
}

template <class T> __device__ void pad_channels(const PadChannelsArguments& a, const T* x, T* y) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kPadThreads + threadIdx.x;
  const uint32_t pixel = a.padded.quotient(index), channel = index - pixel * a.padded.divisor;
  if (pixel >= a.pixels.count) return;
  int64_t at[1];
  a.pixels.offsets(pixel, at);
  y[index] = channel < a.channels ? x[at[0] + channel * a.channel_stride] : T{};
}

}  // namespace

#define KILN_CONV_TILE(name, math, tile)                                                                   \
  extern "C" __global__ void __launch_bounds__(kMmaTiles[tile].threads())                                 \
      conv_mma_##name##_##tile(const __grid_constant__ ConvMmaArguments a) {                              \
    conv_mma<math, tile>(a);                                                                              \
  }
#define KILN_CONV(name, math)    \
  KILN_CONV_TILE(name, math, 0)  \
  KILN_CONV_TILE(name, math, 1)  \
  KILN_CONV_TILE(name, math, 2)  \
  KILN_CONV_TILE(name, math, 3)  \
  KILN_CONV_TILE(name, math, 4)
KILN_CONV(f16, MathF16)
KILN_CONV(bf16, MathBF16)
KILN_CONV(f32, MathF32)
KILN_CONV(tf32, MathTF32)

extern "C" __global__ void __launch_bounds__(kPadThreads)
    pad_channels_1(const __grid_constant__ PadChannelsArguments a, const uint8_t* x, uint8_t* y) {
  pad_channels(a, x, y);
}
extern "C" __global__ void __launch_bounds__(kPadThreads)
    pad_channels_2(const __grid_constant__ PadChannelsArguments a, const uint16_t* x, uint16_t* y) {
  pad_channels(a, x, y);
}
extern "C" __global__ void __launch_bounds__(kPadThreads)
    pad_channels_4(const __grid_constant__ PadChannelsArguments a, const uint32_t* x, uint32_t* y) {
  pad_channels(a, x, y);
}

}  // namespace kiln::cuda
