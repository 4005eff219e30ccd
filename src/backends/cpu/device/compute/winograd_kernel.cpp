// Transforms of Winograd tiles on vectors of channels, for each instruction set.
#include "backends/cpu/device/compute/winograd_kernel.h"

#include <algorithm>

#include "backends/cpu/device/compute/hwy_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/winograd_kernel.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

inline constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(F32()));

// Interpolation points of tile 4: 0, and the positive and negative roots of 1/2 and 2. They lose about four times fewer digits
// than 0, 1, -1, 2, -2 for the same number of operations.
inline constexpr float kRootHalf = 0.70710678f, kRootTwo = 1.41421356f;

// B^T x, tile 4.
HWY_INLINE void input_line(const VF (&x)[6], VF (&y)[6]) {
  const F32 d;
  const VF half = hn::Set(d, 0.5f), two = hn::Set(d, 2.0f), sum = hn::Set(d, 2.5f);
  const VF root_half = hn::Set(d, kRootHalf), root_two = hn::Set(d, kRootTwo);
  const VF even1 = hn::NegMulAdd(two, x[2], x[4]), odd1 = hn::NegMulAdd(two, x[1], x[3]);
  const VF even2 = hn::NegMulAdd(half, x[2], x[4]), odd2 = hn::NegMulAdd(half, x[1], x[3]);
  y[0] = hn::Add(x[0], hn::NegMulAdd(sum, x[2], x[4]));
  y[1] = hn::MulAdd(root_half, odd1, even1);
  y[2] = hn::NegMulAdd(root_half, odd1, even1);
  y[3] = hn::MulAdd(root_two, odd2, even2);
  y[4] = hn::NegMulAdd(root_two, odd2, even2);
  y[5] = hn::Add(x[1], hn::NegMulAdd(sum, x[3], x[5]));
}

// B^T x, tile 2: interpolation points 0, 1, -1.
HWY_INLINE void input_line(const VF (&x)[4], VF (&y)[4]) {
  y[0] = hn::Sub(x[0], x[2]);
  y[1] = hn::Add(x[1], x[2]);
  y[2] = hn::Sub(x[2], x[1]);
  y[3] = hn::Sub(x[1], x[3]);
}

// A^T m, tile 4.
HWY_INLINE void output_line(const VF (&m)[6], VF (&y)[4]) {
  const F32 d;
  const VF half = hn::Set(d, 0.5f), two = hn::Set(d, 2.0f), root_half = hn::Set(d, kRootHalf);
  const VF cube1 = hn::Set(d, kRootHalf / 2), cube2 = hn::Set(d, kRootTwo * 2);
  const VF sum1 = hn::Add(m[1], m[2]), difference1 = hn::Sub(m[1], m[2]);
  const VF sum2 = hn::Add(m[3], m[4]), difference2 = hn::Sub(m[3], m[4]);
  y[0] = hn::Add(hn::Add(m[0], sum1), sum2);
  y[1] = hn::Mul(root_half, hn::MulAdd(two, difference2, difference1));
  y[2] = hn::MulAdd(two, sum2, hn::Mul(half, sum1));
  y[3] = hn::MulAdd(cube2, difference2, hn::MulAdd(cube1, difference1, m[5]));
}

// A^T m, tile 2.
HWY_INLINE void output_line(const VF (&m)[4], VF (&y)[2]) {
  y[0] = hn::Add(hn::Add(m[0], m[1]), m[2]);
  y[1] = hn::Sub(hn::Sub(m[1], m[2]), m[3]);
}

template <bool kPartial> HWY_INLINE VF load(F32 d, const float* p, int64_t lanes) {
  if constexpr (kPartial) return load_part(d, p, lanes);
  return hn::LoadU(d, p);
}

template <int kTile, bool kPartial>
HWY_INLINE void input_vector(const float* const* pixels, int64_t c, int64_t lanes, float* v, int64_t v_stride) {
  constexpr int kIn = kTile + 2;
  const F32 d;
  VF half[kIn][kIn];
#pragma GCC unroll 6
  for (int j = 0; j < kIn; ++j) {
    VF x[kIn], y[kIn];
#pragma GCC unroll 6
    for (int i = 0; i < kIn; ++i) x[i] = load<kPartial>(d, pixels[i * kIn + j] + c, lanes);
    input_line(x, y);
#pragma GCC unroll 6
    for (int i = 0; i < kIn; ++i) half[i][j] = y[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < kIn; ++i) {
    VF y[kIn];
    input_line(half[i], y);
#pragma GCC unroll 6
    for (int j = 0; j < kIn; ++j) hn::StoreU(y[j], d, v + (i * kIn + j) * v_stride + c);
  }
}

template <int kTile> void input_tile(const float* const* pixels, int64_t channels, float* v, int64_t v_stride) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) input_vector<kTile, false>(pixels, c, kLanes, v, v_stride);
  if (c < channels) input_vector<kTile, true>(pixels, c, channels - c, v, v_stride);
}

