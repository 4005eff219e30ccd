// Convolution, channels last: finds the input rows of each output pixel.
#include "backends/cpu/device/compute/conv_nhwc.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/product.h"
#include "base/checked.h"

namespace kiln::cpu {
namespace {

// Taps of padding read here.
constexpr int64_t kZeros = 4096;
alignas(64) constexpr float zeros[kZeros] = {};

// Calls body(first, count, image, y, x) for each stretch of block rows that are neighbouring pixels of one output line.
template <class Body>
void for_each_line(const ConvShape& s, int64_t out_h, int64_t out_w, int64_t row, int64_t rows, const Body& body) {
  int64_t image = row / (out_h * out_w), y = row / out_w % out_h, x = row % out_w;
  for (int64_t i = 0; i < rows;) {
    const int64_t count = std::min(rows - i, out_w - x);
    body(i, count, image * s.in_h * s.in_w * s.in_stride, y * s.stride_h - s.pad_top, x * s.stride_w - s.pad_left);
    i += count;
    x = 0;
    if (++y == out_h) {
      y = 0;
      ++image;
    }
  }
}

// The i in [0, count) for which low <= x + i * stride < high.
struct Span {
  int64_t begin, end;
};
Span span_inside(int64_t x, int64_t stride, int64_t count, int64_t low, int64_t high) {
  const int64_t begin = x >= low ? 0 : std::min(ceil_div(low - x, stride), count);
  const int64_t end = x >= high ? 0 : std::min(ceil_div(high - x, stride), count);
  return {begin, std::max(begin, end)};
}

// With few channels a tap is a whole row of the kernel: its inputs lie side by side.
bool by_kernel_rows(const ConvShape& s) {
  return s.in_c < 16 && s.kernel_w > 1 && s.groups == 1 && s.dilation_w == 1 && s.in_stride == s.in_c;
}

// One tap per kernel element.
class PixelTaps final : public RowSource {
 public:
  PixelTaps(const ConvShape& shape, const float* in)
      : s_(shape), in_(in), out_h_(shape.out_h()), out_w_(shape.out_w()) {}

  void locate(const RowBlock& block, const float** addresses, float*) const noexcept override {
    const int64_t step = s_.stride_w * s_.in_stride;
    for_each_line(s_, out_h_, out_w_, block.row, block.rows,
                  [&](int64_t first, int64_t count, int64_t image, int64_t y, int64_t x) {
                    int64_t ky = block.tap / s_.kernel_w, kx = block.tap % s_.kernel_w;
                    const float** to = addresses + first;
                    for (int64_t t = 0; t < block.taps; ++t, to += block.rows) {
                      const int64_t iy = y + ky * s_.dilation_h, ix = x + kx * s_.dilation_w;
                      const Span span = iy < 0 || iy >= s_.in_h ? Span{count, count}
                                                                : span_inside(ix, s_.stride_w, count, 0, s_.in_w);
                      std::fill(to, to + span.begin, zeros);
                      const int64_t start = image + (iy * s_.in_w + ix) * s_.in_stride + block.channel;
                      for (int64_t i = span.begin; i < span.end; ++i) to[i] = in_ + (start + i * step);
                      std::fill(to + span.end, to + count, zeros);
                      if (++kx == s_.kernel_w) {
                        kx = 0;
                        ++ky;
                      }
                    }
                  });
  }

 private:
  const ConvShape& s_;
  const float* in_;
  int64_t out_h_, out_w_;
};

// One tap per kernel row, of kernel_w * in_c neighbouring inputs; those that reach over the left or right edge are
// copied.
class RowTaps final : public RowSource {
 public:
  RowTaps(const ConvShape& shape, const float* in) : s_(shape), in_(in), out_h_(shape.out_h()), out_w_(shape.out_w()) {}

  void locate(const RowBlock& block, const float** addresses, float* scratch) const noexcept override {
    const int64_t step = s_.stride_w * s_.in_c;
    for_each_line(s_, out_h_, out_w_, block.row, block.rows,
                  [&](int64_t first, int64_t count, int64_t image, int64_t y, int64_t x) {
                    const Span span = span_inside(x, s_.stride_w, count, 0, s_.in_w - s_.kernel_w + 1);
                    const float** to = addresses + first;
                    for (int64_t t = 0; t < block.taps; ++t, to += block.rows) {
                      const int64_t iy = y + (block.tap + t) * s_.dilation_h;
                      if (iy < 0 || iy >= s_.in_h) {
                        std::fill(to, to + count, zeros);
                        continue;
                      }
                      const float* line = in_ + image + iy * s_.in_w * s_.in_c;
                      const int64_t start = x * s_.in_c + block.channel;
                      for (int64_t i = 0; i < span.begin; ++i)
                        to[i] = copy_clipped(line, x + i * s_.stride_w, scratch) + block.channel;
                      for (int64_t i = span.begin; i < span.end; ++i) to[i] = line + (start + i * step);
                      for (int64_t i = span.end; i < count; ++i)
                        to[i] = copy_clipped(line, x + i * s_.stride_w, scratch) + block.channel;
                    }
                  });
  }

 private:
  // Copies one kernel row of inputs, zero outside the line; returns where it lies and moves `scratch` behind it.
  const float* copy_clipped(const float* line, int64_t x, float*& scratch) const {
    const float* begin = scratch;
    for (int64_t k = x; k < x + s_.kernel_w; ++k) {
      const bool valid = k >= 0 && k < s_.in_w;
      for (int64_t c = 0; c < s_.in_c; ++c) *scratch++ = valid ? line[k * s_.in_c + c] : 0;
    }
    return begin;
  }

