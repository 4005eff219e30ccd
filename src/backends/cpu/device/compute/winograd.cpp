// Winograd convolution: transformed weights, then blocks of tiles that stay in the second-level cache.
#include "backends/cpu/device/compute/winograd.h"

#include <algorithm>

#include "backends/cpu/device/compute/denormals.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/compute/product.h"
#include "backends/cpu/device/compute/tile_kernel.h"
#include "backends/cpu/device/compute/winograd_kernel.h"
#include "base/checked.h"

namespace kiln::cpu {
namespace {

// Padding is read here.
constexpr int64_t kMaxChannels = 4096;
alignas(64) constexpr float zeros[kMaxChannels] = {};
// Slack between the planes of transformed tiles, so that they do not fall on the same cache sets.
constexpr int64_t kPlaneSlack = 16;

// Sizes that follow from shape and configuration.
struct Plan {
  Plan(const ConvShape& s, const WinogradConfig& c)
      : tile(c.tile),
        side(c.tile + 2),
        planes(side * side),
        tiles_y(ceil_div(s.out_h(), tile)),
        tiles_x(ceil_div(s.out_w(), tile)),
        tiles(s.batch * tiles_y * tiles_x),
        channels(align_up(s.in_c, 16)),
        at_once(std::clamp<int64_t>(c.block.block_rows, 1, std::max<int64_t>(ceil_div(tiles, c.block.row_threads), 1))),
        columns(c.block.block_columns > 0 ? align_up(c.block.block_columns, c.block.panel)
                                          : align_up(s.out_c, c.block.panel)),
        v_stride(at_once * channels + kPlaneSlack),
        m_stride(at_once * columns + kPlaneSlack) {}

  int64_t scratch() const { return planes * (v_stride + m_stride); }

  int64_t tile, side, planes, tiles_y, tiles_x, tiles, channels;
  int64_t at_once, columns;  // tiles and output channels of a block
  int64_t v_stride, m_stride;
};

// Rows of one plane of transformed inputs.
class PlaneRows final : public RowSource {
 public:
  PlaneRows(const float* plane, int64_t stride) : plane_(plane), stride_(stride) {}
  void locate(const RowBlock& block, const float** addresses, float*) const noexcept override {
    for (int64_t i = 0; i < block.rows; ++i) addresses[i] = plane_ + (block.row + i) * stride_ + block.channel;
  }

 private:
  const float* plane_;
  int64_t stride_;
};

// One thread's work.
class Worker {
 public:
  Worker(const ConvShape& shape, const WinogradConfig& config, const Plan& plan, const float* in, const float* packed,
         float* out, const Epilogue& epilogue, float* scratch)
      : s_(shape),
        config_(config),
        plan_(plan),
        in_(in),
        packed_(packed),
        out_(out),
        e_(epilogue),
        limits_(epilogue),
        v_(scratch),
        m_(scratch + plan.planes * plan.v_stride) {}

  void run(Range tiles, Range columns) {
    const int64_t parts = ceil_div(tiles.size(), plan_.at_once);
    Looks looks(kNanosecondsPerTerm);
    for (int64_t i = 0; i < parts; ++i) {
      const Range part = Range::piece(tiles.size(), parts, i);
      if (looks.before(static_cast<double>(part.size() * plan_.planes) *
                       static_cast<double>(s_.in_c * (columns.end - columns.begin))))
        return;
      const Range block{tiles.begin + part.begin, tiles.begin + part.end};
      for (int64_t t = block.begin; t < block.end; ++t) transform_in(t, v_ + (t - block.begin) * plan_.channels);
      for (int64_t c = columns.begin; c < columns.end; c += plan_.columns) {
        const int64_t n = std::min(plan_.columns, columns.end - c);
        for (int64_t p = 0; p < plan_.planes; ++p) multiply(p, block.size(), c, n);
        for (int64_t t = block.begin; t < block.end; ++t)
          transform_out(t, m_ + (t - block.begin) * plan_.columns, c, n);
      }
    }
  }

 private:
  struct Corner {
    int64_t image, y, x;
  };
  Corner corner(int64_t t) const {
    return {t / (plan_.tiles_y * plan_.tiles_x), t / plan_.tiles_x % plan_.tiles_y * plan_.tile,
            t % plan_.tiles_x * plan_.tile};
  }