template <int kTile, bool kPartial> HWY_INLINE void output_vector(const WinogradOutput& o, int64_t c, int64_t lanes) {
  constexpr int kIn = kTile + 2;
  const F32 d;
  VF half[kTile][kIn];
#pragma GCC unroll 6
  for (int j = 0; j < kIn; ++j) {
    VF x[kIn], y[kTile];
#pragma GCC unroll 6
    for (int i = 0; i < kIn; ++i) x[i] = hn::LoadU(d, o.m + (i * kIn + j) * o.m_stride + c);
    output_line(x, y);
#pragma GCC unroll 4
    for (int i = 0; i < kTile; ++i) half[i][j] = y[i];
  }
  const VF bias = o.bias ? load<kPartial>(d, o.bias + c, lanes) : hn::Zero(d);
  const VF low = hn::Set(d, o.low), high = hn::Set(d, o.high);
#pragma GCC unroll 4
  for (int i = 0; i < kTile; ++i) {
    VF y[kTile];
    output_line(half[i], y);
#pragma GCC unroll 4
    for (int j = 0; j < kTile; ++j) {
      const int p = i * kTile + j;
      if (!o.pixels[p]) continue;
      VF sum = hn::Add(y[j], bias);
      if (o.before[p]) sum = hn::Add(sum, load<kPartial>(d, o.before[p] + c, lanes));
      sum = hn::Min(high, hn::Max(low, sum));  // in this order of operands x86 returns NaN for NaN
      if (o.after[p]) sum = hn::Add(sum, load<kPartial>(d, o.after[p] + c, lanes));
      if constexpr (kPartial) {
        store_part(d, sum, o.pixels[p] + c, lanes);
      } else {
        hn::StoreU(sum, d, o.pixels[p] + c);
      }
    }
  }
}

template <int kTile> void output_tile(const WinogradOutput& o) {
  int64_t c = 0;
  for (; c + kLanes <= o.columns; c += kLanes) output_vector<kTile, false>(o, c, kLanes);
  if (c < o.columns) output_vector<kTile, true>(o, c, o.columns - c);
}

void input_transform(int tile, const float* const* pixels, int64_t channels, float* v, int64_t v_stride) {
  if (tile == 4) return input_tile<4>(pixels, channels, v, v_stride);
  input_tile<2>(pixels, channels, v, v_stride);
}

void output_transform(int tile, const WinogradOutput& output) {
  if (tile == 4) return output_tile<4>(output);
  output_tile<2>(output);
}

// In double: filters are transformed once.
void filter_transform(int tile, const double* g, const float* filters, int64_t stride, int64_t count, int64_t width,
                      float* to, int64_t plane) {
  const F64 d;
  const hn::Rebind<float, F64> narrow;
  constexpr auto kDoubles = static_cast<int64_t>(hn::MaxLanes(F64()));
  const int side = tile + 2;
  for (int64_t first = 0; first < width; first += kDoubles) {
    HWY_ALIGN double w[9][kDoubles] = {};
    for (int64_t k = first; k < std::min(first + kDoubles, count); ++k)
      for (int t = 0; t < 9; ++t) w[t][k - first] = static_cast<double>(filters[k * stride + t]);
    for (int i = 0; i < side; ++i) {
      const auto line = [&](int row, VD a, VD b, VD c) HWY_ATTR {
        const VD sum = hn::MulAdd(hn::Set(d, g[row * 3 + 1]), b, hn::Mul(hn::Set(d, g[row * 3]), a));
        return hn::MulAdd(hn::Set(d, g[row * 3 + 2]), c, sum);
      };
      VD half[3];
      for (int x = 0; x < 3; ++x) half[x] = line(i, hn::Load(d, w[x]), hn::Load(d, w[3 + x]), hn::Load(d, w[6 + x]));
      for (int j = 0; j < side; ++j)
        hn::StoreU(hn::DemoteTo(narrow, line(j, half[0], half[1], half[2])), narrow,
                   to + (i * side + j) * plane + first);
    }
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(input_transform);
HWY_EXPORT(output_transform);
HWY_EXPORT(filter_transform);

void winograd_input(int tile, const float* const* pixels, int64_t channels, float* v, int64_t v_stride) noexcept {
  HWY_DYNAMIC_DISPATCH(input_transform)(tile, pixels, channels, v, v_stride);
}

void winograd_output(int tile, const WinogradOutput& output) noexcept {
  HWY_DYNAMIC_DISPATCH(output_transform)(tile, output);
}

void winograd_filters(int tile, const double* matrix, const float* filters, int64_t stride, int64_t count,
                      int64_t width, float* to, int64_t plane) noexcept {
  HWY_DYNAMIC_DISPATCH(filter_transform)(tile, matrix, filters, stride, count, width, to, plane);
}

}  // namespace kiln::cpu
#endif
