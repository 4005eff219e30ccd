// What kernels of several devices do with the sums of a product before they store them, as parameters.
#pragma once
#include <optional>
#include <vector>

#include "device/parameter_fields.h"
#include "device/sum_step.h"

namespace kiln {

// Weights of bytes less a zero point are the sum of so many signed bytes at most.
inline constexpr int64_t kMostWeightParts = 3;

struct SumParameters {
  std::vector<SumStep> steps = {};  // their kinds and numbers; operands and strides are those of a call
  int32_t zero = 0;                 // of a result of bytes: added when they are rounded, and before they saturate
  // What the bytes of the result become at last, and whether they are signed before; empty: they stay.
  std::vector<uint8_t> table = {};
  bool is_signed = false;
};
// The same as fields of a step, one list for each number of the steps.
struct SumFields {
  Ints kinds = {};
  Floats lows = {}, highs = {};
  std::optional<Ints> activations = {};  // of the steps that have one
  int32_t zero = 0;
  std::optional<std::vector<uint8_t>> table = {};
  std::optional<bool> is_signed = {};
  template <class V> void fields(V& v) {
    v("steps", kinds, 0, kSumStepKinds - 1);
    v("step_lows", lows);
    v("step_highs", highs);
    v("step_activations", activations, 0, kActivationCount - 1);
    v("result_zero", zero, -128, 255);
    v("table", table);
    v("table_signed", is_signed);
  }
  void check() const;  // that the lists fit each other
};
SumFields stored_sums(const SumParameters& parameters);
SumParameters restored_sums(const SumFields& fields);

}  // namespace kiln
