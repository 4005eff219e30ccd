// What the tests of matrix products and convolutions share: a scalar epilogue and the sweep over epilogues.
#pragma once
#include <cmath>
#include <vector>

#include "backends/cpu/device/compute/epilogue.h"

namespace kiln::cpu::testing {

inline double scalar_activation(const Epilogue& e, double x) {
  const auto unit = [](double v) { return v < 0 ? 0 : v > 1 ? 1 : v; };
  switch (e.activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return x < 0 ? 0 : x;
    case Activation::kClip: return x < e.alpha ? e.alpha : x > e.beta ? e.beta : x;
    case Activation::kLeakyRelu: return x < 0 ? e.alpha * x : x;
    case Activation::kSigmoid: return 1 / (1 + std::exp(-x));
    case Activation::kTanh: return std::tanh(x);
    case Activation::kSilu: return x / (1 + std::exp(-x));
    case Activation::kHardSwish: return x * unit(x / 6 + 0.5);
    case Activation::kHardSigmoid: return unit(e.alpha * x + e.beta);
    case Activation::kGeluErf: return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh: return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kElu: return x < 0 ? e.alpha * std::expm1(x) : x;
  }
  return NAN;
}

// The whole epilogue but the hook, for the sum x at (row, column).
inline float scalar_epilogue(const Epilogue& e, double x, int64_t row, int64_t column) {
  const double residual = e.residual ? e.residual[row * e.residual_stride + column] : 0;
  if (e.bias) x += e.bias[column];
  if (!e.residual_after) x += residual;
  x = scalar_activation(e, x);
  if (e.residual_after) x += residual;
  return static_cast<float>(x);
}

// Doubles and negates: shows that the hook saw each value once, with the right place.
struct HookLog {
  std::vector<int> seen;
  int64_t columns;
};
inline void log_hook(void* context, float* values, int64_t n, int64_t row, int64_t column) {
  auto* log = static_cast<HookLog*>(context);
  for (int64_t j = 0; j < n; ++j) {
    ++log->seen[static_cast<size_t>(row * log->columns + column + j)];
    values[j] *= -2;
  }
}

}  // namespace kiln::cpu::testing
