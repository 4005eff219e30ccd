// Arguments of kernels over rows: softmax and normalisations.
#pragma once
#include <cstdint>

namespace kiln::cuda {

inline constexpr int kRowThreads = 128;        // of a block that works on one row
inline constexpr int kRowPacks = 4;            // of a row that a thread of row_norm keeps
inline constexpr int kWarpRowElements = 1024;  // of a row that a warp of row_norm keeps, at most
inline constexpr int kColumnThreads = 128;     // of a block in which each thread works on one column

// softmax along the middle axis of [outer, n, inner].
struct SoftmaxArguments {
  int64_t outer, n, inner;
  int32_t logarithm;
};

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias along rows of n elements; without the mean: RMS norm, where the
// variance is the mean of squares. scale and bias have n elements, or are null.
struct RowNormArguments {
  int64_t rows, n;
  float epsilon;
  float share;  // 1 / n
  int32_t subtract_mean;
  int32_t vectors_are_constant;  // scale and bias may be read before the kernels before this one have run
  const void *scale, *bias;
  void *mean, *inverse_deviation;  // [rows], or null
};

}  // namespace kiln::cuda
