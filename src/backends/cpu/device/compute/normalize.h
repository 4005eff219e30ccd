// Normalisations: layer and RMS norm on float32 and float64, group and instance norm on float32.
#pragma once
#include <cstdint>

namespace kiln::cpu {

// y = (v - mean) / sqrt(variance + epsilon) * scale + bias with v = x [+ skip] [+ skip_bias], along rows of `n` elements.
template <class T> struct RowNormOf {
  int64_t rows = 0, n = 0;
  bool subtract_mean = true;  // false: RMS norm, the variance is the mean of squares
  double epsilon = 1e-5;
  const T* scale = nullptr;  // [n], or absent
  const T* bias = nullptr;   // [n], or absent
  const T* skip = nullptr;   // like x, or absent
  int64_t skip_stride = 0;
  const T* skip_bias = nullptr;  // [n], or absent
  T* sum = nullptr;              // receives v, or absent
  int64_t sum_stride = 0;
  T* mean = nullptr;               // [rows], or absent
  T* inverse_deviation = nullptr;  // [rows], or absent
};
using RowNorm = RowNormOf<float>;
void normalize_rows(const RowNorm& norm, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                    int threads) noexcept;
void normalize_rows(const RowNormOf<double>& norm, const double* x, int64_t x_stride, double* y, int64_t y_stride,
                    int threads) noexcept;

// Group norm: statistics over the channels of a group and all pixels of an image; `groups` = channels is instance norm.
// Scale and bias per channel, or absent. Dense tensors; x and y may be the same memory.
struct GroupNorm {
  int64_t batch = 0, channels = 0, pixels = 0, groups = 1;
  float epsilon = 1e-5f;
  const float* scale = nullptr;
  const float* bias = nullptr;
};
void group_norm_nchw(const GroupNorm& norm, const float* x, float* y, int threads) noexcept;
void group_norm_nhwc(const GroupNorm& norm, const float* x, float* y, int threads) noexcept;

}  // namespace kiln::cpu