  const ConvShape& s_;
  const float* in_;
  int64_t out_h_, out_w_;
};

int64_t taps_of(const ConvShape& s) { return by_kernel_rows(s) ? s.kernel_h : s.kernel_h * s.kernel_w; }
int64_t depth_of(const ConvShape& s) { return by_kernel_rows(s) ? s.kernel_w * s.in_c : s.in_c / s.groups; }

int64_t pixels_of(const ConvShape& s) { return s.batch * s.out_h() * s.out_w(); }

BlockConfig bounded(int64_t pixels, const BlockConfig& config, DType weights) {
  BlockConfig c = config_for(weights, config, pixels);
  c.depth = static_cast<int32_t>(std::min<int64_t>(c.depth, kZeros));
  return c;
}

// Of what is bounded.
int64_t scratch_floats(const ConvShape& s, const BlockConfig& c) {
  if (!by_kernel_rows(s)) return 0;
  const int64_t taps = block_taps(c, taps_of(s), depth_of(s));
  return align_up(block_rows(c, taps_of(s), depth_of(s)) * taps * depth_of(s), 16);
}

}  // namespace

int64_t packed_conv_floats(const ConvShape& s) {
  return s.groups * packed_b_floats(s.kernel_h * s.kernel_w * (s.in_c / s.groups), s.out_c / s.groups);
}

void pack_conv(const ConvShape& s, const float* weights, const BlockConfig& config, float* packed) {
  if (s.in_c == 0) return;
  const int64_t channels = s.in_c / s.groups, columns = s.out_c / s.groups, taps = s.kernel_h * s.kernel_w,
                terms = taps * channels;
  for (int64_t g = 0; g < s.groups; ++g) {
    float* group = packed + g * packed_b_floats(terms, columns);
    std::memset(group, 0, static_cast<size_t>(packed_b_floats(terms, columns)) * sizeof(float));
    for (int64_t o = 0; o < columns; ++o) {
      const float* from = weights + (g * columns + o) * terms;
      const int64_t column = o / config.panel * config.panel;
      const int64_t width = align_up(std::min<int64_t>(config.panel, columns - column), 16);
      float* to = group + column * terms + (o - column);
      for (int64_t t = 0; t < taps; ++t) {
        for (int64_t c = 0; c < channels; ++c) to[(t * channels + c) * width] = from[c * taps + t];
      }
    }
  }
}

int64_t conv_workspace(const ConvShape& s, const BlockConfig& config, DType weights) {
  const int64_t pixels = pixels_of(s);
  int64_t most = 0;
  for (const int64_t count :
       {pixels, std::min(pixels, kFewProductRows)}) {  // few pixels are cut otherwise, and may take more
    const BlockConfig c = bounded(count, config, weights);
    most = std::max(most, scratch_floats(s, c) + widened_floats(weights, c, count));
  }
  return most * config.row_threads * config.column_threads;
}

void conv_nhwc(const ConvShape& s, const float* in, const PackedWeights& packed, float* out, const Epilogue& epilogue,
               const BlockConfig& config, float* workspace) noexcept {
  const BlockConfig c = bounded(pixels_of(s), config, packed.type);
  const int64_t channels = s.in_c / s.groups, columns = s.out_c / s.groups;
  Product p;
  p.m = pixels_of(s);
  p.n = columns;
  p.taps = taps_of(s);
  p.depth = depth_of(s);
  p.c = out;
  p.c_stride = s.out_stride;
  p.epilogue = &epilogue;
  p.scratch = workspace;
  p.widened_floats = widened_floats(packed.type, c, p.m);
  p.scratch_floats = scratch_floats(s, c) + p.widened_floats;
  if (by_kernel_rows(s)) {
    const RowTaps rows(s, in);
    p.rows = &rows;
    p.b = packed;
    run_product(p, c);
    return;
  }
  const auto run_group = [&](int64_t g, const BlockConfig& group_config, int part) {
    const PixelTaps pixels(s, in + g * channels);
    Product group = p;
    if (p.scratch) group.scratch += part * p.scratch_floats;
    group.rows = &pixels;
    group.b = packed.from(g * packed_b_floats(p.taps * p.depth, columns));
    group.first_column = g * columns;
    run_product(group, group_config);
  };
  const int threads = c.row_threads * c.column_threads;
  if (s.groups < threads || threads == 1) {
    for (int64_t g = 0; g < s.groups; ++g) run_group(g, c, 0);
    return;
  }
  BlockConfig alone = c;
  alone.row_threads = alone.column_threads = 1;
  parallel_ranges(threads, s.groups, [&](int64_t begin, int64_t end, int part) {
    for (int64_t g = begin; g < end; ++g) run_group(g, alone, part);
  });
}

std::vector<BlockConfig> conv_configs(const ConvShape& s, int threads) {
  std::vector<BlockConfig> list = gemm_configs(s.batch * s.out_h() * s.out_w(), s.out_c / s.groups,
                                               s.kernel_h * s.kernel_w * (s.in_c / s.groups), threads);
  for (BlockConfig& c : list) c.copy_rows = false;
  std::vector<BlockConfig> unique;
  for (const BlockConfig& c : list) {
    if (std::find(unique.begin(), unique.end(), c) == unique.end()) unique.push_back(c);
  }
  return unique;
}

}  // namespace kiln::cpu
