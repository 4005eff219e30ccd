// LSTM, GRU and RNN, one step a launch: a warp makes all gates of one unit for a few sequences. Sums and states are float32. Weights may be
// bytes, (byte - zero point) * scale: the sums are scaled.
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/recurrent.h"

namespace kiln::cuda {
namespace {

__device__ float logistic(float x) { return 1 / (1 + expf(-x)); }

template <class W> __device__ float weight_of(W x) {
  if constexpr (sizeof(W) == 1) return x;
  else return to_float(x);
}

// W: of the weights.
template <class T, Cell kCell, class W = T> class CellStep {
 public:
  __device__ explicit CellStep(const CellArguments& arguments)
      : a_(arguments),
        direction_(blockIdx.z),
        unit_(blockIdx.x * (kCellThreads / 32) + threadIdx.x / 32),
        first_(blockIdx.y * kCellBatch),
        time_(direction_ == 1 || a_.reverse ? a_.steps - 1 - a_.step : a_.step) {}

  __device__ void run() const {
    if (unit_ >= a_.hidden) return;
    float from_x[kGates][kCellBatch] = {}, from_h[kGates][kCellBatch] = {};
    const W *w = static_cast<const W*>(a_.w) + int64_t{direction_} * kGates * a_.hidden * a_.input,
            *r = static_cast<const W*>(a_.r) + int64_t{direction_} * kGates * a_.hidden * a_.hidden;
    float w_zeros[kGates], r_zeros[kGates];
    zeros_of(a_.w_zero, w_zeros);
    zeros_of(a_.r_zero, r_zeros);
    const int lane = threadIdx.x % 32;
    for (int i = lane; i < a_.input; i += 32)
      add(from_x, w + i, w_zeros, a_.input, [&](int n) { return to_float(static_cast<const T*>(a_.x)[x_at(n) + i]); });
    for (int i = lane; i < a_.hidden; i += 32)
      add(from_h, r + i, r_zeros, a_.hidden, [&](int n) { return state(n, i); });
#pragma unroll
    for (int g = 0; g < kGates; ++g)
#pragma unroll
      for (int n = 0; n < kCellBatch; ++n) {
        from_x[g][n] = combine_warp(from_x[g][n], Sum());
        from_h[g][n] = combine_warp(from_h[g][n], Sum());
      }
#pragma unroll
    for (int n = 0; n < kCellBatch; ++n) {
      if (lane != n || first_ + n >= a_.batch) continue;
      float x[kGates], h[kGates];
#pragma unroll
      for (int g = 0; g < kGates; ++g) {
        x[g] = scaled(from_x[g][n], a_.w_scale, g) + bias(g);
        h[g] = scaled(from_h[g][n], a_.r_scale, g) + bias(kGates + g);
      }
      store(n, next(n, x, h));
    }
  }

 private:
  static constexpr int kGates = kCell == Cell::kLstm ? 4 : kCell == Cell::kGru ? 3 : 1;
  static constexpr bool kBytes = sizeof(W) == 1;

  // Which row of the weights of all directions a gate has.
  __device__ int64_t row_of(int gate) const { return (int64_t{direction_} * kGates + gate) * a_.hidden + unit_; }
  __device__ void zeros_of(const void* given, float (&zeros)[kGates]) const {
#pragma unroll
    for (int g = 0; g < kGates; ++g) zeros[g] = kBytes && given ? weight_of(static_cast<const W*>(given)[row_of(g)]) : 0.0f;
  }
  __device__ float scaled(float sum, const float* scales, int gate) const {
    if constexpr (kBytes) return sum * scales[row_of(gate)];
    else return sum;
  }

  // Adds one term to each gate of each sequence.
  template <class Value>
  __device__ void add(float (&sums)[kGates][kCellBatch], const W* weights, const float (&zeros)[kGates], int width,
                      const Value& value) const {
    float values[kCellBatch];
#pragma unroll
    for (int n = 0; n < kCellBatch; ++n) values[n] = first_ + n < a_.batch ? value(n) : 0.0f;
#pragma unroll
    for (int g = 0; g < kGates; ++g) {
      float weight = weight_of(weights[(int64_t{g} * a_.hidden + unit_) * width]);
      if constexpr (kBytes) weight -= zeros[g];
#pragma unroll
      for (int n = 0; n < kCellBatch; ++n) sums[g][n] += weight * values[n];
    }
  }

  __device__ int64_t x_at(int n) const {
    const int64_t sequence = first_ + n;
    return (a_.batch_first ? sequence * a_.steps + time_ : int64_t{time_} * a_.batch + sequence) * a_.input;
  }
  // In the workspace, and in what the user gives and takes.
  __device__ int64_t kept_at(int n, int unit) const {
    return (int64_t{direction_} * a_.batch + first_ + n) * a_.hidden + unit;
  }
  __device__ int64_t given_at(int n, int unit) const {
    const int64_t sequence = first_ + n;
    return (a_.batch_first ? sequence * a_.directions + direction_ : int64_t{direction_} * a_.batch + sequence) * a_.hidden + unit;
  }
  __device__ float given(const void* from, int n, int unit) const {
    return from ? to_float(static_cast<const T*>(from)[given_at(n, unit)]) : 0.0f;
  }
  __device__ float state(int n, int unit) const {
    return a_.step == 0 ? given(a_.initial_h, n, unit) : a_.from_h[kept_at(n, unit)];
  }
  __device__ float bias(int row) const {
    const auto* b = static_cast<const T*>(a_.b);
    return b ? to_float(b[(int64_t{direction_} * 2 * kGates + row) * a_.hidden + unit_]) : 0.0f;
  }

  __device__ float next(int n, const float (&x)[kGates], const float (&h)[kGates]) const {
    if constexpr (kCell == Cell::kLstm) {
      float& kept = a_.c[kept_at(n, unit_)];
      const float before = a_.step == 0 ? given(a_.initial_c, n, unit_) : kept;
      const float c = logistic(x[2] + h[2]) * before + logistic(x[0] + h[0]) * tanhf(x[3] + h[3]);
      kept = c;
      if (a_.y_c && a_.step + 1 == a_.steps) static_cast<T*>(a_.y_c)[given_at(n, unit_)] = from_float<T>(c);
      return logistic(x[1] + h[1]) * tanhf(c);
    } else if constexpr (kCell == Cell::kGru) {
      const float update = logistic(x[0] + h[0]), reset = logistic(x[1] + h[1]);
      return (1 - update) * tanhf(x[2] + reset * h[2]) + update * state(n, unit_);
    } else {
      const float sum = x[0] + h[0];
      return kCell == Cell::kTanh ? tanhf(sum) : sum < 0 ? 0.0f : sum;
    }
  }

  __device__ void store(int n, float h) const {
    a_.to_h[kept_at(n, unit_)] = h;
    const int64_t sequence = first_ + n, batch = a_.batch;
    const int64_t at = a_.batch_first ? (sequence * a_.steps + time_) * a_.directions + direction_
                                      : (int64_t{time_} * a_.directions + direction_) * batch + sequence;
    if (a_.y) static_cast<T*>(a_.y)[at * a_.hidden + unit_] = from_float<T>(h);
    if (a_.y_h && a_.step + 1 == a_.steps) static_cast<T*>(a_.y_h)[given_at(n, unit_)] = from_float<T>(h);
  }

  const CellArguments& a_;
  const int direction_, unit_, first_, time_;
};

}  // namespace

#define KILN_CELL(name, type, cell, kind)                                                                  \
  extern "C" __global__ void __launch_bounds__(kCellThreads)                                              \
      recurrent_##cell##_##name(const __grid_constant__ CellArguments a) {                                \
    begin_kernel();                                                                                       \
    CellStep<type, kind>(a).run();                                                                        \
  }
#define KILN_CELLS(name, type)                     \
  KILN_CELL(name, type, lstm, Cell::kLstm)        \
  KILN_CELL(name, type, gru, Cell::kGru)          \
  KILN_CELL(name, type, tanh, Cell::kTanh)        \
  KILN_CELL(name, type, relu, Cell::kRelu)
#define KILN_BYTE_CELL(name, type, cell, kind)                                                             \
  extern "C" __global__ void __launch_bounds__(kCellThreads)                                              \
      recurrent_##cell##_##name(const __grid_constant__ CellArguments a) {                                \
    begin_kernel();                                                                                       \
    CellStep<float, kind, type>(a).run();                                                                 \
  }
#define KILN_BYTE_CELLS(name, type)                \
  KILN_BYTE_CELL(name, type, lstm, Cell::kLstm)   \
  KILN_BYTE_CELL(name, type, gru, Cell::kGru)
KILN_BYTE_CELLS(i8, int8_t)
KILN_BYTE_CELLS(u8, uint8_t)
KILN_CELLS(f16, __half)
KILN_CELLS(bf16, __nv_bfloat16)
KILN_CELLS(f32, float)

}  // namespace kiln::cuda
