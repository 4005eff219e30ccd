// Blocks of a matrix product: columns, rows, terms, panels, tiles, from the outermost loop to the innermost.
#include "backends/cpu/device/compute/product.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/device/compute/denormals.h"
#include "backends/cpu/device/compute/half_lines.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/compute/tile_kernel.h"
#include "base/checked.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kMaxAddresses = 2048;
constexpr int64_t kLineFloats = 16, kFloatBytes = sizeof(float);
// Floats of widened weights: few rows leave them before others are made, many read them again and again.
constexpr int64_t kWidenedForFew = 8192, kWidenedForMany = 32768;

// What the loops hand to the tiles. By narrow weights one row that is alone is multiplied by tiles of its own.
struct Walk {
  Walk(const Product& product, const BlockConfig& block_config)
      : p(product),
        config(block_config),
        table(tile_table()),
        limits(*product.epilogue),
        rows_at_once(block_rows(config, p.taps, p.depth)),
        taps_at_once(block_taps(config, p.taps, p.depth)) {
    const int64_t all = config.panel / table.lanes,
                  vectors = std::min<int64_t>(table.lanes == 16 ? kMaxTileVectors : 2, all);
    const bool widens = p.b.is_narrow() && widens_in_registers(p.b.type);
    const int64_t of_row = widens ? kMaxRowVectors : table.row_vectors;
    tile_columns = (p.m == 1 ? std::min(of_row, all) : vectors) * table.lanes;
    tile_rows = p.m == 1 ? 1 : std::min(table.max_rows[vectors], std::max(config.rows, 1));
  }

  const Product& p;
  const BlockConfig& config;
  const TileTable& table;
  const Limits limits;
  const int64_t rows_at_once, taps_at_once;
  int64_t tile_columns;  // of the widest tile
  int64_t tile_rows;     // most rows of a tile; the same for narrower tiles, so that all columns are summed alike
  const float* addresses[kMaxAddresses];
};

TileFunction tile_of(const Walk& w, DType weights, int vectors, int64_t rows) {
  if (weights != DType::kF32) return w.table.narrow_row[weights == DType::kBF16][vectors];
  return w.p.m == 1 ? w.table.row[vectors] : w.table.tile[vectors][rows];
}

// What the tile could not do: other activations, the hook.
void finish_tile(const Walk& w, float* c, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const Epilogue& e = *w.p.epilogue;
  if (!w.limits.enough) {
    const float* after = e.residual && e.residual_after ? e.residual + row * e.residual_stride + column : nullptr;
    w.table.activate(e, after, c, w.p.c_stride, rows, columns);
  }
  if (!e.hook) return;
  for (int64_t i = 0; i < rows; ++i) e.hook(e.hook_context, c + i * w.p.c_stride, columns, row + i, column);
}

// All tiles of one block that share the columns [column, column + columns) of a panel, at most tile_columns.
void run_tiles(Walk& w, const RowBlock& block, int64_t column, int64_t columns, const PackedWeights& b,
               int64_t b_stride, const PackedWeights& next_b) {
  const Epilogue& e = *w.p.epilogue;
  const int lanes = w.table.lanes;
  const int vectors = static_cast<int>(ceil_div(columns, lanes));
  const int64_t tiles = ceil_div(block.rows, w.tile_rows), steps = block.taps * block.depth;
  TileArgs args;
  args.rows_stride = block.rows;
  args.taps = block.taps;
  args.depth = block.depth;
  args.b = b.data;
  args.b_stride = b_stride;
  args.c_stride = w.p.c_stride;
  args.start = e.bias ? e.bias + column : nullptr;
  args.residual_stride = e.residual_stride;
  args.low = w.limits.low;
  args.high = w.limits.high;
  args.last_lanes = columns - (vectors - 1) * lanes;
  args.first = block.tap == 0 && block.channel == 0;
  args.last = block.tap + block.taps == w.p.taps && block.channel + block.depth == w.p.depth;
  const int64_t few = tiles > 0 ? block.rows / tiles : 0,
                longer = block.rows - few * tiles;  // tiles of few + 1 rows come first
  const auto* next = static_cast<const float*>(next_b.data);
  const int64_t next_stride = b_stride * next_b.bytes() / kFloatBytes;
  args.prefetch_step = next_stride > kLineFloats ? kLineFloats : ceil_div(next_stride, std::max<int64_t>(tiles, 1));
  for (int64_t t = 0, begin = 0; t < tiles; ++t) {
    const int64_t rows = t < longer ? few + 1 : few, row = block.row + begin;
    const float* residual = e.residual ? e.residual + row * e.residual_stride + column : nullptr;
    args.rows = w.addresses + begin;
    args.c = w.p.c + row * w.p.c_stride + column;
    args.before = e.residual_after ? nullptr : residual;
    args.after = e.residual_after && w.limits.enough ? residual : nullptr;
    args.prefetch = next + (t * args.prefetch_step < next_stride ? t * args.prefetch_step * steps : 0);
    tile_of(w, b.type, vectors, rows)(args);
    if (args.last && (!w.limits.enough || e.hook)) finish_tile(w, args.c, row, rows, column, columns);
    begin += rows;
  }
}

