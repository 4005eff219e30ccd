// Matrix product in blocks, whose left rows come from a RowSource: what gemm and conv share. Private to this room.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/gemm.h"

namespace kiln::cpu {

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
  // Piece i of `pieces` nearly equal ones of [0, count).
  static Range piece(int64_t count, int64_t pieces, int64_t i) {
    return {count * i / pieces, count * (i + 1) / pieces};
  }
};

// The activation as limits of the result, where that is enough.
struct Limits {
  explicit Limits(const Epilogue& e);
  bool enough;
  float low, high;
};

// Rows [row, row + rows) of the left operand, restricted to taps [tap, tap + taps) and inputs [channel, channel +
// depth) of each.
struct RowBlock {
  int64_t row, rows, tap, taps, channel, depth;
};

// Says where the left operand's rows lie.
class RowSource {
 public:
  // addresses[t * rows + i] = first input of row i in tap t. `scratch` belongs to the calling thread until its next
  // call.
  virtual void locate(const RowBlock& block, const float** addresses, float* scratch) const noexcept = 0;

 protected:
  ~RowSource() = default;
};

// c[i][j] = epilogue(sum over t, k of row_i[t][k] * b[t * depth + k][j]).
struct Product {
  int64_t m = 0, n = 0, taps = 1, depth = 0;
  const RowSource* rows = nullptr;
  PackedWeights b;     // in panels
  float* c = nullptr;  // first row, column 0 of the whole result
  int64_t c_stride = 0;
  int64_t first_column = 0;  // where b's column 0 lies in c, bias and residual
  const Epilogue* epilogue = nullptr;
  float* scratch = nullptr;  // scratch_floats for each thread
  int64_t scratch_floats = 0;
  int64_t widened_floats = 0;  // of it, the last ones: where panels of narrow weights become float32
};

// Part (rows x columns of panels) `part` of config.row_threads * config.column_threads.
void run_product_part(const Product& product, const BlockConfig& config, int part) noexcept;
// All parts, in parallel.
void run_product(const Product& product, const BlockConfig& config) noexcept;

// Panels of narrow weights become float32 in pieces that stay in the cache: the configuration that leaves them as large, of a product of so
// many rows; and the floats of scratch of each thread that such a piece takes.
inline constexpr int64_t kFewProductRows = 8;  // up to so many rows blocks of narrow weights are of another depth
BlockConfig config_for(DType weights, const BlockConfig& config, int64_t rows);
int64_t widened_floats(DType weights, const BlockConfig& config, int64_t rows);

// The largest number of rows and of inputs of a RowBlock under this configuration.
int64_t block_rows(const BlockConfig& config, int64_t taps, int64_t depth);
int64_t block_taps(const BlockConfig& config, int64_t taps, int64_t depth);

}  // namespace kiln::cpu
