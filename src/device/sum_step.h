// A step of what kernels do with the sums of a product before they store them. Host and GPUs.
#pragma once
#include <cstdint>

#include "device/activation.h"

namespace kiln {

// One step of what follows a sum, in float32.
struct SumStep {
  enum Kind : uint8_t {
    kMultiply,   // by an operand: float32 per column, or one number
    kDivide,     // by `low`; `high` is its reciprocal, or 0 where that is no normal number
    kAdd,        // an operand, as in kMultiply
    kClamp,      // to [low, high]; NaN becomes low
    kRound,      // half to even
    kAddFloats,  // a tensor of float32
    kAddBytes,   // (a tensor of bytes - low) * high
    kAtLeast,    // low
    kLimit,      // to [low, high]; NaN stays
    kActivate,   // `activation` with the numbers low and high
  };
  Kind kind = kMultiply;
  float low = 0, high = 0;
  Activation activation = Activation::kNone;
  bool has_operand() const { return kind == kMultiply || kind == kAdd || adds_tensor(); }
  bool adds_tensor() const { return kind == kAddFloats || kind == kAddBytes; }
};
inline constexpr int kSumStepKinds = SumStep::kActivate + 1;

}  // namespace kiln
