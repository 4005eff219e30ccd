// What the kernels of recurrent layers share: where elements lie, and what a step does to the states.
#pragma once
#include "backends/cuda/device/cu/common.cuh"
#include "backends/cuda/device/cu/recurrent.h"

namespace kiln::cuda {

__device__ __noinline__ inline float rare_cell_activation(CellActivation kind, float alpha, float beta, float x) {
  switch (kind) {
    case CellActivation::kAffine: return alpha * x + beta;
    case CellActivation::kElu: return x >= 0 ? x : alpha * expm1f(x);
    case CellActivation::kHardSigmoid: {
      const float line = alpha * x + beta;
      return line < 0 ? 0.0f : line > 1 ? 1.0f : line;
    }
    case CellActivation::kLeakyRelu: return x >= 0 ? x : alpha * x;
    case CellActivation::kRelu: return x < 0 ? 0.0f : x;
    case CellActivation::kScaledTanh: return alpha * tanhf(beta * x);
    case CellActivation::kSoftplus: return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));
    case CellActivation::kSoftsign: return x / (1 + fabsf(x));
    case CellActivation::kThresholdedRelu: return x >= alpha ? x : 0.0f;
    default: return x;  // the usual ones, below
  }
}

__device__ inline float logistic(float x) { return __fdividef(1, 1 + expf(-x)); }

// What one direction does in a step. Sums of gates are complete, biases included.
class CellMath {
 public:
  __device__ CellMath(const CellRules& rules, int direction) : rules_(rules), functions_(rules.functions[direction]) {
    const auto is = [&](int function, CellActivation kind) { return functions_[function].kind == kind; };
    is_usual_ = rules.clip <= 0 && !rules.coupled && is(0, CellActivation::kSigmoid) && is(1, CellActivation::kTanh) &&
                is(2, CellActivation::kTanh);
  }

  __device__ float activate(int function, float x) const {
    if (rules_.clip > 0) x = x < -rules_.clip ? -rules_.clip : x > rules_.clip ? rules_.clip : x;
    const CellFunction& f = functions_[function];
    if (f.kind == CellActivation::kSigmoid) return logistic(x);
    if (f.kind == CellActivation::kTanh) return tanhf(x);
    return rare_cell_activation(f.kind, f.alpha, f.beta, x);
  }

  // Gates: input, output, forget, cell. Peepholes, where there are any, in the order of the first three.
  __device__ float lstm(const float (&gates)[4], bool has_peepholes, const float (&peepholes)[3], float& c) const {
    if (is_usual_ && !has_peepholes) {  // without branches: one activation begins while another is on its way
      const float input = logistic(gates[0]), output = logistic(gates[1]), forget = logistic(gates[2]);
      c = forget * c + input * tanhf(gates[3]);
      return output * tanhf(c);
    }
    const auto seen = [&](int gate) { return has_peepholes ? peepholes[gate] * c : 0.0f; };
    const float input = activate(0, gates[0] + seen(0));
    const float forget = rules_.coupled ? 1 - input : activate(0, gates[2] + seen(2));
    c = forget * c + input * activate(1, gates[3]);
    return activate(0, gates[1] + seen(1)) * activate(2, c);
  }
  __device__ float gru(float update, float candidate, float h) const {
    return (1 - update) * activate(1, candidate) + update * h;
  }

 private:
  const CellRules& rules_;
  const CellFunction* functions_;
  bool is_usual_;  // an LSTM's
};

// Places in what the user gives and takes, in elements of T.
template <class T> class LayerPlaces {
 public:
  __device__ LayerPlaces(const RecurrentLayer& layer, int direction)
      : a_(layer), direction_(direction), backward_(direction == 1 || layer.reverse) {}

  __device__ int length(int sequence) const {
    return a_.lengths ? min(max(a_.lengths[sequence], 0), a_.steps) : a_.steps;
  }
  // When a sequence of that length has its step; later steps are those behind its end.
  __device__ int time(int step, int length) const { return backward_ && step < length ? length - 1 - step : step; }
  __device__ int64_t x_row(int time, int sequence) const {
    return a_.batch_first ? int64_t{sequence} * a_.steps + time : int64_t{time} * a_.batch + sequence;
  }
  __device__ int64_t state(int sequence, int unit) const {
    const int64_t row = a_.batch_first ? int64_t{sequence} * a_.directions + direction_ : int64_t{direction_} * a_.batch + sequence;
    return row * a_.hidden + unit;
  }
  __device__ int64_t y(int time, int sequence, int unit) const {
    const int64_t row = a_.batch_first ? x_row(time, sequence) * a_.directions + direction_
                                       : (int64_t{time} * a_.directions + direction_) * a_.batch + sequence;
    return row * a_.hidden + unit;
  }
  __device__ float given(const void* states, int sequence, int unit) const {
    return states ? to_float(static_cast<const T*>(states)[state(sequence, unit)]) : 0.0f;
  }
  // Of `gates` gates: of the inputs' products, then of the states'.
  __device__ float bias(int gates, int row, int unit) const {
    return a_.b ? to_float(static_cast<const T*>(a_.b)[(int64_t{direction_} * 2 * gates + row) * a_.hidden + unit]) : 0.0f;
  }
  __device__ float peephole(int gate, int unit) const {
    return a_.peepholes ? to_float(static_cast<const T*>(a_.peepholes)[(int64_t{direction_} * 3 + gate) * a_.hidden + unit]) : 0.0f;
  }
  __device__ void store(void* to, int64_t at, float value) const {
    if (to) static_cast<T*>(to)[at] = from_float<T>(value);
  }

 private:
  const RecurrentLayer& a_;
  const int direction_;
  const bool backward_;
};

}  // namespace kiln::cuda
