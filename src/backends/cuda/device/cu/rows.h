// Arguments of kernels over rows: softmax and normalisations.
#pragma once
#include "backends/cuda/device/cu/walk.h"

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
// variance is the mean of squares. Of float64 epsilon is `wide_epsilon`. scale and bias have n elements, or are null.
struct RowNormArguments {
  int64_t rows, n;
  float epsilon;
  float share;  // 1 / n
  double wide_epsilon;
  int32_t subtract_mean;
  int32_t wide_statistics;       // they are float64, not float32; of float64 alone
  int32_t vectors_are_constant;  // scale and bias may be read before the kernels before this one have run
  const void *scale, *bias;
  void *mean, *inverse_deviation;  // [rows], or null
};

// What is added up to a row: rows of [extent, n] that indices choose, or, without indices, those of [count, n], from the first again behind the last.
struct EmbeddingRows {
  const void *table, *indices;  // no table: nothing is added
  FastDivisor count;            // of indices, or of rows where there are none
  int64_t extent;               // what an index outside of it chooses is zero
  int32_t wide_indices;         // int64, not int32
};
inline constexpr int kEmbeddingParts = 3;
struct EmbeddingNormArguments {
  RowNormArguments norm;  // without statistics
  EmbeddingRows parts[kEmbeddingParts];
};

}  // namespace kiln::cuda
