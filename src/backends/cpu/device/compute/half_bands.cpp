// Bands of images of 16 bits: their sizes, and conversions of lines.
#include "backends/cpu/device/compute/half_bands.h"

#include "backends/cpu/device/compute/half_lines.h"
#include "base/checked.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kBandFloats = 48 << 10;  // of a band and its result: half of a second-level cache

void widen(DType type, const uint16_t* from, float* to, int64_t count) {
  if (type == DType::kBF16) bf16_to_f32(from, to, count);
  else f16_to_f32(from, to, count);
}

void round_to(DType type, const float* from, uint16_t* to, int64_t count) {
  if (type == DType::kBF16) f32_to_bf16(from, to, count);
  else f32_to_f16(from, to, count);
}

// Runs of `count` numbers, so far apart, as one where they touch.
template <class F> void each_run(int64_t runs, int64_t count, int64_t stride, const F& convert) {
  if (stride == count) return convert(0, 0, runs * count);
  for (int64_t i = 0; i < runs; ++i) convert(i * stride, i * count, count);
}

}  // namespace

HalfBands::HalfBands(const ConvShape& shape, const BandConfig& config) : shape_(shape), config_(config) {
  const int64_t in_line = shape.in_w * shape.in_c, line = out_line(), residual = config.residual ? line : 0;
  const int64_t of_line = std::max<int64_t>(in_line * shape.stride_h + line + residual, 1);
  const int64_t least = ceil_div(config.pixels, std::max<int64_t>(shape.out_w(), 1));
  const int64_t height = std::max<int64_t>(shape.out_h(), 1), step = std::max<int64_t>(config.step, 1);
  lines_ = std::min(align_up(std::max({kBandFloats / of_line, least, int64_t{1}}), step), height);
  const int64_t in_lines = config.whole ? shape.batch * shape.in_h : std::min(window_lines(lines_), shape.in_h);
  const int64_t out_lines = config.whole ? shape.batch * shape.out_h() : lines_;
  x_floats_ = align_up(in_lines * in_line, 16);
  residual_floats_ = align_up(out_lines * residual, 16);
  y_floats_ = align_up(out_lines * line, 16);
}

ConvShape HalfBands::largest() const {
  ConvShape s = shape_;
  s.in_stride = s.in_c;
  s.out_stride = s.out_c;
  if (config_.whole) return s;
  s.batch = std::min<int64_t>(s.batch, 1);
  if (shape_.out_h() == 0) return s;
  s.in_h = window_lines(lines_);
  s.pad_top = s.pad_bottom = 0;
  return s;
}

Band HalfBands::widened(const HalfOperands& o, int64_t line, int64_t lines, float* scratch, int part) const noexcept {
  const int64_t image = line / shape_.out_h(), y = line % shape_.out_h();
  const int64_t all = window_lines(lines), top = y * shape_.stride_h - shape_.pad_top;
  const int64_t first = std::clamp<int64_t>(top, 0, shape_.in_h), last = std::clamp<int64_t>(top + all, 0, shape_.in_h);
  Band band{shape_, scratch, nullptr, scratch + x_floats_ + residual_floats_, part};
  band.shape.batch = 1;
  band.shape.in_h = last - first;
  band.shape.pad_top = std::clamp<int64_t>(-top, 0, all);
  band.shape.pad_bottom = all - band.shape.pad_top - band.shape.in_h;
  band.shape.in_stride = shape_.in_c;
  band.shape.out_stride = shape_.out_c;
  widen_lines(o, image * shape_.in_h + first, last - first, scratch);
  if (o.residual) {
    widen_residual(o, line, lines, scratch + x_floats_);
    band.residual = scratch + x_floats_;
  }
  return band;
}

void HalfBands::widen_lines(const HalfOperands& o, int64_t line, int64_t lines, float* to) const noexcept {
  const int64_t channels = shape_.in_c, width = shape_.in_w, line_numbers = width * channels;
  if (o.x.channel == 1 && o.x.pixel == channels && o.x.row == line_numbers && o.x.image == shape_.in_h * line_numbers)
    return widen(o.type, o.x.data + line * line_numbers, to, lines * line_numbers);
  for (int64_t i = line; i < line + lines; ++i, to += line_numbers) {
    const uint16_t* from = o.x.data + i / shape_.in_h * o.x.image + i % shape_.in_h * o.x.row;
    if (o.x.channel == 1 || channels == 1) {
      each_run(width, channels, o.x.pixel,
               [&](int64_t at, int64_t out, int64_t count) { widen(o.type, from + at, to + out, count); });
      continue;
    }
    constexpr int64_t kPiece = 128;
    float piece[kPiece];
    uint16_t gathered[kPiece];
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t x = 0; x < width; x += kPiece) {
        const int64_t count = std::min(kPiece, width - x);
        const uint16_t* pixels = from + c * o.x.channel + x * o.x.pixel;
        for (int64_t k = 0; k < count; ++k) gathered[k] = pixels[k * o.x.pixel];
        widen(o.type, gathered, piece, count);
        for (int64_t k = 0; k < count; ++k) to[(x + k) * channels + c] = piece[k];
      }
  }
}

void HalfBands::widen_residual(const HalfOperands& o, int64_t line, int64_t lines, float* to) const noexcept {
  const int64_t width = shape_.out_w();
  each_run(lines * width, shape_.out_c, o.residual_stride, [&](int64_t at, int64_t out, int64_t count) {
    widen(o.type, o.residual + line * width * o.residual_stride + at, to + out, count);
  });
}

void HalfBands::round_lines(const HalfOperands& o, const float* from, int64_t line, int64_t lines) const noexcept {
  const int64_t width = shape_.out_w();
  each_run(lines * width, shape_.out_c, shape_.out_stride, [&](int64_t at, int64_t in, int64_t count) {
    round_to(o.type, from + in, o.y + line * width * shape_.out_stride + at, count);
  });
}

}  // namespace kiln::cpu
