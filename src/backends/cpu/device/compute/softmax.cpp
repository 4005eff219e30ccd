// Softmax and log-softmax on float32 and float64.
#include "backends/cpu/device/compute/softmax.h"

#include <cmath>

#include "backends/cpu/device/compute/denormals.h"
#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/softmax.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

HWY_INLINE void scale_and_mask(const float* x, const float* mask, float scale, float* y, int64_t n) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const VF factor = hn::Set(d, scale);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const VF v = hn::LoadU(d, x + i);
    hn::StoreU(mask ? hn::MulAdd(v, factor, hn::LoadU(d, mask + i)) : hn::Mul(v, factor), d, y + i);
  }
  if (i < n) {
    const VF v = load_part(d, x + i, n - i);
    store_part(d, mask ? hn::MulAdd(v, factor, load_part(d, mask + i, n - i)) : hn::Mul(v, factor), y + i, n - i);
  }
}

// y = e^(x - shift); returns the sum.
template <class T> HWY_INLINE T exp_row(const T* x, T shift, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const V s = hn::Set(d, shift);
  V a = hn::Zero(d), b = a;
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const V e0 = exp(d, hn::Sub(hn::LoadU(d, x + i), s)), e1 = exp(d, hn::Sub(hn::LoadU(d, x + i + lanes), s));
    hn::StoreU(e0, d, y + i);
    hn::StoreU(e1, d, y + i + lanes);
    a = hn::Add(a, e0);
    b = hn::Add(b, e1);
  }
  for (; i < n; i += lanes) {
    const int64_t part = std::min(lanes, n - i);
    const auto counts = hn::FirstN(d, static_cast<size_t>(part));
    const V e = hn::IfThenElseZero(counts, exp(d, hn::Sub(load_part_or_all(d, x + i, part, lanes), s)));
    if (part < lanes) store_part(d, e, y + i, part);
    else hn::StoreU(e, d, y + i);
    a = hn::Add(a, e);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b)));
}

template <class T> HWY_INLINE void plain_row(bool logarithm, const T* x, T* y, int64_t n) {
  const hn::ScalableTag<T> d;
  const T largest = max_row(x, n);
  if (logarithm) {
    const auto shift = hn::Set(d, largest);
    const double sum = sum_row(x, n, [&](auto v) HWY_ATTR { return exp(d, hn::Sub(v, shift)); });
    const auto rest = hn::Set(d, static_cast<T>(std::log(sum)));
    transform(x, y, n, [&](auto, auto v) HWY_ATTR { return hn::Sub(hn::Sub(v, shift), rest); });
    return;
  }
  const auto factor = hn::Set(d, T{1} / exp_row(x, largest, y, n));
  transform(y, y, n, [&](auto, auto v) HWY_ATTR { return hn::Mul(v, factor); });
}

void softmax_row(bool logarithm, const float* x, const float* mask, float scale, float* y, int64_t n) {
  if (mask || scale != 1) {
    scale_and_mask(x, mask, scale, y, n);
    x = y;
  }
  plain_row(logarithm, x, y, n);
}
void softmax_row_f64(bool logarithm, const double* x, double* y, int64_t n) { plain_row(logarithm, x, y, n); }

// Needed once per column.
HWY_INLINE VD log(F64 d, VD x) {
  HWY_ALIGN double lanes[hn::MaxLanes(d)];
  hn::Store(x, d, lanes);
  for (double& v : lanes) v = std::log(v);
  return hn::Load(d, lanes);
}

// Lanes run over the inner dimension.
template <class T>
HWY_INLINE void columns(bool logarithm, const T* x, T* y, int64_t n, int64_t inner, int64_t begin, int64_t end) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = begin; c < end; c += lanes) {
    const int64_t part = std::min(lanes, end - c);
    auto load = [&](const T* p) HWY_ATTR { return load_part_or_all(d, p, part, lanes); };
    auto store = [&](V v, T* p) HWY_ATTR {
      if (part < lanes) store_part(d, v, p, part);
      else hn::StoreU(v, d, p);
    };
    V largest = hn::Set(d, -std::numeric_limits<T>::infinity());
    for (int64_t i = 0; i < n; ++i) largest = nan_max(largest, load(x + i * inner + c));
    V sum = hn::Zero(d);
    for (int64_t i = 0; i < n; ++i) {
      const V e = exp(d, hn::Sub(load(x + i * inner + c), largest));
      sum = hn::Add(sum, e);
      if (!logarithm) store(e, y + i * inner + c);
    }
    const V last = logarithm ? log(d, sum) : hn::Div(hn::Set(d, T{1}), sum);
    for (int64_t i = 0; i < n; ++i) {
      if (logarithm) store(hn::Sub(hn::Sub(load(x + i * inner + c), largest), last), y + i * inner + c);
      else store(hn::Mul(load(y + i * inner + c), last), y + i * inner + c);
    }
  }
}

