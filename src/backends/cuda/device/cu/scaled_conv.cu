// 1x1 convolutions of images times a factor for each channel of each image, for few output channels. A block of each multiprocessor
// holds all weights, its warps go from rows to rows: a lane reads eight adjacent channels of a pixel straight into registers, some runs ahead,
// and multiplies them by their factors there. The order of terms is that of the lanes, for both operands.
#include "backends/cuda/device/cu/conv.h"
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/scaled_conv.h"
#include "backends/cuda/device/cu/tensor_core.cuh"

namespace kiln::cuda {
namespace {

#if __CUDA_ARCH__ >= 800

__device__ inline uint32_t product_of_pairs(uint32_t a, uint32_t b, MathF16) {
  uint32_t r;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
  return r;
}
__device__ inline uint32_t product_of_pairs(uint32_t a, uint32_t b, MathBF16) {
  __nv_bfloat162 x, y;
  memcpy(&x, &a, sizeof a);
  memcpy(&y, &b, sizeof b);
  x = __hmul2(x, y);
  memcpy(&a, &x, sizeof a);
  return a;
}

template <class Math, int kSquares, int kRuns> class ScaledRows {
 public:
  __device__ ScaledRows(const ScaledConvArguments& arguments, char* shared)
      : a_(arguments), weights_(shared), row_bytes_(scaled_row_bytes(a_.term_runs)), lane_term_(threadIdx.x % 4 * kLanes) {}

  __device__ void run() {
    let_next_start();
    if (!a_.weights_are_constant) wait_for_inputs();
    copy_weights();
    wait_for_inputs();
    wait_for_copies<0>();
    __syncthreads();
    const uint32_t step = gridDim.x * kWarps * kRows;
    uint32_t row = (blockIdx.x * kWarps + threadIdx.x / 32) * kRows + threadIdx.x % 32 / 4;
    const uint32_t end = a_.pixels + threadIdx.x % 32 / 4;  // for all lanes of a warp alike
    Word ahead[kAhead][kSquares][2];
    if (row < end) {
#pragma unroll
      for (int i = 0; i < kAhead; ++i) fetch(row, i, ahead[i]);
    }
    for (; row < end; row += step) {
      float sums[kSquares][kRuns * 4][4] = {};
      multiply_rows(row, step, ahead, sums);
      finish_rows(row, sums);
    }
  }

 private:
  using T = typename Math::Element;
  static constexpr int kLanes = 8, kWarps = kScaledThreads / 32, kRows = kSquares * 16, kAhead = kScaledWords / kSquares;
  using Word = Pack<T, kLanes>;
  struct Pairs {
    uint32_t at[4];
  };
  __device__ static Pairs pairs_of(const Word& word) {
    Pairs p;
    memcpy(&p, &word, sizeof p);
    return p;
  }

  __device__ void copy_weights() const {
    const uint32_t lane = threadIdx.x % 32, to = shared_address(weights_);
    for (uint32_t row = threadIdx.x / 32; row < kRuns * kScaledRun; row += kWarps) {
      const uint32_t column = channel_of_row(row);
      for (uint32_t piece = lane; piece < a_.term_runs * 4; piece += 32) {
        const bool wanted = column < a_.columns && piece * kLanes < a_.terms;
        copy_piece(to + row * row_bytes_ + piece * kPieceBytes,
                   static_cast<const T*>(a_.weights) + (wanted ? int64_t{column} * a_.terms + piece * kLanes : 0), wanted);
      }
    }
    commit_copies();
  }

  // The lane's words of run `run` in all squares of 16 rows.
  __device__ void fetch(uint32_t row, uint32_t run, Word (&to)[kSquares][2]) const {
    const uint32_t term = run * kScaledRun + lane_term_;
    const T* from = static_cast<const T*>(a_.x) + row * a_.from_pixel + term;
#pragma unroll
    for (int i = 0; i < kSquares * 2; ++i, row += 8, from += 8 * a_.from_pixel)
      to[i / 2][i % 2] = load_if<T, kLanes>(from, row < a_.pixels && term < a_.terms);
  }

  __device__ void multiply_rows(uint32_t row, uint32_t step, Word (&ahead)[kAhead][kSquares][2],
                                float (&sums)[kSquares][kRuns * 4][4]) const {
    const T* factors[kSquares][2];
#pragma unroll
    for (int s = 0; s < kSquares; ++s)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        factors[s][half] = static_cast<const T*>(a_.factors) +
                           a_.image.quotient(min(row + s * 16 + half * 8, a_.pixels - 1)) * a_.from_factors;
    for (uint32_t first = 0; first < a_.term_runs; first += kAhead) {
      const bool last = first + kAhead >= a_.term_runs;
      const uint32_t next_row = last ? row + step : row, next = last ? 0 : first + kAhead;
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        Pairs left[kSquares][2];
#pragma unroll
        for (int s = 0; s < kSquares; ++s)
#pragma unroll
          for (int half = 0; half < 2; ++half) left[s][half] = scaled(ahead[i][s][half], factors[s][half], first + i);
        fetch(next_row, next + i, ahead[i]);
        if (first + i < a_.term_runs) multiply_run(left, first + i, sums);
      }
    }
  }

