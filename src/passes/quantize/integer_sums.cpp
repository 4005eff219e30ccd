// Bounds of sums of products of bytes.
#include "passes/quantize/integer_sums.h"

#include <algorithm>
#include <cstdlib>

#include "base/index.h"
#include "passes/quantize/quantized_values.h"

namespace kiln::passes {
namespace {

constexpr ByteRange kAnyBytes{-UINT8_MAX, UINT8_MAX};

bool fits_int32(int64_t low, int64_t high) { return low >= INT32_MIN && high <= INT32_MAX; }

int64_t largest(ByteRange range) { return std::max(-range.low, range.high); }

int64_t largest(const Tensor& summands) {
  int64_t most = 0;
  for (int64_t i = 0; i < summands.size(); ++i) most = std::max(most, std::abs(summands.int_at(i)));
  return most;
}

// Whether all sums of so many products are within `bound` of zero.
bool within(int64_t bound, ByteRange a, ByteRange b, int64_t terms) {
  return terms <= bound / std::max<int64_t>(largest(a) * largest(b), 1);
}

// Lowest and highest sum of each column.
std::vector<ByteRange> sums_by_column(ByteRange x, const ConstantFactors& w) {
  const Dims& dims = w.integers.dims();
  const int64_t columns = nth(dims, w.axis);
  int64_t inner = 1;
  for (int64_t i = w.axis + 1; i < w.integers.rank(); ++i) inner *= nth(dims, i);
  std::vector<ByteRange> sums(static_cast<size_t>(columns));
  for (int64_t i = 0; i < w.integers.size(); ++i) {
    const int64_t column = i / inner % columns;
    const int64_t zero = w.zero_points ? w.zero_points->int_at(w.zero_points->size() == 1 ? 0 : column) : 0;
    const int64_t factor = w.integers.int_at(i) - zero;
    ByteRange& sum = nth(sums, column);
    sum.low += factor * (factor > 0 ? x.low : x.high);
    sum.high += factor * (factor > 0 ? x.high : x.low);
  }
  return sums;
}

}  // namespace

ByteRange byte_range(DType type, const Value* zero_point) {
  const auto zero = zero_point ? uniform(zero_point) : 0.0;
  const int64_t numbers = int64_t{1} << bits(type);
  if (!zero) return {1 - numbers, numbers - 1};
  const int64_t least = is_signed_integer(type) ? -numbers / 2 : 0, low = least - static_cast<int64_t>(*zero);
  return {low, low + numbers - 1};
}

bool sums_fit(ByteRange a, ByteRange b, int64_t terms) { return within(INT32_MAX, a, b, terms); }

bool sums_fit(ByteRange x, const ConstantFactors& w, const Tensor* summands) {
  const int64_t columns = nth(w.integers.dims(), w.axis);
  if (columns == 0) return true;
  const int64_t most = summands ? largest(*summands) : 0;
  if (within(INT32_MAX - most, x, kAnyBytes, w.integers.size() / columns)) return true;
  const std::vector<ByteRange> sums = sums_by_column(x, w);
  for (int64_t j = 0; j < columns; ++j) {
    const int64_t summand = summands ? summands->int_at(summands->size() == 1 ? 0 : j) : 0;
    if (!fits_int32(nth(sums, j).low + summand, nth(sums, j).high + summand)) return false;
  }
  return true;
}

}  // namespace kiln::passes
