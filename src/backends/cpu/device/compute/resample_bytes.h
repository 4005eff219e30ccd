// Resampling of images of bytes by weights, channels last: bytes stand for (byte - zero) * scale in float32, sums are those of float64 in the
// order of the taps, first along columns and then along rows, as the reference adds them.
#pragma once
#include <cstdint>
#include <vector>

namespace kiln::cpu {

// As AxisTaps has them, without elements outside.
struct DoubleTaps {
  int64_t out = 0, count = 0;
  std::vector<int64_t> index;
  std::vector<double> weight;
};

struct DequantizedBytes {
  float scale = 1;
  int32_t zero = 0;
  bool is_signed = false;
};

// to[i], or nought where they are the first, plus the sum over k < count of weights[k] times the number that lines[k][i] stands for.
void sum_byte_lines(const uint8_t* const* lines, const double* weights, int64_t count, int64_t elements,
                    const DequantizedBytes& from, bool first, double* to) noexcept;
// Pixels of `channels` numbers each: those of `to` are sums of those of `line`.
void resample_pixels(const DoubleTaps& taps, int64_t channels, const double* line, float* to) noexcept;

}  // namespace kiln::cpu
