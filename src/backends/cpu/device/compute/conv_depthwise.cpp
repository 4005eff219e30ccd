// Depthwise convolution on NHWC float32: a block of channels at a time, in tiles of up to eight pixels
// of a row.
#include "backends/cpu/device/compute/conv_depthwise.h"

#include <algorithm>
#include <limits>

#include "backends/cpu/device/compute/denormals.h"
#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/tile_kernel.h"
#include "base/checked.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/conv_depthwise.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/epilogue-inl.h"

#ifndef KILN_DEPTHWISE_RANGES
#define KILN_DEPTHWISE_RANGES
namespace kiln::cpu {
namespace {

// Output rows (of all images) and channels.
struct DepthwiseRange {
  int64_t first_row, last_row, first_channel, last_channel;
};

}  // namespace
}  // namespace kiln::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// One output row and a block of channels: pixels that see the same rows of the input.
struct RowPiece {
  const float* x;              // first input row that counts, column 0
  const float* w;              // weights of the first tap row that counts
  float* y;                    // output row
  const float* bias;           // null when absent
  int64_t tap_rows, channels;  // channels of the block
  int64_t w_tap, x_row, x_pixel, y_pixel;
  float low, high;  // results are limited to these
};

// Columns of the input under a tile, counted from its first window: those in [first, last) exist.
struct Columns {
  int64_t first, last;
};

// Arrays of vectors stay in registers only when every loop over them is unrolled.
#define KILN_UNROLL _Pragma("GCC unroll 32")

template <int kernel, int stride, int pixels, bool border>
HWY_INLINE void tile_vector(const RowPiece& r, Columns inside, const float* x, float* y, int64_t c, int64_t part) {
  const F32 d;
  auto load = [&](const float* p) HWY_ATTR { return part ? load_part(d, p, part) : hn::LoadU(d, p); };
  VF sum[pixels];
  const VF start = r.bias ? load(r.bias + c) : hn::Zero(d);
  KILN_UNROLL
  for (int p = 0; p < pixels; ++p) sum[p] = start;
  const float* w = r.w + c;
  x += c;
  for (int64_t row = 0; row < r.tap_rows; ++row, x += r.x_row, w += kernel * r.w_tap) {
    VF weight[kernel];
    KILN_UNROLL
    for (int k = 0; k < kernel; ++k) weight[k] = load(w + k * r.w_tap);
    const float* column = x;
    KILN_UNROLL
    for (int i = 0; i < (pixels - 1) * stride + kernel; ++i, column += r.x_pixel) {
      if (border && (i < inside.first || i >= inside.last)) continue;
      const VF v = load(column);
      KILN_UNROLL
      for (int k = 0; k < kernel; ++k) {
        const int p = (i - k) / stride;
        if (i >= k && (i - k) % stride == 0 && p < pixels) sum[p] = hn::MulAdd(v, weight[k], sum[p]);
      }
    }
  }
  const VF low = hn::Set(d, r.low), high = hn::Set(d, r.high);
  y += c;
  KILN_UNROLL
  for (int p = 0; p < pixels; ++p, y += r.y_pixel) {
    const VF v = clamp(sum[p], low, high);
    if (part) store_part(d, v, y, part);
    else hn::StoreU(v, d, y);
  }
}

#undef KILN_UNROLL

template <int kernel, int stride, int pixels, bool border>
HWY_INLINE void tile_channels(const RowPiece& r, Columns inside, const float* x, float* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  int64_t c = 0;
  for (; c + lanes <= r.channels; c += lanes) tile_vector<kernel, stride, pixels, border>(r, inside, x, y, c, 0);
  if (c < r.channels) tile_vector<kernel, stride, pixels, border>(r, inside, x, y, c, r.channels - c);
}

// `left` is the input column of the first window's first tap; the input has `width` columns.
template <int kernel, int stride, int pixels>
void tile(const RowPiece& piece, int64_t left, int64_t width, const float* x, float* y) {
  const RowPiece r = piece;  // which stores to y cannot change
  constexpr int64_t span = (pixels - 1) * stride + kernel;
  const Columns inside{std::clamp<int64_t>(-left, 0, span), std::clamp<int64_t>(width - left, 0, span)};
  if (inside.first == 0 && inside.last == span) tile_channels<kernel, stride, pixels, false>(r, inside, x, y);
  else tile_channels<kernel, stride, pixels, true>(r, inside, x, y);
}

