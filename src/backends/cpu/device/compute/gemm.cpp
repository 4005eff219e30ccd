// Matrix products: packing, configurations, calls.
#include "backends/cpu/device/compute/gemm.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/device/compute/half_lines.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/product.h"
#include "backends/cpu/device/compute/tile_kernel.h"
#include "base/checked.h"

namespace kiln::cpu {
namespace {

// Slack between copied rows, so that they do not fall on the same cache sets.
constexpr int64_t kRowSlack = 16;

class MatrixRows final : public RowSource {
 public:
  MatrixRows(const GemmCall& call, bool copy) : a_(call.a), stride_(call.a_stride), copy_(copy) {}

  void locate(const RowBlock& block, const float** addresses, float* scratch) const noexcept override {
    const float* from = a_ + block.row * stride_ + block.channel;
    if (!copy_ || block.depth == 0) {
      for (int64_t i = 0; i < block.rows; ++i) addresses[i] = from + i * stride_;
      return;
    }
    const int64_t to_stride = align_up(block.depth, 16) + kRowSlack;
    for (int64_t i = 0; i < block.rows; ++i) {
      float* to = scratch + i * to_stride;
      std::memcpy(to, from + i * stride_, static_cast<size_t>(block.depth) * sizeof(float));
      addresses[i] = to;
    }
  }

 private:
  const float* a_;
  int64_t stride_;
  bool copy_;
};

int64_t copy_floats(const GemmCall& call, const BlockConfig& config) {
  if (!config.copy_rows) return 0;
  const int64_t depth = std::min<int64_t>(config.depth, call.k);
  return std::min(block_rows(config, 1, call.k), call.m) * (align_up(depth, 16) + kRowSlack);
}

void pack_panel(const RightOperand& b, int64_t k, int64_t column, int64_t columns, float* out) {
  const int64_t width = align_up(columns, 16);
  if (columns < width) std::memset(out, 0, static_cast<size_t>(k * width) * sizeof(float));
  if (b.transposed) {
    tile_table().transpose(b.data + column * b.stride, b.stride, columns, k, out, width);
    return;
  }
  for (int64_t i = 0; i < k; ++i)
    std::memcpy(out + i * width, b.data + i * b.stride + column, static_cast<size_t>(columns) * sizeof(float));
}

Product product_of(const GemmCall& call, const RowSource& rows, const PackedWeights& packed_b,
                   const Epilogue& epilogue) {
  Product p;
  p.m = call.m;
  p.n = call.n;
  p.depth = call.k;
  p.rows = &rows;
  p.b = packed_b;
  p.c = call.c;
  p.c_stride = call.c_stride;
  p.epilogue = &epilogue;
  return p;
}

}  // namespace

int64_t packed_b_floats(int64_t k, int64_t n) { return k * align_up(n, 16); }

void pack_b(const RightOperand& b, int64_t k, int64_t n, int32_t panel, float* packed, int threads) noexcept {
  if (k == 0) return;
  const int64_t panels = ceil_div(n, panel);
  const auto pack_one = [&](int64_t i) {
    pack_panel(b, k, i * panel, std::min<int64_t>(panel, n - i * panel), packed + i * panel * k);
  };
  parallel_ranges(threads, panels, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) pack_one(i);
  });
}

void pack_narrow_b(const RightOperand& b, int64_t k, int64_t n, int32_t panel, DType type, uint16_t* packed,
                   int threads) {
  if (k == 0) return;
  const int64_t panels = ceil_div(n, panel);
  parallel_ranges(threads, panels, [&](int64_t begin, int64_t end) {
    std::vector<float> wide(static_cast<size_t>(k * panel));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t columns = std::min<int64_t>(panel, n - i * panel), count = k * align_up(columns, 16);
      pack_panel(b, k, i * panel, columns, wide.data());
      uint16_t* to = packed + i * panel * k;
      if (type == DType::kBF16) f32_to_bf16(wide.data(), to, count);
      else f32_to_f16(wide.data(), to, count);
    }
  });
}

bool widens_in_registers(DType type) noexcept { return tile_table().narrow_row[type == DType::kBF16][1] != nullptr; }

int64_t gemm_workspace(const GemmCall& call, const BlockConfig& wanted, DType weights) {
  const BlockConfig config = config_for(weights, wanted, call.m);
  return (copy_floats(call, config) + widened_floats(weights, config, call.m)) * config.row_threads *
         config.column_threads;
}

void gemm(const GemmCall& call, const PackedWeights& packed_b, const Epilogue& epilogue, const BlockConfig& wanted,
          float* workspace) noexcept {
  const BlockConfig config = config_for(packed_b.type, wanted, call.m);
  const MatrixRows rows(call, config.copy_rows);
  Product p = product_of(call, rows, packed_b, epilogue);
  p.scratch = workspace;
  p.widened_floats = widened_floats(packed_b.type, config, call.m);
  p.scratch_floats = copy_floats(call, config) + p.widened_floats;
  run_product(p, config);
}

