// Normalisations. Means first, then the squares of differences: exact for data far from zero.
#include "backends/cpu/device/compute/normalize.h"

#include <cmath>

#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/normalize.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/reduce-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

template <class T> HWY_INLINE double sum_squares(const T* p, int64_t n, T mean) {
  const auto m = hn::Set(hn::ScalableTag<T>(), mean);
  return sum_row(p, n, [&](auto v) HWY_ATTR {
    v = hn::Sub(v, m);
    return hn::Mul(v, v);
  });
}
template <class T> HWY_INLINE double sum_plain(const T* p, int64_t n) {
  return sum_row(p, n, [](auto v) HWY_ATTR { return v; });
}
HWY_INLINE double inverse_root(double variance, double epsilon) { return 1.0 / std::sqrt(variance + epsilon); }

// to = x + skip + skip_bias
template <class T> HWY_INLINE void add_rows(const T* x, const T* skip, const T* skip_bias, T* to, int64_t n) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < n; i += lanes) {
    const int64_t part = std::min(lanes, n - i);
    auto load = [&](const T* p) HWY_ATTR { return load_part_or_all(d, p + i, part, lanes); };
    auto v = load(x);
    if (skip) v = hn::Add(v, load(skip));
    if (skip_bias) v = hn::Add(v, load(skip_bias));
    if (part < lanes) store_part(d, v, to + i, part);
    else hn::StoreU(v, d, to + i);
  }
}

// y = (x - mean) * factor * scale + bias
template <class T>
HWY_INLINE void scale_row(const T* x, T* y, int64_t n, T mean, T factor, const T* scale, const T* bias) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto m = hn::Set(d, mean), f = hn::Set(d, factor);
  for (int64_t i = 0; i < n; i += lanes) {
    const int64_t part = std::min(lanes, n - i);
    auto load = [&](const T* p) HWY_ATTR { return load_part_or_all(d, p + i, part, lanes); };
    auto v = hn::Mul(hn::Sub(load(x), m), f);
    if (scale) v = hn::Mul(v, load(scale));
    if (bias) v = hn::Add(v, load(bias));
    if (part < lanes) store_part(d, v, y + i, part);
    else hn::StoreU(v, d, y + i);
  }
}

template <class T>
HWY_INLINE void norm_rows(const RowNormOf<T>& norm, const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t begin,
                          int64_t end) {
  const int64_t n = norm.n;
  const auto count = static_cast<double>(n);
  for (int64_t r = begin; r < end; ++r) {
    const T* row = x + r * x_stride;
    T* out = y + r * y_stride;
    if (norm.skip || norm.skip_bias || norm.sum) {
      T* sum = norm.sum ? norm.sum + r * norm.sum_stride : out;
      add_rows(row, norm.skip ? norm.skip + r * norm.skip_stride : nullptr, norm.skip_bias, sum, n);
      row = sum;
    }
    const T mean = norm.subtract_mean ? static_cast<T>(sum_plain(row, n) / count) : T{0};
    const T factor = static_cast<T>(inverse_root(sum_squares(row, n, mean) / count, norm.epsilon));
    scale_row(row, out, n, mean, factor, norm.scale, norm.bias);
    if (norm.mean) norm.mean[r] = mean;
    if (norm.inverse_deviation) norm.inverse_deviation[r] = factor;
  }
}

void norm_rows_f32(const RowNorm& norm, const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t begin,
                   int64_t end) {
  norm_rows(norm, x, x_stride, y, y_stride, begin, end);
}
void norm_rows_f64(const RowNormOf<double>& norm, const double* x, int64_t x_stride, double* y, int64_t y_stride,
                   int64_t begin, int64_t end) {
  norm_rows(norm, x, x_stride, y, y_stride, begin, end);
}

