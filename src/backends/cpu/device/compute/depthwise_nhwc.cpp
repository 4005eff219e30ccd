// Depthwise convolution on NHWC float32: tiles of up to eight pixels of a row, all channels of a tile before the next.
#include "backends/cpu/device/compute/depthwise_nhwc.h"

#include <algorithm>
#include <limits>

#include "backends/cpu/device/compute/hwy_targets.h"
#include "backends/cpu/device/compute/parallel.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/device/compute/depthwise_nhwc.cpp"
#include "hwy/foreach_target.h"

#include "backends/cpu/device/compute/epilogue-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kiln::cpu::HWY_NAMESPACE {

// Pixels of one output row that see the same rows of the input.
struct RowPiece {
  const float* x;     // first input row that counts, column 0
  const float* w;     // weights of the first tap row that counts
  float* y;           // output row
  const float* bias;  // null when absent
  int64_t tap_rows, channels, x_row, x_pixel, y_pixel;
  float low, high;  // results are limited to these
};

// Arrays of vectors stay in registers only when every loop over them is unrolled.
#define KILN_UNROLL _Pragma("GCC unroll 32")

template <int kernel, int stride, int pixels>
HWY_INLINE void tile_vector(const RowPiece& r, const float* x, float* y, int64_t c, int64_t part) {
  const F32 d;
  auto load = [&](const float* p) HWY_ATTR { return part ? load_part(d, p, part) : hn::LoadU(d, p); };
  VF sum[pixels];
  const VF start = r.bias ? load(r.bias + c) : hn::Zero(d);
  KILN_UNROLL
  for (int p = 0; p < pixels; ++p) sum[p] = start;
  const float* w = r.w + c;
  x += c;
  for (int64_t row = 0; row < r.tap_rows; ++row, x += r.x_row, w += kernel * r.channels) {
    VF weight[kernel];
    KILN_UNROLL
    for (int k = 0; k < kernel; ++k) weight[k] = load(w + k * r.channels);
    const float* column = x;
    KILN_UNROLL
    for (int i = 0; i < (pixels - 1) * stride + kernel; ++i, column += r.x_pixel) {
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

template <int kernel, int stride, int pixels> void tile(const RowPiece& r, const float* x, float* y) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(F32()));
  int64_t c = 0;
  for (; c + lanes <= r.channels; c += lanes) tile_vector<kernel, stride, pixels>(r, x, y, c, 0);
  if (c < r.channels) tile_vector<kernel, stride, pixels>(r, x, y, c, r.channels - c);
}

using TileFunction = void (*)(const RowPiece&, const float*, float*);
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
  const float* w0 = r.w + taps.begin * r.channels;
  const float* x0 = x + taps.begin * window.dilation_w * r.x_pixel;
  const int64_t x_step = window.dilation_w * r.x_pixel, w_row = window.kernel_w * r.channels;
  const VF low = hn::Set(d, r.low), high = hn::Set(d, r.high);
  int64_t c = 0;
  for (; c + 2 * lanes <= r.channels; c += 2 * lanes) {
    VF a = r.bias ? hn::LoadU(d, r.bias + c) : hn::Zero(d), b = r.bias ? hn::LoadU(d, r.bias + c + lanes) : hn::Zero(d);
    for (int64_t row = 0; row < r.tap_rows; ++row) {
      const float *xp = x0 + row * r.x_row + c, *wp = w0 + row * w_row + c;
      for (int64_t k = 0; k < columns; ++k, xp += x_step, wp += r.channels) {
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
      for (int64_t k = 0; k < columns; ++k, xp += x_step, wp += r.channels) a = hn::MulAdd(load(xp), load(wp), a);
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

void depthwise_rows(const DepthwiseShape& s, const float* x, PixelStrides xs, const float* packed, float* y,
                    PixelStrides ys, const Epilogue& epilogue, int64_t begin, int64_t end) {
  const Window2d& w = s.window;
  RowPiece r{};
  const Epilogue rest = take_limits(epilogue, r);
  r.channels = s.channels;
  r.x_row = xs.row * w.dilation_h;
  r.x_pixel = xs.pixel;
  r.y_pixel = ys.pixel;
  const TileSet* tiles = find_tiles(w);
  // Output columns whose windows lie inside the input.
  const int64_t reach = (w.kernel_w - 1) * w.dilation_w;
  const int64_t first = std::min(s.out_width, (w.pad_left + w.stride_w - 1) / w.stride_w);
  const int64_t room = s.width - 1 - reach + w.pad_left;
  const int64_t last = tiles ? std::clamp(room < 0 ? 0 : room / w.stride_w + 1, first, s.out_width) : first;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / s.out_height, oh = row % s.out_height, top = oh * w.stride_h - w.pad_top;
    const Taps tap_rows = inner_taps(top, w.kernel_h, w.dilation_h, s.height);
    r.tap_rows = tap_rows.end - tap_rows.begin;
    r.x = x + image * xs.image + (r.tap_rows ? (top + tap_rows.begin * w.dilation_h) * xs.row : 0);
    r.w = packed + tap_rows.begin * w.kernel_w * s.channels;
    r.y = y + image * ys.image + oh * ys.row;
    auto finish = [&](int64_t ow, int64_t count) {
      for (int64_t p = ow; p < ow + count && !rest.empty(); ++p) {
        apply_epilogue(rest, r.y + p * ys.pixel, s.channels, row * s.out_width + p, 0);
      }
    };
    auto slow = [&](int64_t from, int64_t to) {
      for (int64_t ow = from; ow < to; ++ow) {
        const int64_t left = ow * w.stride_w - w.pad_left;
        Taps taps = inner_taps(left, w.kernel_w, w.dilation_w, s.width);
        const bool none = taps.begin >= taps.end;
        if (none) taps = {0, 0};
        pixel(r, w, taps, none ? r.x : r.x + left * xs.pixel, r.y + ow * ys.pixel);
        finish(ow, 1);
      }
    };
    slow(0, first);
    for (int64_t ow = first, left = last - first; left > 0;) {
      const int64_t pieces = (left + kMaxPixels - 1) / kMaxPixels, n = (left + pieces - 1) / pieces;
      tiles->by_pixels[n](r, r.x + (ow * w.stride_w - w.pad_left) * xs.pixel, r.y + ow * ys.pixel);
      finish(ow, n);
      ow += n;
      left -= n;
    }
    slow(last, s.out_width);
  }
}

}  // namespace kiln::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kiln::cpu {
HWY_EXPORT(depthwise_rows);

void pack_depthwise_weights(const float* weights, int64_t channels, int64_t kernel_h, int64_t kernel_w,
                            float* packed) noexcept {
  const int64_t taps = kernel_h * kernel_w;
  for (int64_t t = 0; t < taps; ++t) {
    for (int64_t c = 0; c < channels; ++c) packed[t * channels + c] = weights[c * taps + t];
  }
}

void depthwise_nhwc(const DepthwiseShape& shape, const float* x, PixelStrides x_strides, const float* packed, float* y,
                    PixelStrides y_strides, const Epilogue& epilogue, int threads) noexcept {
  const int64_t rows = shape.batch * shape.out_height;
  const double outputs = static_cast<double>(rows * shape.out_width * shape.channels);
  const double nanoseconds =
      outputs * (0.1 + 0.01 * static_cast<double>(shape.window.kernel_h * shape.window.kernel_w));
  parallel_ranges(useful_threads(threads, nanoseconds), rows, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(depthwise_rows)(shape, x, x_strides, packed, y, y_strides, epilogue, begin, end);
  });
}

}  // namespace kiln::cpu
#endif