  __device__ Pairs scaled(const Word& word, const T* factors, uint32_t run) const {
    const uint32_t term = run * kScaledRun + lane_term_;
    Pairs x = pairs_of(word);
    const Pairs factor = pairs_of(load_if<T, kLanes>(factors + term, term < a_.terms));
#pragma unroll
    for (int i = 0; i < 4; ++i) x.at[i] = product_of_pairs(x.at[i], factor.at[i], Math());
    return x;
  }

  __device__ void multiply_run(const Pairs (&left)[kSquares][2], uint32_t run, float (&sums)[kSquares][kRuns * 4][4]) const {
    const char* from = weights_ + threadIdx.x % 32 / 4 * row_bytes_ + (run * kScaledRun + lane_term_) * sizeof(T);
#pragma unroll
    for (int i = 0; i < kRuns * 4; ++i, from += 8 * row_bytes_) {
      const auto right = pairs_of(*reinterpret_cast<const Word*>(from));
#pragma unroll
      for (int s = 0; s < kSquares; ++s)
#pragma unroll
        for (int j = 0; j < 4; j += 2) {
          const uint32_t a[4] = {left[s][0].at[j], left[s][1].at[j], left[s][0].at[j + 1], left[s][1].at[j + 1]};
          multiply<Math>(sums[s][i], a, right.at[j], right.at[j + 1]);
        }
    }
  }

  // What is asked once for some rows is not asked for each run of results.
  __device__ void finish_rows(uint32_t row, const float (&sums)[kSquares][kRuns * 4][4]) const {
    const EpilogueArguments& e = a_.epilogue;
    if (e.activation == Activation::kNone) finish_by(row, sums, [](const Eight& v) { return v; });
    else finish_by(row, sums, [&](const Eight& v) { return activated(e.activation, e.alpha, e.beta, v); });
  }
  template <class Activate>
  __device__ void finish_by(uint32_t row, const float (&sums)[kSquares][kRuns * 4][4], Activate activate) const {
    const EpilogueArguments& e = a_.epilogue;
#pragma unroll
    for (int run = 0; run < kRuns; ++run) {
      const uint32_t column = run * kScaledRun + lane_term_;
      if (column >= a_.columns) continue;
      const int columns = static_cast<int>(a_.columns - column);
      Eight bias = {};
      if (e.bias) bias = load_run<float, 8>(e.bias + column, false, columns);
#pragma unroll
      for (int s = 0; s < kSquares; ++s) {
        Eight add[2] = {};
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const uint32_t pixel = row + s * 16 + half * 8;
          if (e.residual && pixel < a_.pixels)
            add[half] = load_run<T, 8>(static_cast<const T*>(e.residual) + pixel * e.residual_stride + column, e.in_words, columns);
        }
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const uint32_t pixel = row + s * 16 + half * 8;
          if (pixel >= a_.pixels) continue;
          Eight v;
#pragma unroll
          for (int j = 0; j < 8; ++j) v.at[j] = sums[s][run * 4 + j / 2][half * 2 + j % 2] + bias.at[j];
          store_run(static_cast<T*>(a_.y) + pixel * a_.to_pixel + column, with_epilogue(e, v, add[half], activate), e.in_words, columns);
        }
      }
    }
  }

  const ScaledConvArguments& a_;
  char* weights_;
  uint32_t row_bytes_;
  uint32_t lane_term_;  // of a run: the lane's first; also its first column
};

#endif

}  // namespace

#if __CUDA_ARCH__ >= 800
#define KILN_SCALED_TILE(name, math, squares, runs)                                                      \
  extern "C" __global__ void __launch_bounds__(kScaledThreads, 1)                                        \
      scaled_conv_##name##_##squares##_##runs(const __grid_constant__ ScaledConvArguments a) {           \
    extern __shared__ __align__(128) char shared[];                                                      \
    ScaledRows<math, squares, runs>(a, shared).run();                                                    \
  }
#define KILN_SCALED_CONV(name, math)    \
  KILN_SCALED_TILE(name, math, 1, 1)    \
  KILN_SCALED_TILE(name, math, 1, 2)    \
  KILN_SCALED_TILE(name, math, 1, 3)    \
  KILN_SCALED_TILE(name, math, 1, 4)    \
  KILN_SCALED_TILE(name, math, 2, 1)    \
  KILN_SCALED_TILE(name, math, 2, 2)    \
  KILN_SCALED_TILE(name, math, 4, 1)
KILN_SCALED_CONV(f16, MathF16)
KILN_SCALED_CONV(bf16, MathBF16)
#endif

}  // namespace kiln::cuda
