// What a tensor's elements were while a network was calibrated, and the range that int8 should reach to.
#pragma once
#include <cstdint>
#include <vector>

#include "kiln/kiln.h"

namespace kiln::api {

inline constexpr double kInt8Steps = 127;  // from zero to the end of a range

// Absolute values in bins of one width, which doubles when a larger one comes. Zeros are in no bin: integers of every range hold them exactly.
class Histogram {
 public:
  void add(const HostTensor& tensor);   // float32
  int64_t odd() const { return odd_; }  // elements that are not finite, which are left out
  // `percentile` of the elements lie within the range of kPercentile.
  TensorRange range(RangeRule rule, double percentile) const;

 private:
  double largest() const { return -low_ > high_ ? -low_ : high_; }
  double upper_edge(size_t bin) const { return static_cast<double>(bin + 1) * width_; }
  void widen(double largest);
  double by_percentile(double percentile) const;
  double by_entropy(bool counts_least) const;
  double by_mse() const;
  double squared_error(double range) const;  // of all elements together

  std::vector<uint64_t> bins_;
  double width_ = 0, low_ = 0, high_ = 0, squares_ = 0;
  int64_t count_ = 0, zeros_ = 0, odd_ = 0;
};

}  // namespace kiln::api