int64_t gemm_unpacked_workspace(const GemmCall& call, const BlockConfig& config, const GemmBatch& batch) {
  const int64_t threads = config.row_threads * config.column_threads;
  const int64_t at_once = batch.count >= threads ? threads : 1;
  return align_up(packed_b_floats(call.k, call.n), 16) * at_once + copy_floats(call, config) * threads;
}

void gemm_unpacked(const GemmCall& call, const RightOperand& b, const Epilogue& epilogue, const BlockConfig& config,
                   const GemmBatch& batch, float* workspace) noexcept {
  const int threads = config.row_threads * config.column_threads;
  const int64_t packed = align_up(packed_b_floats(call.k, call.n), 16), copied = copy_floats(call, config);
  const auto run_item = [&](int64_t i, const BlockConfig& item_config, float* space) {
    GemmCall item = call;
    item.a += i * batch.a_stride;
    item.c += i * batch.c_stride;
    Epilogue e = epilogue;
    if (e.residual) e.residual += i * batch.residual_stride;
    if (e.bias) e.bias += i * batch.bias_stride;
    const RightOperand right{b.data + i * batch.b_stride, b.stride, b.transposed};
    pack_b(right, call.k, call.n, config.panel, space, item_config.row_threads * item_config.column_threads);
    gemm(item, space, e, item_config, space + packed);
  };
  if (batch.count < threads || threads == 1) {
    for (int64_t i = 0; i < batch.count; ++i) run_item(i, config, workspace);
    return;
  }
  BlockConfig alone = config;
  alone.row_threads = alone.column_threads = 1;
  parallel_ranges(threads, batch.count, [&](int64_t begin, int64_t end, int part) {
    for (int64_t i = begin; i < end; ++i) run_item(i, alone, workspace + part * (packed + copied));
  });
}

namespace {

// Whether `parts` nearly equal numbers of panels hold nearly equal numbers of columns.
bool splits_evenly(int64_t n, int32_t panel, int parts) {
  constexpr double kUneven = 1.05;
  const int64_t panels = ceil_div(n, panel);
  int64_t most = 0;
  for (int i = 0; i < parts; ++i) {
    const Range r = Range::piece(panels, parts, i);
    most = std::max(most, std::min(r.end * panel, n) - r.begin * panel);
  }
  return static_cast<double>(most) * parts <= kUneven * static_cast<double>(n);
}

}  // namespace

std::vector<BlockConfig> gemm_configs(int64_t m, int64_t n, int64_t k, int threads) {
  // Work below this is done before a second thread would have woken.
  constexpr double kTermsPerThread = 100'000;
  const double terms = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const int useful = static_cast<int>(std::clamp<double>(terms / kTermsPerThread, 1, std::max(threads, 1)));
  std::vector<BlockConfig> list;
  enum class Split { kBetter, kOther };
  const auto add = [&](Split split, int32_t panel, int32_t rows, int32_t depth, int32_t block_rows, bool copy = false) {
    // The better split reads less: of rows, each thread reads all of B; of columns, all of A, and of the result, whose readers mostly
    // split rows, the other half.
    const bool rows_first = m >= 8 * useful && (n < m || k < m || !splits_evenly(n, panel, useful));
    const bool by_rows = rows_first == (split == Split::kBetter);
    const BlockConfig c{panel, rows, depth, block_rows, 0, by_rows ? useful : 1, by_rows ? 1 : useful, copy};
    if (std::find(list.begin(), list.end(), c) == list.end()) list.push_back(c);
  };
  if (m <= 6 && (m == 1 || tile_table().lanes == 16)) {
    for (const Split split : {Split::kBetter, Split::kOther}) add(split, 64, 6, 4096, 112);
    for (const Split split : {Split::kBetter, Split::kOther}) add(split, 32, 14, 4096, 112);
    return list;
  }
  const bool strided =
      m > 8 && k >= 1024 && k % 1024 == 0;  // rows a multiple of a page apart fall on the same cache sets
  if (tile_table().lanes < 16) {            // tiles of 16 columns at most: wider panels would be read with gaps
    for (const Split split : {Split::kBetter, Split::kOther}) {
      add(split, 16, 6, 512, 240);
      add(split, 16, 6, 1024, 240);
      add(split, 16, 6, 512, 96);
      add(split, 16, 6, 768, 96);
      if (strided) add(split, 16, 6, 512, 240, true);
    }
    return list;
  }
  add(Split::kBetter, 48, 9, 1024, 64);
  add(Split::kBetter, 64, 6, 1024, 224);
  add(Split::kBetter, 32, 14, 512, 112);
  add(Split::kOther, 48, 9, 1024, 64);
  for (const Split split : {Split::kBetter, Split::kOther}) {
    add(split, 64, 6, 1024, 224);
    add(split, 32, 14, 512, 112);
    add(split, 48, 9, 256, 108);
    add(split, 32, 14, 256, 224);
    if (strided) add(split, 48, 9, 512, 224, true);
  }
  return list;
}

}  // namespace kiln::cpu
