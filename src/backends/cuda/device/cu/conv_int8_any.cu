// Convolutions of bytes without tensor cores: a thread has a run of eight columns of a pixel.
#include "backends/cuda/device/cu/conv_int8_any.h"
#include "backends/cuda/device/cu/sums.cuh"

namespace kiln::cuda {
namespace {

// How the columns of a run share channels: all have the same ones, each has its own and nothing else, or groups come as they may.
enum class Groups { kOne, kDepthwise, kAny };

struct Whole {
  int32_t at[kByteRun];
};

// Numbers that a pixel has for the columns of a run.
template <Groups kGroups, class T> struct Source {
  const ConvInt8AnyArguments& a;
  uint32_t column;
  int64_t offset[kByteRun];  // kAny: of the first channel of each column's group

  __device__ Source(const ConvInt8AnyArguments& arguments, uint32_t first) : a(arguments), column(first) {
    if constexpr (kGroups == Groups::kAny) {
#pragma unroll
      for (uint32_t j = 0; j < kByteRun; ++j)
        offset[j] = a.group_columns.quotient(min(column + j, a.columns - 1)) * int64_t{a.g.channels} * a.from_channel;
    }
  }

  __device__ Whole at(const T* pixel, uint32_t channel) const {
    Whole v;
    if (kGroups == Groups::kDepthwise && a.x_in_words) {
      const auto bytes = *reinterpret_cast<const Pack<T, kByteRun>*>(pixel + column);
#pragma unroll
      for (int j = 0; j < kByteRun; ++j) v.at[j] = bytes.at[j];
      return v;
    }
#pragma unroll
    for (uint32_t j = 0; j < kByteRun; ++j) {
      int64_t own = channel * a.from_channel;
      if (kGroups == Groups::kAny) own += offset[j];
      if (kGroups == Groups::kDepthwise) own = min(column + j, a.columns - 1) * a.from_channel;
      v.at[j] = pixel[own];
    }
    return v;
  }
};

template <Groups kGroups, class T> __device__ void conv_int8_any(const ConvInt8AnyArguments& a) {
  begin_kernel();
  const uint32_t index = blockIdx.x * kByteThreads + threadIdx.x;
  if (index >= a.threads) return;
  const uint32_t pixel = a.runs.quotient(index), column = (index - pixel * a.runs.divisor) * kByteRun;
  const uint32_t batch = a.g.out_plane.quotient(pixel), rest = pixel - batch * a.g.out_plane.divisor;
  const uint32_t row = a.g.out_width.quotient(rest), across = rest - row * a.g.out_width.divisor;
  const int32_t top = static_cast<int32_t>(row) * a.g.stride_h - a.g.top, left = static_cast<int32_t>(across) * a.g.stride_w - a.g.left;
  const T* image = static_cast<const T*>(a.x) + batch * a.g.from_batch;
  const Source<kGroups, T> source(a, column);
  const int16_t* weights = a.weights + column;
  const int32_t zero = x_zero_of(a.sums);
  int32_t sums[1][kByteRun] = {};
  for (uint32_t r = 0; r < a.g.taps_h; ++r)
    for (uint32_t s = 0; s < a.g.taps_w; ++s) {
      const int32_t h = top + static_cast<int32_t>(r) * a.g.dilation_h, w = left + static_cast<int32_t>(s) * a.g.dilation_w;
      const bool inside =
          static_cast<uint32_t>(h) < static_cast<uint32_t>(a.g.height) && static_cast<uint32_t>(w) < static_cast<uint32_t>(a.g.width);
      const T* from = image + h * a.g.from_row + w * a.g.from_pixel;
      for (uint32_t c = 0; c < a.g.channels; ++c, weights += a.padded_columns) {
        const auto factors = *reinterpret_cast<const Pack<int16_t, kByteRun>*>(weights);
        Whole v;
        if (inside) {
          v = source.at(from, c);
        } else {
#pragma unroll
          for (int j = 0; j < kByteRun; ++j) v.at[j] = zero;
        }
#pragma unroll
        for (int j = 0; j < kByteRun; ++j) sums[0][j] += v.at[j] * factors.at[j];
      }
    }
  finish_sums<1>(a.sums, {{pixel}, {true}, column, static_cast<int>(a.columns - column)}, sums, a.y, a.g.to_pixel);
}

}  // namespace

#define KILN_CONV_INT8_ANY(groups, way, name, type)                                                                    \
  extern "C" __global__ void __launch_bounds__(kByteThreads)                                                           \
      conv_int8_any_##groups##_##name(const __grid_constant__ ConvInt8AnyArguments a) {                                \
    conv_int8_any<Groups::way, type>(a);                                                                               \
  }
KILN_CONV_INT8_ANY(one, kOne, i8, int8_t)
KILN_CONV_INT8_ANY(one, kOne, u8, uint8_t)
KILN_CONV_INT8_ANY(depthwise, kDepthwise, i8, int8_t)
KILN_CONV_INT8_ANY(depthwise, kDepthwise, u8, uint8_t)
KILN_CONV_INT8_ANY(any, kAny, i8, int8_t)
KILN_CONV_INT8_ANY(any, kAny, u8, uint8_t)

}  // namespace kiln::cuda
