// Programs on results, in place of activations and sums, for modules that have nothing else to do with results: *_program.cu. Kernels that
// finish results otherwise need fewer registers.
#pragma once
#include "backends/cuda/device/cu/epilogue.cuh"
#include "backends/cuda/device/cu/epilogue_program.h"

namespace kiln::cuda {

// Functions of many instructions, once for all results.
__device__ __noinline__ float long_function(EpilogueOp op, float x) {
  switch (op) {
    case EpilogueOp::kSqrt: return sqrtf(x);
    case EpilogueOp::kExp: return expf(x);
    case EpilogueOp::kLog: return logf(x);
    case EpilogueOp::kErf: return erff(x);
    case EpilogueOp::kLog1p: return log1pf(x);
    case EpilogueOp::kExpm1: return expm1f(x);
    default: return x < 0 ? log1pf(expf(x)) : x + log1pf(expf(-x));  // kSoftplus
  }
}

// x tanh(softplus(x)) is x n / (n + 2), where n = e^x (e^x + 2).
__device__ inline float mish(float x) {
  const float e = exponential(fminf(x, 20.0f)), n = e * (e + 2);
  return x * (n * reciprocal(n + 2));
}

template <int N, class F> __device__ inline Run<N> combined(const Run<N>& x, const Run<N>& y, F f) {
  Run<N> v;
#pragma unroll
  for (int i = 0; i < N; ++i) v.at[i] = f(x.at[i], y.at[i]);
  return v;
}

// Both carry NaN through.
__device__ inline float least(float a, float b) { return a != a || a < b ? a : b; }
__device__ inline float greatest(float a, float b) { return a != a || a > b ? a : b; }

template <int N> __device__ inline Run<N> selected(const Run<N>& condition, const Run<N>& x, const Run<N>& y) {
  Run<N> v;
#pragma unroll
  for (int i = 0; i < N; ++i) v.at[i] = condition.at[i] != 0 ? x.at[i] : y.at[i];
  return v;
}
template <int N> __device__ inline Run<N> other_operand(const EpilogueStep& s, const Run<N>& like, const Run<N> (&kept)[kKeptValues]) {
  if (s.other == kNumber) return mapped(like, [&](float) { return s.beta; });
  return s.other == kFirstKept ? kept[0] : kept[1];
}

// Numbers of the columns, which begin again behind the last.
template <int N> __device__ inline Run<N> column_numbers(const float* from, uint32_t column, uint32_t columns) {
  Run<N> v;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    v.at[i] = from[column];
    if (++column == columns) column = 0;
  }
  return v;
}

template <int N> __device__ inline Run<N> stepped(const EpilogueStep& s, const Run<N>& v, const Run<N>& y, const Run<N> (&kept)[kKeptValues]) {
  switch (s.op) {
    case EpilogueOp::kLoad: return y;
    case EpilogueOp::kAdd: return combined(v, y, [](float a, float b) { return a + b; });
    case EpilogueOp::kSub: return combined(v, y, [](float a, float b) { return a - b; });
    case EpilogueOp::kSubFrom: return combined(v, y, [](float a, float b) { return b - a; });
    case EpilogueOp::kMul: return combined(v, y, [](float a, float b) { return a * b; });
    case EpilogueOp::kDiv: return combined(v, y, [](float a, float b) { return a / b; });
    case EpilogueOp::kDivInto: return combined(v, y, [](float a, float b) { return b / a; });
    case EpilogueOp::kMin: return combined(v, y, least);
    case EpilogueOp::kMax: return combined(v, y, greatest);
    case EpilogueOp::kLess: return combined(v, y, [](float a, float b) { return a < b ? 1.0f : 0.0f; });
    case EpilogueOp::kLessEqual: return combined(v, y, [](float a, float b) { return a <= b ? 1.0f : 0.0f; });
    case EpilogueOp::kMore: return combined(v, y, [](float a, float b) { return a > b ? 1.0f : 0.0f; });
    case EpilogueOp::kMoreEqual: return combined(v, y, [](float a, float b) { return a >= b ? 1.0f : 0.0f; });
    case EpilogueOp::kEqual: return combined(v, y, [](float a, float b) { return a == b ? 1.0f : 0.0f; });
    case EpilogueOp::kSlope: return combined(v, y, [](float a, float b) { return a < 0 ? a * b : a; });
    case EpilogueOp::kSelect: return selected(v, y, other_operand(s, v, kept));
    case EpilogueOp::kSelectLeft: return selected(other_operand(s, v, kept), y, v);
    case EpilogueOp::kSelectRight: return selected(other_operand(s, v, kept), v, y);
    case EpilogueOp::kAbs: return mapped(v, [](float x) { return fabsf(x); });
    case EpilogueOp::kSign: return mapped(v, [](float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; });
    case EpilogueOp::kFloor: return mapped(v, [](float x) { return floorf(x); });
    case EpilogueOp::kCeil: return mapped(v, [](float x) { return ceilf(x); });
    case EpilogueOp::kRound: return mapped(v, [](float x) { return rintf(x); });
    case EpilogueOp::kTrunc: return mapped(v, [](float x) { return truncf(x); });
    case EpilogueOp::kIsNan: return mapped(v, [](float x) { return x != x ? 1.0f : 0.0f; });
    case EpilogueOp::kMish: return mapped(v, mish);
    case EpilogueOp::kActivate: return activated(s.activation, s.alpha, s.beta, v);
    case EpilogueOp::kKeep: return v;
    default: return mapped(v, [&](float x) { return long_function(s.op, x); });
  }
}