using TileFunction = void (*)(const RowPiece&, int64_t, int64_t, const float*, float*);
constexpr int kMaxPixels = 8;
struct TileSet {
  TileFunction by_pixels[kMaxPixels + 1] = {};
};
template <int kernel, int stride> constexpr TileSet tile_set() {
  return {{nullptr, tile<kernel, stride, 1>, tile<kernel, stride, 2>, tile<kernel, stride, 3>, tile<kernel, stride, 4>,
           tile<kernel, stride, 5>, tile<kernel, stride, 6>, tile<kernel, stride, 7>, tile<kernel, stride, 8>}};
}

const TileSet* find_tiles(const Window2d& w) {
  static constexpr TileSet k3s1 = tile_set<3, 1>(), k3s2 = tile_set<3, 2>(), k5s1 = tile_set<5, 1>(),
                           k5s2 = tile_set<5, 2>(), k7s1 = tile_set<7, 1>();
  if (w.dilation_w != 1) return nullptr;
  if (w.kernel_w == 3) return w.stride_w == 1 ? &k3s1 : w.stride_w == 2 ? &k3s2 : nullptr;
  if (w.kernel_w == 5) return w.stride_w == 1 ? &k5s1 : w.stride_w == 2 ? &k5s2 : nullptr;
  return w.kernel_w == 7 && w.stride_w == 1 ? &k7s1 : nullptr;
}

// One pixel with any window; `taps` are the columns that count, `w_row` and `x_row` the strides between tap rows.
HWY_INLINE void pixel(const RowPiece& r, const Window2d& window, Taps taps, const float* x, float* y) {
  const F32 d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), columns = taps.end - taps.begin;
  const float* w0 = r.w + taps.begin * r.w_tap;
  const float* x0 = x + taps.begin * window.dilation_w * r.x_pixel;
  const int64_t x_step = window.dilation_w * r.x_pixel, w_row = window.kernel_w * r.w_tap;
  const VF low = hn::Set(d, r.low), high = hn::Set(d, r.high);
  int64_t c = 0;
  for (; c + 2 * lanes <= r.channels; c += 2 * lanes) {
    VF a = r.bias ? hn::LoadU(d, r.bias + c) : hn::Zero(d), b = r.bias ? hn::LoadU(d, r.bias + c + lanes) : hn::Zero(d);
    for (int64_t row = 0; row < r.tap_rows; ++row) {
      const float *xp = x0 + row * r.x_row + c, *wp = w0 + row * w_row + c;
      for (int64_t k = 0; k < columns; ++k, xp += x_step, wp += r.w_tap) {
        a = hn::MulAdd(hn::LoadU(d, xp), hn::LoadU(d, wp), a);
        b = hn::MulAdd(hn::LoadU(d, xp + lanes), hn::LoadU(d, wp + lanes), b);
      }
    }
    hn::StoreU(clamp(a, low, high), d, y + c);
    hn::StoreU(clamp(b, low, high), d, y + c + lanes);
  }
  for (; c < r.channels; c += lanes) {
    const int64_t n = std::min(lanes, r.channels - c);
    auto load = [&](const float* p) HWY_ATTR { return n < lanes ? load_part(d, p, n) : hn::LoadU(d, p); };
    VF a = r.bias ? load(r.bias + c) : hn::Zero(d);
    for (int64_t row = 0; row < r.tap_rows; ++row) {
      const float *xp = x0 + row * r.x_row + c, *wp = w0 + row * w_row + c;
      for (int64_t k = 0; k < columns; ++k, xp += x_step, wp += r.w_tap) a = hn::MulAdd(load(xp), load(wp), a);
    }
    if (n < lanes) store_part(d, clamp(a, low, high), y + c, n);
    else hn::StoreU(clamp(a, low, high), d, y + c);
  }
}

// What is left of the epilogue once bias and limits are done in registers.
Epilogue take_limits(const Epilogue& e, RowPiece& r) {
  Epilogue rest = e;
  r.low = -std::numeric_limits<float>::infinity();
  r.high = std::numeric_limits<float>::infinity();
  r.bias = e.bias;
  rest.bias = nullptr;
  if (e.residual && !e.residual_after) return rest;
  if (e.activation == Activation::kRelu) r.low = 0;
  else if (e.activation == Activation::kClip) r.low = e.alpha, r.high = e.beta;
  else return rest;
  rest.activation = Activation::kNone;
  return rest;
}

