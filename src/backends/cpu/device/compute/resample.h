// Resampling of float32 along one axis by weights.
#pragma once
#include <cstdint>
#include <vector>

namespace kiln::cpu {

// Output element i is the sum over k < count of weight[k * out + i] times the input's element index[k * out + i]; a weight of 0 takes
// nothing. Where outside[i] it is a given value.
struct AxisTaps {
  int64_t in = 0, out = 0;
  int64_t count = 0;
  std::vector<int32_t> index;
  std::vector<float> weight;
  std::vector<uint8_t> outside;
};

// y [outer, out, inner] from x [outer, in, inner].
void resample_axis(const AxisTaps& taps, int64_t outer, int64_t inner, const float* x, float* y, float outside,
                   int threads) noexcept;

}  // namespace kiln::cpu
