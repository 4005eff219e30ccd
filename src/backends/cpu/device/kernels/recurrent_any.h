// What the kernel "recurrent_any" and its tactic share: the layout of packed weights.
#pragma once
#include <array>
#include <cstdint>

#include "device/cell_activation.h"

namespace kiln::cpu::kernels {

enum class AnyCell : uint8_t { kLstm, kGru, kRnn };
inline int64_t gates_of(AnyCell cell) { return cell == AnyCell::kLstm ? 4 : cell == AnyCell::kGru ? 3 : 1; }
inline int64_t activations_of(AnyCell cell) { return cell == AnyCell::kLstm ? 3 : cell == AnyCell::kGru ? 2 : 1; }

// Floats of one direction: weights of the input, of the state (of a GRU: update and reset, then the candidate), both biases.
struct PackedCell {
  PackedCell(AnyCell cell, int64_t input, int64_t hidden);
  int64_t w = 0, r = 0, candidate = 0, w_bias = 0, r_bias = 0,
          total = 0;  // offsets; `candidate` counts for a GRU alone
};
inline constexpr int32_t kCellPanel = 32;
// w [gates * hidden, input], r [gates * hidden, hidden], b [2 * gates * hidden] or null.
void pack_cell(AnyCell cell, int64_t input, int64_t hidden, const float* w, const float* r, const float* b,
               float* packed);

}  // namespace kiln::cpu::kernels