void softmax_columns(bool logarithm, const float* x, float* y, int64_t n, int64_t inner, int64_t begin, int64_t end) {
  columns(logarithm, x, y, n, inner, begin, end);
}
void softmax_columns_f64(bool logarithm, const double* x, double* y, int64_t n, int64_t inner, int64_t begin,
                         int64_t end) {
  columns(logarithm, x, y, n, inner, begin, end);
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(softmax_row);
HWY_EXPORT(softmax_columns);
HWY_EXPORT(softmax_row_f64);
HWY_EXPORT(softmax_columns_f64);

void softmax_rows(bool logarithm, int64_t rows, int64_t n, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                  float scale, const SoftmaxMask& mask, int threads) noexcept {
  const double nanoseconds = 0.8 * static_cast<double>(rows) * static_cast<double>(n);
  parallel_ranges(useful_threads(threads, nanoseconds), n ? rows : 0, [&](int64_t begin, int64_t end) {
    const DenormalsAreZero fast;
    for (int64_t r = begin; r < end; ++r) {
      const float* m = nullptr;
      if (mask.data) {
        m = mask.data + r / (mask.dims[1] * mask.dims[2]) * mask.strides[0] +
            r / mask.dims[2] % mask.dims[1] * mask.strides[1] + r % mask.dims[2] * mask.strides[2];
      }
      HWY_DYNAMIC_DISPATCH(softmax_row)(logarithm, x + r * x_stride, m, scale, y + r * y_stride, n);
    }
  });
}

namespace {
// Calls columns(begin of the block [n, inner], first column, end of the columns) for pieces of work.
template <class Columns>
void for_each_piece(int64_t outer, int64_t n, int64_t inner, double nanoseconds, int threads, const Columns& columns) {
  constexpr int64_t kColumns = 64;  // of one piece of work
  const int64_t pieces = (inner + kColumns - 1) / kColumns;
  parallel_ranges(useful_threads(threads, nanoseconds), n ? outer * pieces : 0, [&](int64_t begin, int64_t end) {
    const DenormalsAreZero fast;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t c = i % pieces * kColumns;
      columns(i / pieces * n * inner, c, std::min(inner, c + kColumns));
    }
  });
}
double elements(int64_t outer, int64_t n, int64_t inner) {
  return static_cast<double>(outer) * static_cast<double>(n) * static_cast<double>(inner);
}
}  // namespace

void softmax_middle(bool logarithm, int64_t outer, int64_t n, int64_t inner, const float* x, float* y,
                    int threads) noexcept {
  if (inner == 1) return softmax_rows(logarithm, outer, n, x, n, y, n, 1, {}, threads);
  for_each_piece(outer, n, inner, elements(outer, n, inner), threads, [&](int64_t base, int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(softmax_columns)(logarithm, x + base, y + base, n, inner, begin, end);
  });
}

void softmax_middle(bool logarithm, int64_t outer, int64_t n, int64_t inner, const double* x, double* y,
                    int threads) noexcept {
  const double nanoseconds = 2 * elements(outer, n, inner);
  if (inner > 1)
    return for_each_piece(outer, n, inner, nanoseconds, threads, [&](int64_t base, int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(softmax_columns_f64)(logarithm, x + base, y + base, n, inner, begin, end);
    });
  parallel_ranges(useful_threads(threads, nanoseconds), n ? outer : 0, [&](int64_t begin, int64_t end) {
    const DenormalsAreZero fast;
    for (int64_t r = begin; r < end; ++r) HWY_DYNAMIC_DISPATCH(softmax_row_f64)(logarithm, x + r * n, y + r * n, n);
  });
}

}  // namespace kiln::cpu
#endif