// Not inline: it is rare.
template <int N> __device__ __noinline__ Run<N> rarely_joined(TensorStep step, Run<N> v, Run<N> t) {
  switch (step) {
    case TensorStep::kSub: return combined(v, t, [](float a, float b) { return a - b; });
    case TensorStep::kSubFrom: return combined(v, t, [](float a, float b) { return b - a; });
    case TensorStep::kMin: return combined(v, t, least);
    default: return combined(v, t, greatest);
  }
}
template <int N> __device__ inline Run<N> joined(TensorStep step, const Run<N>& v, const Run<N>& t) {
  if (step == TensorStep::kNone) return v;
  if (step == TensorStep::kAdd) return combined(v, t, [](float a, float b) { return a + b; });
  if (step == TensorStep::kMul) return combined(v, t, [](float a, float b) { return a * b; });
  return rarely_joined(step, v, t);
}

// Programs of the short form are no steps in memory.
__device__ inline bool is_short(const EpilogueArguments& e) { return e.joins[0] != TensorStep::kNone; }

// One turn after the other, so that the activation stands there once.
template <int N> __device__ inline Run<N> in_short(const EpilogueArguments& e, Run<N> v, const Run<N>& residual, const Run<N>& second) {
#pragma unroll 1
  for (int turn = 0;; ++turn) {
    if (turn == e.active_at) v = activated(e.activation, e.alpha, e.beta, v);
    if (turn == 2) return v;
    v = turn == 0 ? joined(e.joins[0], v, residual) : joined(e.joins[1], v, second);
  }
}

__device__ inline bool fetches_early(const EpilogueArguments& e) { return is_short(e) && e.in_words; }
__device__ inline bool finishes_early(const EpilogueArguments& e) { return fetches_early(e); }
template <class T> __device__ inline const T* second_at(const EpilogueArguments& e, int64_t row, uint32_t column) {
  return static_cast<const T*>(e.second) + row * e.second_stride + column;
}
template <class T> __device__ inline void fetch_early(const EpilogueArguments& e, int64_t row, uint32_t column, EarlyRun& early) {
  early.residual = *reinterpret_cast<const uint4*>(static_cast<const T*>(e.residual) + row * e.residual_stride + column);
  if (e.second) early.second = *reinterpret_cast<const uint4*>(second_at<T>(e, row, column));
}
template <class T> __device__ inline Eight finished_early(const EpilogueArguments& e, const Eight& v, const EarlyRun& early) {
  const auto run = [](const uint4& word) { return load_run<T, 8>(reinterpret_cast<const T*>(&word), true, 8); };
  return in_short(e, v, run(early.residual), run(early.second));
}

// The program on a run of results; `residual` points to the run's part of the first tensor.
template <class T, int N> __device__ Run<N> by_program(const EpilogueArguments& e, Run<N> v, const T* residual, RunPlace place) {
  const auto load_second = [&] { return load_run<T, N>(second_at<T>(e, place.row, place.column), e.in_words, place.columns); };
  if (is_short(e)) {
    Run<N> second = {};
    if (e.second) second = load_second();
    return in_short(e, v, load_run<T, N>(residual, e.in_words, place.columns), second);
  }
  const auto* program = reinterpret_cast<const EpilogueProgram*>(uint64_t{e.program_high} << 32 | e.program_low);
  const auto* code = reinterpret_cast<const EpilogueStep*>(program + 1);
  const uint32_t steps = program->steps, all_columns = program->columns;
  const auto* vectors = reinterpret_cast<const float*>(code + steps);
  Run<N> kept[kKeptValues] = {};
  for (uint32_t i = 0; i < steps; ++i) {
    const EpilogueStep s = code[i];
    Run<N> y;
    if (s.operand == kNumber) y = mapped(v, [&](float) { return s.alpha; });
    else if (s.operand < kResidual) y = kept[s.operand == kFirstKept ? 0 : 1];
    else if (s.operand == kResidual) y = load_run<T, N>(residual, e.in_words, place.columns);
    else if (s.operand == kSecondResidual) y = load_second();
    else y = column_numbers<N>(vectors + int64_t{s.operand - kFirstVector} * all_columns, place.column, all_columns);
    v = stepped(s, v, y, kept);
    if (s.keeps == 1) kept[0] = v;
    if (s.keeps == 2) kept[1] = v;
  }
  return v;
}

}  // namespace kiln::cuda
