// Helpers of reference evaluations.
#include "ops/reference_math.h"

#include <algorithm>
#include <cmath>

#include "base/work.h"

namespace kiln::ops {

std::vector<double> doubles(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.size()));
  convert(tensor.dtype(), tensor.data(), DType::kF64, values.data(), tensor.size());
  return values;
}

void store(Tensor& tensor, const std::vector<double>& values) {
  void* data = tensor.mutable_data();
  for (size_t i = 0; i < values.size(); ++i) store_double(tensor.dtype(), data, static_cast<int64_t>(i), values[i]);
}

std::vector<int64_t> integers(const Tensor& tensor) {
  std::vector<int64_t> values(static_cast<size_t>(tensor.size()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = tensor.int_at(static_cast<int64_t>(i));
  return values;
}

void store(Tensor& tensor, const std::vector<int64_t>& values) {
  void* data = tensor.mutable_data();
  for (size_t i = 0; i < values.size(); ++i) store_int(tensor.dtype(), data, static_cast<int64_t>(i), values[i]);
}

bool advance(Dims& index, const Dims& dims) {
  poll_work();
  for (size_t i = dims.size(); i-- > 0;) {
    if (++index[i] < dims[i]) return true;
    index[i] = 0;
  }
  return false;
}

int64_t dot(const Dims& index, const Dims& strides) {
  int64_t sum = 0;
  for (size_t i = 0; i < index.size(); ++i) sum += index[i] * strides[i];
  return sum;
}

Dims broadcast_strides(const Dims& dims, const Dims& to) {
  const Dims own = row_major_strides(dims);
  Dims strides(to.size(), 0);
  const size_t shift = to.size() - dims.size();
  for (size_t i = 0; i < dims.size(); ++i) strides[i + shift] = dims[i] == 1 ? 0 : own[i];
  return strides;
}

int64_t product(const Dims& dims, size_t begin, size_t end) {
  int64_t p = 1;
  for (size_t i = begin; i < end; ++i) p *= dims[i];
  return p;
}

void round_to_type(std::vector<double>& x, DType type) {
  if (!is_integer(type)) return;
  const bool is_signed = is_signed_integer(type);
  const double low = is_signed ? -std::ldexp(1, bits(type) - 1) : 0,
               high = std::ldexp(1, is_signed ? bits(type) - 1 : bits(type));
  for (double& v : x) v = std::clamp(std::nearbyint(v), low, bits(type) == 64 ? std::nextafter(high, 0) : high - 1);
}

}  // namespace kiln::ops
