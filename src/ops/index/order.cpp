// The order of elements as integers.
#include "ops/index/order.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <limits>

#include "ops/reference_math.h"

namespace kiln::ops {
namespace {

int64_t float_key(double value, bool nan_first) {
  if (std::isnan(value)) return nan_first ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
  const auto bits = std::bit_cast<int64_t>(value == 0 ? 0.0 : value);
  return bits < 0 ? std::numeric_limits<int64_t>::min() - bits : bits;
}

// Ranks among the sorted distinct values.
template <class T> std::vector<int64_t> ranks(const std::vector<T>& values) {
  std::vector<T> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int64_t> keys;
  for (const T& v : values) keys.push_back(std::lower_bound(sorted.begin(), sorted.end(), v) - sorted.begin());
  return keys;
}

template <class T> std::vector<int64_t> complex_ranks(const Tensor& tensor) {
  std::vector<std::pair<int64_t, int64_t>> parts;
  for (const auto& v : tensor.as<std::complex<T>>())
    parts.emplace_back(float_key(static_cast<double>(v.real()), false),
                       float_key(static_cast<double>(v.imag()), false));
  return ranks(parts);
}

}  // namespace

std::vector<int64_t> order_keys(const Tensor& tensor, bool nan_first) {
  if (tensor.dtype() == DType::kString) return ranks(tensor.string_values());
  if (tensor.dtype() == DType::kC64) return complex_ranks<float>(tensor);
  if (tensor.dtype() == DType::kC128) return complex_ranks<double>(tensor);
  std::vector<int64_t> keys;
  if (is_float(tensor.dtype())) {
    for (double v : doubles(tensor)) keys.push_back(float_key(v, nan_first));
  } else {
    keys = integers(tensor);
    if (tensor.dtype() == DType::kU64)
      for (int64_t& k : keys) k ^= std::numeric_limits<int64_t>::min();
  }
  return keys;
}

}  // namespace kiln::ops