// Groups of channels that lie together: [begin, end) numbers the groups of all images.
void norm_planes(const GroupNorm& norm, const float* x, float* y, int64_t begin, int64_t end) {
  const int64_t channels = norm.channels / norm.groups, n = channels * norm.pixels;
  const auto count = static_cast<double>(n);
  for (int64_t g = begin; g < end; ++g) {
    const float* in = x + g * n;
    float* out = y + g * n;
    const auto mean = static_cast<float>(sum_plain(in, n) / count);
    const auto factor = static_cast<float>(inverse_root(sum_squares(in, n, mean) / count, norm.epsilon));
    for (int64_t k = 0; k < channels; ++k) {
      const int64_t c = g % norm.groups * channels + k;
      const VF m = hn::Set(F32(), mean), f = hn::Set(F32(), norm.scale ? factor * norm.scale[c] : factor);
      const VF b = hn::Set(F32(), norm.bias ? norm.bias[c] : 0.0f);
      transform(in + k * norm.pixels, out + k * norm.pixels, norm.pixels,
                [&](F32, VF v) HWY_ATTR { return hn::MulAdd(hn::Sub(v, m), f, b); });
    }
  }
}

// sums[c] += map(x[p][c] - mean[c]) over pixels, map the identity or the square; float blocks added in double.
template <bool square>
void add_pixels(const float* x, int64_t pixels, int64_t pixel_stride, int64_t channels, const float* mean,
                double* sums) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float part_sums[hn::MaxLanes(d)];
  constexpr int64_t kBlock = 256;
  for (int64_t c = 0; c < channels; c += lanes) {
    const int64_t part = std::min(lanes, channels - c);
    auto load = [&](const float* p) HWY_ATTR { return part < lanes ? load_part(d, p, part) : hn::LoadU(d, p); };
    const VF m = square ? load(mean + c) : hn::Zero(d);
    for (int64_t first = 0; first < pixels; first += kBlock) {
      VF sum = hn::Zero(d);
      const float* p = x + first * pixel_stride + c;
      for (int64_t i = std::min(kBlock, pixels - first); i > 0; --i, p += pixel_stride) {
        const VF v = hn::Sub(load(p), m);
        sum = square ? hn::MulAdd(v, v, sum) : hn::Add(sum, v);
      }
      hn::Store(sum, d, part_sums);
      for (int64_t i = 0; i < part; ++i) sums[c + i] += static_cast<double>(part_sums[i]);
    }
  }
}

// One piece of channels, at most kGroupChannels, holding whole groups or the whole of one.
constexpr int64_t kGroupChannels = 64;

void norm_pixels(const GroupNorm& norm, const float* x, float* y, int64_t group) {
  const int64_t channels = norm.channels / norm.groups;
  const int64_t image = group / norm.groups, first = group % norm.groups * channels;
  const float* in = x + image * norm.pixels * norm.channels + first;
  float* out = y + image * norm.pixels * norm.channels + first;
  const double count = static_cast<double>(channels) * static_cast<double>(norm.pixels);
  float means[kGroupChannels] = {};
  auto total = [&](auto square) HWY_ATTR {
    double all = 0;
    for (int64_t c = 0; c < channels; c += kGroupChannels) {
      const int64_t n = std::min(kGroupChannels, channels - c);
      double sums[kGroupChannels] = {};
      add_pixels<decltype(square)::value>(in + c, norm.pixels, norm.channels, n, means, sums);
      for (int64_t i = 0; i < n; ++i) all += sums[i];
    }
    return all / count;
  };
  const auto mean = static_cast<float>(total(std::false_type()));
  std::fill(means, means + kGroupChannels, mean);
  const auto factor = static_cast<float>(inverse_root(total(std::true_type()), norm.epsilon));
  for (int64_t p = 0; p < norm.pixels; ++p) {
    scale_row(in + p * norm.channels, out + p * norm.channels, channels, mean, factor,
              norm.scale ? norm.scale + first : nullptr, norm.bias ? norm.bias + first : nullptr);
  }
}