// The rows of one block of channels.
void depthwise_block(const DepthwiseShape& s, const float* x, PixelStrides xs, const float* packed, float* y,
                     PixelStrides ys, const Epilogue& epilogue, const DepthwiseRange& range) {
  const Window2d& w = s.window;
  RowPiece r{};
  const Epilogue rest = take_limits(epilogue, r);
  const int64_t channel = range.first_channel;
  r.channels = range.last_channel - channel;
  if (r.bias) r.bias += channel;
  r.w_tap = s.channels;
  r.x_row = xs.row * w.dilation_h;
  r.x_pixel = xs.pixel;
  r.y_pixel = ys.pixel;
  const bool activation_alone = !rest.empty() && !rest.residual && !rest.hook;
  const TileSet* tiles = find_tiles(w);
  const int64_t most = tiles ? kMaxPixels : 1;
  for (int64_t row = range.first_row; row < range.last_row; ++row) {
    const int64_t image = row / s.out_height, oh = row % s.out_height, top = oh * w.stride_h - w.pad_top;
    const Taps tap_rows = inner_taps(top, w.kernel_h, w.dilation_h, s.height);
    r.tap_rows = std::max<int64_t>(tap_rows.end - tap_rows.begin, 0);
    r.x = x + channel + image * xs.image + (r.tap_rows ? (top + tap_rows.begin * w.dilation_h) * xs.row : 0);
    r.w = packed + channel + tap_rows.begin * w.kernel_w * s.channels;
    r.y = y + channel + image * ys.image + oh * ys.row;
    for (int64_t ow = 0, left = s.out_width; left > 0;) {
      const int64_t pieces = (left + most - 1) / most, n = (left + pieces - 1) / pieces;
      const int64_t column = ow * w.stride_w - w.pad_left;
      if (tiles) {
        tiles->by_pixels[n](r, column, s.width, r.x + column * xs.pixel, r.y + ow * ys.pixel);
      } else {
        const Taps taps = inner_taps(column, w.kernel_w, w.dilation_w, s.width);
        const bool none = taps.begin >= taps.end;
        pixel(r, w, none ? Taps{0, 0} : taps, none ? r.x : r.x + column * xs.pixel, r.y + ow * ys.pixel);
      }
      if (activation_alone) {
        tile_table().activate(rest, nullptr, r.y + ow * ys.pixel, ys.pixel, n, r.channels);
      } else {
        for (int64_t p = ow; p < ow + n && !rest.empty(); ++p)
          apply_epilogue(rest, r.y + p * ys.pixel, r.channels, row * s.out_width + p, channel);
      }
      ow += n;
      left -= n;
    }
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(depthwise_block);

namespace {

constexpr int64_t kChannelBlock = 96;  // whose weights and input rows stay in the first-level cache

}  // namespace

void pack_depthwise_weights(const float* weights, int64_t channels, int64_t kernel_h, int64_t kernel_w,
                            float* packed) noexcept {
  const int64_t taps = kernel_h * kernel_w;
  for (int64_t t = 0; t < taps; ++t) {
    for (int64_t c = 0; c < channels; ++c) packed[t * channels + c] = weights[c * taps + t];
  }
}

void conv_depthwise(const DepthwiseShape& shape, const float* x, PixelStrides x_strides, const float* packed, float* y,
                    PixelStrides y_strides, const Epilogue& epilogue, int threads) noexcept {
  const int64_t rows = shape.batch * shape.out_height;
  const double outputs = static_cast<double>(rows * shape.out_width * shape.channels);
  const double nanoseconds =
      outputs * (0.1 + 0.01 * static_cast<double>(shape.window.kernel_h * shape.window.kernel_w));
  const int64_t blocks = std::max<int64_t>(ceil_div(shape.channels, kChannelBlock), 1);
  const int64_t block = align_up(ceil_div(shape.channels, blocks), 16);
  const auto run = [&](int64_t first_row, int64_t last_row, int64_t first_block, int64_t last_block) {
    const DenormalsAreZero fast;
    for (int64_t i = first_block; i < last_block; ++i) {
      const DepthwiseRange range{first_row, last_row, i * block, std::min((i + 1) * block, shape.channels)};
      if (range.first_channel < range.last_channel)
        HWY_DYNAMIC_DISPATCH(depthwise_block)(shape, x, x_strides, packed, y, y_strides, epilogue, range);
    }
  };
  const int useful = useful_threads(threads, nanoseconds);
  const bool rows_even = rows % useful == 0 || rows >= 8 * useful;
  if (rows_even || blocks < useful)
    parallel_ranges(useful, rows, [&](int64_t begin, int64_t end) { run(begin, end, 0, blocks); });
  else parallel_ranges(useful, blocks, [&](int64_t begin, int64_t end) { run(0, rows, begin, end); });
}

}  // namespace kiln::cpu
#endif
