// What a kernel does to its results before it stores them: bias, residual sum, activation.
#pragma once
#include <cstdint>

#include "device/activation.h"

namespace kiln::cpu {

using kiln::Activation;
using kiln::kActivationCount;

// Called with each finished piece of a row: `n` results that begin at (row, column).
using RowHook = void (*)(void* context, float* values, int64_t n, int64_t row, int64_t column);

// y = activation(x + bias [+ residual]) [+ residual], then the hook. A row is a row of a matrix or a pixel; a column is a
// column or a channel. Every activation carries NaN through.
struct Epilogue {
  const float* bias = nullptr;      // per column
  const float* residual = nullptr;  // per row and column
  int64_t residual_stride = 0;      // elements between rows
  bool residual_after = false;      // add the residual after the activation, not before
  Activation activation = Activation::kNone;
  float alpha = 0, beta = 0;
  RowHook hook = nullptr;
  void* hook_context = nullptr;

  bool empty() const { return !bias && !residual && activation == Activation::kNone && !hook; }
};

// out = activation(in) on n elements; in and out may be the same.
void apply_activation(Activation kind, float alpha, float beta, const float* in, float* out, int64_t n) noexcept;
// Applies the whole epilogue to `n` values of one row, beginning at `column`.
void apply_epilogue(const Epilogue& epilogue, float* values, int64_t n, int64_t row, int64_t column) noexcept;

}  // namespace kiln::cpu