  void transform_in(int64_t t, float* v) const {
    const Corner at = corner(t);
    const float* image = in_ + at.image * s_.in_h * s_.in_w * s_.in_stride;
    const float* pixels[kMaxWinogradInput * kMaxWinogradInput];
    for (int64_t i = 0; i < plan_.side; ++i) {
      const int64_t y = at.y + i - s_.pad_top;
      for (int64_t j = 0; j < plan_.side; ++j) {
        const int64_t x = at.x + j - s_.pad_left;
        const bool inside = y >= 0 && y < s_.in_h && x >= 0 && x < s_.in_w;
        pixels[i * plan_.side + j] = inside ? image + (y * s_.in_w + x) * s_.in_stride : zeros;
      }
    }
    winograd_input(static_cast<int>(plan_.tile), pixels, s_.in_c, v, plan_.v_stride);
  }

  void multiply(int64_t plane, int64_t rows, int64_t column, int64_t columns) const {
    static constexpr Epilogue kNothing;
    const PlaneRows source(v_ + plane * plan_.v_stride, plan_.channels);
    Product p;
    p.m = rows;
    p.n = columns;
    p.depth = s_.in_c;
    p.rows = &source;
    p.b = packed_ + plane * packed_b_floats(s_.in_c, s_.out_c) + column * s_.in_c;
    p.c = m_ + plane * plan_.m_stride;
    p.c_stride = plan_.columns;
    p.epilogue = &kNothing;
    BlockConfig alone = config_.block;
    alone.row_threads = alone.column_threads = 1;
    alone.block_columns = 0;
    run_product_part(p, alone, 0);
  }

  void transform_out(int64_t t, const float* m, int64_t column, int64_t columns) const {
    const Corner at = corner(t);
    WinogradOutput o{m,           plan_.m_stride, columns, {}, {}, {}, e_.bias ? e_.bias + column : nullptr,
                     limits_.low, limits_.high};
    const int64_t rows = std::min(plan_.tile, s_.out_h() - at.y), width = std::min(plan_.tile, s_.out_w() - at.x);
    const int64_t first = (at.image * s_.out_h() + at.y) * s_.out_w() + at.x;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < width; ++j) {
        const int64_t row = first + i * s_.out_w() + j, p = i * plan_.tile + j;
        const float* residual = e_.residual ? e_.residual + row * e_.residual_stride + column : nullptr;
        o.pixels[p] = out_ + row * s_.out_stride + column;
        o.before[p] = e_.residual_after ? nullptr : residual;
        o.after[p] = e_.residual_after && limits_.enough ? residual : nullptr;
      }
    }
    winograd_output(static_cast<int>(plan_.tile), o);
    for (int64_t i = 0; i < rows; ++i) finish_line(first + i * s_.out_w(), width, column, columns);
  }

  // Other activations and the hook, on neighbouring pixels.
  void finish_line(int64_t row, int64_t rows, int64_t column, int64_t columns) const {
    float* c = out_ + row * s_.out_stride + column;
    if (!limits_.enough) {
      const float* after = e_.residual && e_.residual_after ? e_.residual + row * e_.residual_stride + column : nullptr;
      tile_table().activate(e_, after, c, s_.out_stride, rows, columns);
    }
    if (!e_.hook) return;
    for (int64_t i = 0; i < rows; ++i) e_.hook(e_.hook_context, c + i * s_.out_stride, columns, row + i, column);
  }

  const ConvShape& s_;
  const WinogradConfig& config_;
  const Plan& plan_;
  const float* in_;
  const float* packed_;
  float* out_;
  const Epilogue& e_;
  const Limits limits_;
  float* v_;
  float* m_;
};

// G, by rows: one for each interpolation point, the last for infinity.
const double* weight_matrix(int32_t tile) {
  static constexpr double kRootTwo = 1.4142135623730951;
  // clang-format off
  static constexpr double kTile4[18] = {1,        0,             0,
                                        -2 / 3.0, -kRootTwo / 3, -1 / 3.0,
                                        -2 / 3.0, kRootTwo / 3,  -1 / 3.0,
                                        1 / 6.0,  kRootTwo / 6,  1 / 3.0,
                                        1 / 6.0,  -kRootTwo / 6, 1 / 3.0,
                                        0,        0,             1};
  // clang-format on
  static constexpr double kTile2[12] = {1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1};
  return tile == 4 ? kTile4 : kTile2;
}

}  // namespace