// Part of a panel, of `count` numbers, as tiles read it: where it lies, or in scratch as float32.
PackedWeights readable(const Walk& w, const PackedWeights& b, int64_t count) {
  if (!b.is_narrow() || (w.p.m == 1 && widens_in_registers(b.type))) return b;
  float* floats = w.p.scratch + (w.p.scratch_floats - w.p.widened_floats);
  const auto* from = static_cast<const uint16_t*>(b.data);
  if (b.type == DType::kBF16) bf16_to_f32(from, floats, count);
  else f16_to_f32(from, floats, count);
  return floats;
}

// One block of rows against panels [first, last).
void run_panels(Walk& w, const RowBlock& block, int64_t first, int64_t last) {
  const int64_t terms = w.p.taps * w.p.depth, panel = w.config.panel;
  for (int64_t i = first; i < last; ++i) {
    const int64_t column = i * panel, columns = std::min(panel, w.p.n - column), b_stride = align_up(columns, 16);
    const PackedWeights packed = w.p.b.from(column * terms + (block.tap * w.p.depth + block.channel) * b_stride);
    const PackedWeights next = i + 1 < last ? packed.from(panel * terms) : packed;
    const PackedWeights b = readable(w, packed, block.taps * block.depth * b_stride);
    for (int64_t j = 0; j < columns; j += w.tile_columns)
      run_tiles(w, block, w.p.first_column + column + j, std::min(w.tile_columns, columns - j), b.from(j), b_stride,
                next);
  }
}

// All partial sums of rows [row, row + rows) and panels [first, last).
void run_rows(Walk& w, int64_t row, int64_t rows, int64_t first, int64_t last) {
  const int64_t depth = std::max<int64_t>(std::min<int64_t>(w.config.depth, w.p.depth), 1);
  const int64_t depth_parts = std::max<int64_t>(ceil_div(w.p.depth, depth), 1),
                tap_parts = ceil_div(w.p.taps, w.taps_at_once);
  for (int64_t t = 0; t < tap_parts; ++t) {
    const Range taps = Range::piece(w.p.taps, tap_parts, t);
    for (int64_t k = 0; k < depth_parts; ++k) {
      const Range inputs = Range::piece(w.p.depth, depth_parts, k);
      const RowBlock block{row, rows, taps.begin, taps.size(), inputs.begin, inputs.size()};
      w.p.rows->locate(block, w.addresses, w.p.scratch);
      run_panels(w, block, first, last);
    }
  }
}

}  // namespace

Limits::Limits(const Epilogue& e)
    : enough(e.activation == Activation::kNone || e.activation == Activation::kRelu ||
             e.activation == Activation::kClip),
      low(e.activation == Activation::kRelu   ? 0
          : e.activation == Activation::kClip ? e.alpha
                                              : -HUGE_VALF),
      high(e.activation == Activation::kClip ? e.beta : HUGE_VALF) {}

// One row is multiplied by weights that become float32 in registers, where the processor does that.
static bool widens_in_scratch(DType weights, int64_t rows) {
  return weights != DType::kF32 && (rows > 1 || !widens_in_registers(weights));
}

BlockConfig config_for(DType weights, const BlockConfig& config, int64_t rows) {
  BlockConfig own = config;
  if (!widens_in_scratch(weights, rows)) return own;
  const int64_t most = (rows <= kFewProductRows ? kWidenedForFew : kWidenedForMany) / config.panel;
  own.depth = static_cast<int32_t>(std::min<int64_t>(config.depth, most));
  return own;
}

int64_t widened_floats(DType weights, const BlockConfig& config, int64_t rows) {
  return widens_in_scratch(weights, rows) ? int64_t{config.depth} * config.panel : 0;
}

int64_t block_taps(const BlockConfig& config, int64_t taps, int64_t depth) {
  const int64_t wanted = depth < config.depth ? config.depth / std::max<int64_t>(depth, 1) : 1;
  return std::clamp<int64_t>(wanted, 1, std::min(taps, kMaxAddresses));
}

int64_t block_rows(const BlockConfig& config, int64_t taps, int64_t depth) {
  const int64_t fit = kMaxAddresses / block_taps(config, taps, depth);
  return std::clamp<int64_t>(config.block_rows, 1, fit);
}

void run_product_part(const Product& product, const BlockConfig& config, int part) noexcept {
  const int64_t panels = ceil_div(product.n, config.panel);
  const Range rows = Range::piece(product.m, config.row_threads, part / config.column_threads);
  const Range columns = Range::piece(panels, config.column_threads, part % config.column_threads);
  if (rows.size() <= 0 || columns.size() <= 0) return;
  const DenormalsAreZero fast;
  Product own = product;
  if (own.scratch) own.scratch += part * product.scratch_floats;
  Walk w(own, config);
  const int64_t at_once = config.block_columns > 0 ? ceil_div(config.block_columns, config.panel) : panels;
  const int64_t row_parts = ceil_div(rows.size(), w.rows_at_once);
  const double depth = static_cast<double>(product.taps * product.depth);
  Looks looks(kNanosecondsPerTerm);
  for (int64_t first = columns.begin; first < columns.end; first += at_once) {
    for (int64_t i = 0; i < row_parts; ++i) {
      const Range r = Range::piece(rows.size(), row_parts, i);
      if (looks.before(static_cast<double>(r.size() * std::min(at_once, columns.end - first) * config.panel) * depth))
        return;
      run_rows(w, rows.begin + r.begin, r.size(), first, std::min(first + at_once, columns.end));
    }
  }
}

void run_product(const Product& product, const BlockConfig& config) noexcept {
  parallel(config.row_threads * config.column_threads, [&](int part) { run_product_part(product, config, part); });
}

}  // namespace kiln::cpu
