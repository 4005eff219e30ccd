// LSTM, GRU and RNN, one step a launch: a warp makes all gates of one unit for a few sequences. Sums and states are float32. Weights may be
// bytes, (byte - zero point) * scale: the sums are scaled. The inputs may have been multiplied already.
#include "backends/cuda/device/cu/recurrent.cuh"

namespace kiln::cuda {
namespace {

// What a launch makes: a step, or one of the two parts of one.
enum class Part { kLstm, kGru, kRnn, kGates /* of a GRU: update and reset */, kCandidate };

template <class W> __device__ float weight_of(W x) {
  if constexpr (sizeof(W) == 1) return x;
  else return to_float(x);
}

// W: of the weights.
template <class T, Part kPart, class W = T> class CellStep {
 public:
  __device__ explicit CellStep(const StepArguments& arguments)
      : a_(arguments),
        layer_(arguments.layer),
        direction_(blockIdx.z),
        unit_(blockIdx.x * (kCellThreads / 32) + threadIdx.x / 32),
        first_(blockIdx.y * kCellBatch),
        places_(layer_, direction_) {}

  __device__ void run() const {
    if (unit_ >= layer_.hidden) return;
    float from_x[kGates][kCellBatch] = {}, from_h[kGates][kCellBatch] = {};
    const W *w = static_cast<const W*>(a_.w), *r = static_cast<const W*>(a_.r);
    float zeros[kGates];
    const int lane = threadIdx.x % 32;
    if (w) {
      zeros_of(a_.w_zero, zeros);
      int64_t rows[kCellBatch];
#pragma unroll
      for (int n = 0; n < kCellBatch; ++n) rows[n] = is_live(n) ? x_row(n) * a_.input : -1;
      for (int i = lane; i < a_.input; i += 32)
        add(from_x, w + row_of(0) * a_.input + i, zeros, a_.input,
            [&](int n) { return rows[n] < 0 ? 0.0f : to_float(static_cast<const T*>(layer_.x)[rows[n] + i]); });
    }
    zeros_of(a_.r_zero, zeros);
    for (int i = lane; i < layer_.hidden; i += 32)
      add(from_h, r + row_of(0) * layer_.hidden + i, zeros, layer_.hidden,
          [&](int n) { return first_ + n < layer_.batch ? multiplied(n, i) : 0.0f; });
#pragma unroll
    for (int g = 0; g < kGates; ++g)
#pragma unroll
      for (int n = 0; n < kCellBatch; ++n) {
        from_x[g][n] = combine_warp(from_x[g][n], Sum());
        from_h[g][n] = combine_warp(from_h[g][n], Sum());
      }
#pragma unroll
    for (int n = 0; n < kCellBatch; ++n) {
      if (lane != n || first_ + n >= layer_.batch) continue;
      float x[kGates] = {}, h[kGates];
#pragma unroll
      for (int g = 0; g < kGates; ++g) {
        if (w) x[g] = scaled(from_x[g][n], a_.w_scale, g);
        else if (is_live(n)) x[g] = product(n, g);
        x[g] += places_.bias(kRows, kFirst + g, unit_);
        h[g] = scaled(from_h[g][n], a_.r_scale, g) + places_.bias(kRows, kRows + kFirst + g, unit_);
      }
      finish(n, x, h);
    }
  }

 private:
  static constexpr int kRows = kPart == Part::kLstm ? 4 : kPart == Part::kRnn ? 1 : 3;  // gates of the cell
  static constexpr int kFirst = kPart == Part::kCandidate ? 2 : 0;                     // gates of the launch
  static constexpr int kGates = kPart == Part::kGates ? 2 : kPart == Part::kCandidate ? 1 : kRows;
  static constexpr bool kBytes = sizeof(W) == 1;

  // Which row of the weights of all directions a gate has.
  __device__ int64_t row_of(int gate) const {
    return (int64_t{direction_} * kRows + kFirst + gate) * layer_.hidden + unit_;
  }
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
    for (int n = 0; n < kCellBatch; ++n) values[n] = value(n);
#pragma unroll
    for (int g = 0; g < kGates; ++g) {
      float weight = weight_of(weights[int64_t{g} * layer_.hidden * width]);
      if constexpr (kBytes) weight -= zeros[g];
#pragma unroll
      for (int n = 0; n < kCellBatch; ++n) sums[g][n] += weight * values[n];
    }
  }