bool winograd_accepts(const ConvShape& s) {
  return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 &&
         s.dilation_w == 1 && s.groups == 1 && s.in_c <= kMaxChannels;
}

int64_t packed_winograd_floats(const ConvShape& s, const WinogradConfig& config) {
  return Plan(s, config).planes * packed_b_floats(s.in_c, s.out_c);
}

void pack_winograd(const ConvShape& s, const float* weights, const WinogradConfig& config, float* packed,
                   int threads) noexcept {
  if (s.in_c == 0) return;
  const Plan plan(s, config);
  const int64_t plane = packed_b_floats(s.in_c, s.out_c), panel = config.block.panel;
  parallel_ranges(threads, ceil_div(s.out_c, panel) * s.in_c, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i / s.in_c * panel, c = i % s.in_c;
      const int64_t count = std::min(panel, s.out_c - column), width = align_up(count, 16);
      winograd_filters(config.tile, weight_matrix(config.tile), weights + (column * s.in_c + c) * 9, s.in_c * 9, count,
                       width, packed + column * s.in_c + c * width, plane);
    }
  });
}

int64_t winograd_workspace(const ConvShape& s, const WinogradConfig& config) {
  return Plan(s, config).scratch() * config.block.row_threads * config.block.column_threads;
}

void winograd_nhwc(const ConvShape& s, const float* in, const float* packed, float* out, const Epilogue& epilogue,
                   const WinogradConfig& config, float* workspace) noexcept {
  const Plan plan(s, config);
  const int64_t panels = ceil_div(s.out_c, config.block.panel), row_parts = config.block.row_threads;
  const int64_t column_parts = config.block.column_threads;
  const int parts = static_cast<int>(row_parts * column_parts);
  const auto run_part = [&](int64_t i) {
    const Range tiles = Range::piece(plan.tiles, row_parts, i / column_parts);
    const Range share = Range::piece(panels, column_parts, i % column_parts);
    const Range columns{share.begin * config.block.panel, std::min(share.end * config.block.panel, s.out_c)};
    if (tiles.size() <= 0 || columns.size() <= 0) return;
    const DenormalsAreZero fast;
    Worker(s, config, plan, in, packed, out, epilogue, workspace + i * plan.scratch()).run(tiles, columns);
  };
  parallel(parts, run_part);
}

std::vector<WinogradConfig> winograd_configs(const ConvShape& s, int threads) {
  std::vector<WinogradConfig> list;
  const auto add = [&](int32_t tile, int32_t panel, int32_t rows, int32_t block_rows, int32_t columns, bool by_rows) {
    const WinogradConfig c{
        tile, {panel, rows, 512, block_rows, columns, by_rows ? threads : 1, by_rows ? 1 : threads, false}};
    if (std::find(list.begin(), list.end(), c) == list.end()) list.push_back(c);
  };
  for (int32_t tile : {4, 2}) {
    const int64_t planes = (tile + 2) * (tile + 2), tiles = Plan(s, {tile, {}}).tiles;
    // Transformed inputs fill about half of a megabyte.
    const auto fit = [&](int64_t bytes) {
      return static_cast<int32_t>(std::max<int64_t>(bytes / (4 * planes * std::max<int64_t>(s.in_c, 1)) / 14 * 14, 14));
    };
    for (bool by_rows : {tiles >= 28 * threads, tiles < 28 * threads}) {
      if (threads == 1 && !by_rows) continue;
      if (tile_table().lanes < 16) {  // tiles of 16 columns at most
        add(tile, 16, 6, fit(300'000), 64, by_rows);
        add(tile, 16, 6, fit(600'000), 64, by_rows);
        add(tile, 16, 6, fit(300'000), 128, by_rows);
        add(tile, 16, 6, fit(150'000), 64, by_rows);
        continue;
      }
      add(tile, 32, 14, fit(600'000), 64, by_rows);
      add(tile, 32, 14, fit(300'000), 128, by_rows);
      add(tile, 64, 6, fit(600'000), 64, by_rows);
      add(tile, 32, 14, fit(300'000), 64, by_rows);
    }
  }
  return list;
}

}  // namespace kiln::cpu
