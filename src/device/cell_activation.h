// The activations of recurrent layers, as kernels know them.
#pragma once
#include <cstdint>

namespace kiln {

// Numbers are stored in engine files: append only.
enum class CellActivation : uint8_t {
  kAffine,  // alpha x + beta
  kElu,
  kHardSigmoid,
  kLeakyRelu,
  kRelu,
  kScaledTanh,  // alpha tanh(beta x)
  kSigmoid,
  kSoftplus,
  kSoftsign,
  kTanh,
  kThresholdedRelu,  // x >= alpha ? x : 0
};
inline constexpr int kCellActivations = static_cast<int>(CellActivation::kThresholdedRelu) + 1;

}  // namespace kiln