// Instance norm: every channel its own statistics, a piece of channels at a time.
void norm_instances(const GroupNorm& norm, const float* x, float* y, int64_t piece) {
  const int64_t pieces = (norm.channels + kGroupChannels - 1) / kGroupChannels;
  const int64_t image = piece / pieces, first = piece % pieces * kGroupChannels,
                n = std::min(kGroupChannels, norm.channels - first);
  const float* in = x + image * norm.pixels * norm.channels + first;
  float* out = y + image * norm.pixels * norm.channels + first;
  const auto count = static_cast<double>(norm.pixels);
  double sums[kGroupChannels] = {}, squares[kGroupChannels] = {};
  HWY_ALIGN float means[kGroupChannels] = {}, scale[kGroupChannels] = {}, bias[kGroupChannels] = {};
  add_pixels<false>(in, norm.pixels, norm.channels, n, nullptr, sums);
  for (int64_t i = 0; i < n; ++i) means[i] = static_cast<float>(sums[i] / count);
  add_pixels<true>(in, norm.pixels, norm.channels, n, means, squares);
  for (int64_t i = 0; i < n; ++i) {
    scale[i] = static_cast<float>(inverse_root(squares[i] / count, norm.epsilon)) *
               (norm.scale ? norm.scale[first + i] : 1.0f);
    bias[i] = norm.bias ? norm.bias[first + i] : 0.0f;
  }
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t c = 0; c < n; c += lanes) {
    const int64_t part = std::min(lanes, n - c);
    const VF m = hn::Load(d, means + c), f = hn::Load(d, scale + c), b = hn::Load(d, bias + c);
    for (int64_t p = 0; p < norm.pixels; ++p) {
      const float* from = in + p * norm.channels + c;
      float* to = out + p * norm.channels + c;
      if (part < lanes) store_part(d, hn::MulAdd(hn::Sub(load_part(d, from, part), m), f, b), to, part);
      else hn::StoreU(hn::MulAdd(hn::Sub(hn::LoadU(d, from), m), f, b), d, to);
    }
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(norm_rows_f32);
HWY_EXPORT(norm_rows_f64);
HWY_EXPORT(norm_planes);
HWY_EXPORT(norm_pixels);
HWY_EXPORT(norm_instances);

void normalize_rows(const RowNorm& norm, const float* x, int64_t x_stride, float* y, int64_t y_stride,
                    int threads) noexcept {
  const double nanoseconds = 0.15 * static_cast<double>(norm.rows) * static_cast<double>(norm.n);
  parallel_ranges(useful_threads(threads, nanoseconds), norm.rows, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(norm_rows_f32)(norm, x, x_stride, y, y_stride, begin, end);
  });
}
void normalize_rows(const RowNormOf<double>& norm, const double* x, int64_t x_stride, double* y, int64_t y_stride,
                    int threads) noexcept {
  const double nanoseconds = 0.3 * static_cast<double>(norm.rows) * static_cast<double>(norm.n);
  parallel_ranges(useful_threads(threads, nanoseconds), norm.rows, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(norm_rows_f64)(norm, x, x_stride, y, y_stride, begin, end);
  });
}

namespace {
int norm_threads(const GroupNorm& n, int threads) {
  return useful_threads(threads, 0.2 * static_cast<double>(n.batch * n.channels) * static_cast<double>(n.pixels));
}
}  // namespace

void group_norm_nchw(const GroupNorm& norm, const float* x, float* y, int threads) noexcept {
  parallel_ranges(norm_threads(norm, threads), norm.pixels ? norm.batch * norm.groups : 0,
                  [&](int64_t begin, int64_t end) {
                    HWY_DYNAMIC_DISPATCH(norm_planes)
                    (norm, x, y, begin, end);
                  });
}

void group_norm_nhwc(const GroupNorm& norm, const float* x, float* y, int threads) noexcept {
  const bool instances = norm.groups == norm.channels;
  constexpr int64_t kPiece = 64;  // channels
  const int64_t pieces = instances ? (norm.channels + kPiece - 1) / kPiece : norm.groups;
  parallel_ranges(norm_threads(norm, threads), norm.pixels ? norm.batch * pieces : 0, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (instances) HWY_DYNAMIC_DISPATCH(norm_instances)(norm, x, y, i);
      else HWY_DYNAMIC_DISPATCH(norm_pixels)(norm, x, y, i);
    }
  });
}

}  // namespace kiln::cpu
#endif
