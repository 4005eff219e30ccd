// The activations that kernels apply to their results before they store them.
#pragma once
#include <cstdint>

namespace kiln {

// Every one carries NaN through. Numbers are stored in engine files: append only.
enum class Activation : uint8_t {
  kNone,
  kRelu,       // max(x, 0)
  kClip,       // min(max(x, alpha), beta)
  kLeakyRelu,  // x < 0 ? alpha x : x
  kSigmoid,
  kTanh,
  kSilu,         // x sigmoid(x)
  kHardSwish,    // x min(max(x / 6 + 1/2, 0), 1)
  kHardSigmoid,  // min(max(alpha x + beta, 0), 1)
  kGeluErf,      // x (1 + erf(x / sqrt 2)) / 2
  kGeluTanh,     // x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
  kElu,          // x < 0 ? alpha (e^x - 1) : x
};
inline constexpr int kActivationCount = static_cast<int>(Activation::kElu) + 1;

}  // namespace kiln
