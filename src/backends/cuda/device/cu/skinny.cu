// Products of few rows, bound by reading the weights: a warp has a column, its lanes share the terms. The first weights are on their
// way before the inputs are there.
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/skinny.h"

namespace kiln::cuda {
namespace {

template <class T, int kRows> class Skinny {
 public:
  __device__ explicit Skinny(const SkinnyArguments& arguments) : a_(arguments) {
    column_ = blockIdx.x * kSkinnyWarps + threadIdx.x / 32;
    lane_ = threadIdx.x % 32;
    row0_ = blockIdx.y * kRows;
  }

  __device__ void run() {
    let_next_start();
    if (!a_.weights_are_constant) wait_for_inputs();
    uint4 weights[kAhead];
    load_weights(0, weights);
    wait_for_inputs();
    if (column_ >= a_.columns) return;
    float sums[kRows] = {};
    for (uint32_t word0 = 0;;) {
#pragma unroll
      for (int i = 0; i < kAhead; ++i) add(word0 + i * 32 + lane_, weights[i], sums);
      word0 += kAhead * 32;
      if (word0 >= a_.words) break;
      load_weights(word0, weights);
    }
    store(sums);
  }

 private:
  static constexpr int kLanes = 16 / sizeof(T);  // elements of a word
  static constexpr int kAhead = 4;               // words of a lane

  __device__ void load_weights(uint32_t word0, uint4 (&weights)[kAhead]) const {
    const auto* from = static_cast<const uint4*>(a_.weights) + int64_t{column_} * a_.words;
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const uint32_t word = word0 + i * 32 + lane_;
      weights[i] = {};
      if (column_ < a_.columns && word < a_.words) weights[i] = from[word];
    }
  }

  __device__ void add(uint32_t word, const uint4& weights, float (&sums)[kRows]) const {
    if (word >= a_.words) return;
    const auto w = load_run<T, kLanes>(reinterpret_cast<const T*>(&weights), true, kLanes);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row0_ + r >= a_.rows) continue;
      const T* from = static_cast<const T*>(a_.x) + (row0_ + r) * a_.from_row + word * kLanes;
      const auto x = load_run<T, kLanes>(from, a_.source_in_words, static_cast<int>(a_.terms - word * kLanes));
#pragma unroll
      for (int j = 0; j < kLanes; ++j) sums[r] += x.at[j] * w.at[j];
    }
  }

  // Lane r has the result of row r.
  __device__ void store(const float (&sums)[kRows]) const {
    Run<1> own = {};
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const float sum = combine_warp(sums[r], Sum());
      if (static_cast<int>(lane_) == r) own.at[0] = sum;
    }
    const uint32_t row = row0_ + lane_;
    if (lane_ >= kRows || row >= a_.rows) return;
    if (a_.epilogue.bias) own.at[0] += a_.epilogue.bias[column_];
    const auto* residual = static_cast<const T*>(a_.epilogue.residual);
    finish<T>(a_.epilogue, own, residual ? residual + row * a_.epilogue.residual_stride + column_ : nullptr,
              static_cast<T*>(a_.y) + row * a_.to_row + column_, {row, column_, 1});
  }

  const SkinnyArguments& a_;
  uint32_t column_, lane_, row0_;
};

}  // namespace

#define KILN_SKINNY_ROWS(name, type, rows)                                                                                         \
  extern "C" __global__ void __launch_bounds__(kSkinnyThreads) skinny_##name##_##rows(const __grid_constant__ SkinnyArguments a) { \
    Skinny<type, rows>(a).run();                                                                                                   \
  }
#define KILN_SKINNY(name, type)    \
  KILN_SKINNY_ROWS(name, type, 1) \
  KILN_SKINNY_ROWS(name, type, 8)
KILN_SKINNY(f16, __half)
KILN_SKINNY(bf16, __nv_bfloat16)
KILN_SKINNY(f32, float)

}  // namespace kiln::cuda
