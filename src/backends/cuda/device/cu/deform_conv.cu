// Convolutions whose taps are moved: a block samples a few terms for its places into shared memory, and multiplies them by their weights.
#include "backends/cuda/device/cu/deform_conv.h"

#include "backends/cuda/device/cu/common.cuh"

namespace kiln::cuda {
namespace {

template <class T> class DeformTile {
 public:
  __device__ explicit DeformTile(const DeformArguments& arguments) : a_(arguments) {
    group_ = a_.column_tiles.quotient(blockIdx.y);
    column0_ = (blockIdx.y - group_ * a_.column_tiles.divisor) * kDeformColumns;
    place0_ = blockIdx.x * kDeformPlaces;
  }

  __device__ void run() const {
    begin_kernel();
    __shared__ float samples[kDeformTerms][kDeformPlaces], weights[kDeformTerms][kDeformColumns + 1];
    float sums[kSide][kSide] = {};
    for (uint32_t term0 = 0; term0 < a_.terms; term0 += kDeformTerms) {
      __syncthreads();
      for (int i = threadIdx.x; i < kDeformTerms * kDeformPlaces; i += kDeformThreads)
        samples[i / kDeformPlaces][i % kDeformPlaces] = sample_of(term0 + i / kDeformPlaces, place0_ + i % kDeformPlaces);
      for (int i = threadIdx.x; i < kDeformTerms * kDeformColumns; i += kDeformThreads)
        weights[i % kDeformTerms][i / kDeformTerms] = weight_of(column0_ + i / kDeformTerms, term0 + i % kDeformTerms);
      __syncthreads();
#pragma unroll
      for (int t = 0; t < kDeformTerms; ++t)
#pragma unroll
        for (int c = 0; c < kSide; ++c)
#pragma unroll
          for (int p = 0; p < kSide; ++p) sums[c][p] += weights[t][column_of(c)] * samples[t][place_of(p)];
    }
    store(sums);
  }

 private:
  static constexpr int kSide = 4;  // columns and places of a thread
  static_assert(kDeformPlaces == kSide * 16 && kDeformColumns == kSide * 16 && kDeformThreads == 256);

  __device__ static int place_of(int i) { return threadIdx.x % 16 + i * 16; }
  __device__ static int column_of(int i) { return threadIdx.x / 16 + i * 16; }

  __device__ float weight_of(uint32_t column, uint32_t term) const {
    if (column >= a_.columns || term >= a_.terms) return 0;
    return to_float(static_cast<const T*>(a_.w)[(int64_t{group_} * a_.columns + column) * a_.terms + term]);
  }

  __device__ float sample_of(uint32_t term, uint32_t place) const {
    if (term >= a_.terms || place >= a_.places) return 0;
    const uint32_t own_channel = a_.taps.quotient(term), tap = term - own_channel * a_.taps.divisor;
    const uint32_t channel = group_ * a_.channels + own_channel;
    const uint32_t tap_h = a_.taps_w.quotient(tap), tap_w = tap - tap_h * a_.taps_w.divisor;
    const uint32_t row = a_.out_width.quotient(place), column = place - row * a_.out_width.divisor;
    const int64_t moved = (int64_t{blockIdx.z} * a_.offset_groups + a_.offset_channels.quotient(channel)) * a_.taps.divisor + tap;
    const T* offset = static_cast<const T*>(a_.offset) + moved * 2 * a_.places + place;
    const float y = static_cast<float>(static_cast<int>(row) * a_.stride_h - a_.top + static_cast<int>(tap_h) * a_.dilation_h) + to_float(offset[0]);
    const float x =
        static_cast<float>(static_cast<int>(column) * a_.stride_w - a_.left + static_cast<int>(tap_w) * a_.dilation_w) + to_float(offset[a_.places]);
    const T* plane = static_cast<const T*>(a_.x) + (int64_t{blockIdx.z} * a_.groups * a_.channels + channel) * a_.height * a_.width;
    const float sample = between(plane, y, x);
    return a_.mask ? sample * to_float(static_cast<const T*>(a_.mask)[moved * a_.places + place]) : sample;
  }

  // Bilinear; pixels outside are zeros.
  __device__ float between(const T* plane, float y, float x) const {
    if (!(y > -1 && y < static_cast<float>(a_.height) && x > -1 && x < static_cast<float>(a_.width))) return 0;
    const int top = static_cast<int>(floorf(y)), left = static_cast<int>(floorf(x));
    const float down = y - static_cast<float>(top), right = x - static_cast<float>(left);
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = top + i / 2, column = left + i % 2;
      if (row < 0 || row >= a_.height || column < 0 || column >= a_.width) continue;
      sum += (i / 2 ? down : 1 - down) * (i % 2 ? right : 1 - right) * to_float(plane[int64_t{row} * a_.width + column]);
    }
    return sum;
  }

  __device__ void store(const float (&sums)[kSide][kSide]) const {
#pragma unroll
    for (int c = 0; c < kSide; ++c) {
      if (column0_ + column_of(c) >= a_.columns) continue;
      const uint32_t column = group_ * a_.columns + column0_ + column_of(c);
      const float bias = a_.bias ? to_float(static_cast<const T*>(a_.bias)[column]) : 0;
      T* to = static_cast<T*>(a_.y) + (int64_t{blockIdx.z} * a_.groups * a_.columns + column) * a_.places;
#pragma unroll
      for (int p = 0; p < kSide; ++p)
        if (place0_ + place_of(p) < a_.places) to[place0_ + place_of(p)] = from_float<T>(sums[c][p] + bias);
    }
  }

  const DeformArguments& a_;
  uint32_t group_, column0_, place0_;
};

}  // namespace

#define KILN_DEFORM(name, type)                                                                                               \
  extern "C" __global__ void __launch_bounds__(kDeformThreads) deform_conv_##name(const __grid_constant__ DeformArguments a) { \
    DeformTile<type>(a).run();                                                                                                \
  }
KILN_DEFORM(f16, __half)
KILN_DEFORM(bf16, __nv_bfloat16)
KILN_DEFORM(f32, float)

}  // namespace kiln::cuda