  __device__ bool is_live(int n) const { return first_ + n < layer_.batch && a_.step < places_.length(first_ + n); }
  __device__ int time(int n) const { return places_.time(a_.step, places_.length(first_ + n)); }
  __device__ int64_t x_row(int n) const { return places_.x_row(time(n), first_ + n); }
  __device__ float product(int n, int gate) const {
    const int64_t width = int64_t{layer_.directions} * kRows * layer_.hidden;
    return to_float(static_cast<const T*>(layer_.x)[x_row(n) * width + row_of(gate)]);
  }
  // In the workspace.
  __device__ int64_t kept_at(int n, int unit) const {
    return (int64_t{direction_} * layer_.batch + first_ + n) * layer_.hidden + unit;
  }
  __device__ float state(int n, int unit) const {
    return a_.step == 0 ? places_.given(layer_.initial_h, first_ + n, unit) : a_.from_h[kept_at(n, unit)];
  }
  // What the recurrent weights multiply.
  __device__ float multiplied(int n, int unit) const {
    if constexpr (kPart == Part::kCandidate) return a_.reset_h[kept_at(n, unit)];
    else return state(n, unit);
  }

  __device__ void finish(int n, const float (&x)[kGates], const float (&h)[kGates]) const {
    const CellMath math(layer_.rules, direction_);
    const bool live = is_live(n);
    const int64_t kept = kept_at(n, unit_);
    const float before = state(n, unit_);
    if constexpr (kPart == Part::kGates) {
      a_.update[kept] = math.activate(0, x[0] + h[0]);
      a_.reset_h[kept] = live ? math.activate(0, x[1] + h[1]) * before : 0.0f;
    } else if constexpr (kPart == Part::kLstm) {
      float c = a_.step == 0 ? places_.given(layer_.initial_c, first_ + n, unit_) : a_.c[kept];
      float after = before;
      if (live) {
        const float sums[4] = {x[0] + h[0], x[1] + h[1], x[2] + h[2], x[3] + h[3]};
        const float peepholes[3] = {places_.peephole(0, unit_), places_.peephole(1, unit_), places_.peephole(2, unit_)};
        after = math.lstm(sums, layer_.peepholes, peepholes, c);
      }
      a_.c[kept] = c;
      if (is_last()) places_.store(layer_.y_c, places_.state(first_ + n, unit_), c);
      store(n, after, live);
    } else if constexpr (kPart == Part::kGru) {
      const float update = math.activate(0, x[0] + h[0]), reset = math.activate(0, x[1] + h[1]);
      store(n, live ? math.gru(update, x[2] + reset * h[2], before) : before, live);
    } else if constexpr (kPart == Part::kCandidate) {
      store(n, live ? math.gru(a_.update[kept], x[0] + h[0], before) : before, live);
    } else {
      store(n, live ? math.activate(0, x[0] + h[0]) : before, live);
    }
  }

  __device__ bool is_last() const { return a_.step + 1 >= layer_.steps; }
  __device__ void store(int n, float h, bool live) const {
    a_.to_h[kept_at(n, unit_)] = h;
    if (a_.step < layer_.steps) places_.store(layer_.y, places_.y(time(n), first_ + n, unit_), live ? h : 0.0f);
    if (is_last()) places_.store(layer_.y_h, places_.state(first_ + n, unit_), h);
  }

  const StepArguments& a_;
  const RecurrentLayer& layer_;
  const int direction_, unit_, first_;
  const LayerPlaces<T> places_;
};

}  // namespace

// `type` of the tensors, `weight` of the weights.
#define KILN_STEP(name, part, kind, type, weight)                                                          \
  extern "C" __global__ void __launch_bounds__(kCellThreads)                                              \
      recurrent_##part##_##name(const __grid_constant__ StepArguments a) {                                \
    begin_kernel();                                                                                       \
    CellStep<type, kind, weight>(a).run();                                                                \
  }
#define KILN_GATED_STEPS(name, type, weight)                            \
  KILN_STEP(name, lstm, Part::kLstm, type, weight)                     \
  KILN_STEP(name, gru, Part::kGru, type, weight)                       \
  KILN_STEP(name, gates, Part::kGates, type, weight)                   \
  KILN_STEP(name, candidate, Part::kCandidate, type, weight)
KILN_GATED_STEPS(i8, float, int8_t)
KILN_GATED_STEPS(u8, float, uint8_t)
KILN_GATED_STEPS(f16, __half, __half)
KILN_GATED_STEPS(bf16, __nv_bfloat16, __nv_bfloat16)
KILN_GATED_STEPS(f32, float, float)
KILN_STEP(f16, rnn, Part::kRnn, __half, __half)
KILN_STEP(bf16, rnn, Part::kRnn, __nv_bfloat16, __nv_bfloat16)
KILN_STEP(f32, rnn, Part::kRnn, float, float)

}  // namespace kiln::cuda
