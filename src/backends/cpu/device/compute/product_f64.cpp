// Matrix products, float64.
#include "backends/cpu/device/compute/product_f64.h"

#include <algorithm>

#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/product_f64.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F64 = hn::ScalableTag<double>;
using VD = hn::Vec<F64>;

constexpr int64_t kDepth = 256;  // terms of a partial sum, so that rows of b stay in cache

// Rows [begin, end) of two vectors of columns of b, one behind the other; zeros stand for columns beyond the last.
HWY_INLINE void pack_columns(const ProductF64& p, int64_t column, int64_t begin, int64_t end,
                             double* HWY_RESTRICT panel) {
  const F64 d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t left = p.n - column;
  const auto low = hn::FirstN(d, static_cast<size_t>(std::min(left, lanes)));
  const auto high = hn::FirstN(d, static_cast<size_t>(std::clamp<int64_t>(left - lanes, 0, lanes)));
  for (int64_t t = begin; t < end; ++t, panel += 2 * lanes) {
    const double* line = p.b + column + t * p.b_stride;
    hn::StoreU(hn::MaskedLoad(low, d, line), d, panel);
    hn::StoreU(left > lanes ? hn::MaskedLoad(high, d, line + lanes) : hn::Zero(d), d, panel + lanes);
  }
}

// c [kRows, two vectors, or less] += a times the panel of b; `first` clears c before.
template <int kRows>
HWY_INLINE void tile(const ProductF64& p, const double* HWY_RESTRICT panel, int64_t row, int64_t column, int64_t begin,
                     int64_t end, bool first) {
  const F64 d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  VD sums[kRows][2];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = hn::Zero(d);
  const double* a = p.a + row * p.a_stride;
  for (int64_t t = begin; t < end; ++t, panel += 2 * lanes) {
    const VD b0 = hn::LoadU(d, panel), b1 = hn::LoadU(d, panel + lanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const VD factor = hn::Set(d, a[r * p.a_stride + t]);
      sums[r][0] = hn::MulAdd(factor, b0, sums[r][0]);
      sums[r][1] = hn::MulAdd(factor, b1, sums[r][1]);
    }
  }
  const int64_t left = p.n - column;
  const auto low = hn::FirstN(d, static_cast<size_t>(std::min(left, lanes)));
  const auto high = hn::FirstN(d, static_cast<size_t>(std::clamp<int64_t>(left - lanes, 0, lanes)));
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    double* c = p.c + (row + r) * p.c_stride + column;
    if (!first) {
      sums[r][0] = hn::Add(sums[r][0], hn::MaskedLoad(low, d, c));
      if (left > lanes) sums[r][1] = hn::Add(sums[r][1], hn::MaskedLoad(high, d, c + lanes));
    }
    hn::BlendedStore(sums[r][0], low, d, c);
    if (left > lanes) hn::BlendedStore(sums[r][1], high, d, c + lanes);
  }
}

void product_rows(const ProductF64& p, int64_t begin, int64_t end) {
  HWY_ALIGN double panel[kDepth * 2 * HWY_MAX_BYTES / sizeof(double)];
  const auto step = 2 * static_cast<int64_t>(hn::Lanes(F64()));
  for (int64_t first = 0; first < std::max<int64_t>(p.k, 1); first += kDepth) {
    const int64_t last = std::min(first + kDepth, p.k);
    for (int64_t column = 0; column < p.n; column += step) {
      pack_columns(p, column, first, last, panel);
      int64_t row = begin;
      for (; row + 6 <= end; row += 6) tile<6>(p, panel, row, column, first, last, first == 0);
      for (; row + 2 <= end; row += 2) tile<2>(p, panel, row, column, first, last, first == 0);
      for (; row < end; ++row) tile<1>(p, panel, row, column, first, last, first == 0);
    }
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {

HWY_EXPORT(product_rows);

void multiply_f64(const ProductF64& p, int threads) noexcept {
  const double nanoseconds =
      0.2 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(std::max<int64_t>(p.k, 1));
  parallel_ranges(useful_threads(threads, nanoseconds), p.m, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(product_rows)(p, begin, end);
  });
}

}  // namespace kiln::cpu
#endif
