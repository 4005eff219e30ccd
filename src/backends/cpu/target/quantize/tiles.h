// Tactics whose products the processor's unit for tiles computes.
#pragma once
#include "backends/cpu/device/compute/product_tiles.h"
#include "target/checks.h"
#include "target/estimate.h"

namespace kiln::cpu {

// What is taken otherwise is taken in tiles, too, where the processor has them.
inline Refusal in_tiles(Refusal other) {
  if (other.refused() || multiplies_tiles()) return other;
  return refuse("the processor has no unit for tiles (AMX), or its system keeps it");
}
// As a parameter, which only steps in tiles have.
inline std::optional<bool> stored_tiles(bool in_tiles) { return in_tiles ? std::optional(true) : std::nullopt; }
// What is added to the bytes of x before they are multiplied, unless tiles take signed ones as they are.
inline int32_t shift_of_rows(const Problem& p, bool in_tiles) {
  return p.input(0).dtype == DType::kI8 && !in_tiles ? 128 : 0;
}

// Rows of a product or a convolution, at the optimum.
inline int64_t rows_of_product(const Problem& p) {
  const Dims& y = p.outputs[0].opt;
  if (p.op() != "Conv" && p.op() != "ConvInteger") return element_count(Dims(y.begin(), y.end() - 1));
  return y[0] * element_count(Dims(y.begin() + 2, y.end()));
}

// Columns of each group of a convolution.
inline int64_t columns_of_group(const Problem& p) { return p.input(1).opt[0] / p.attributes().integer("group", 1); }

// How much is computed for one that is asked, where columns of a group fill panels, and rows tiles.
inline double filled_panels(int64_t columns) {
  return columns == 0 ? 1 : static_cast<double>(int8_columns(columns)) / static_cast<double>(columns);
}
inline double filled_tiles(int64_t rows, int64_t columns) {
  constexpr int64_t kRows = 16;
  const int64_t filled = (rows + kRows - 1) / kRows * kRows;
  return (rows == 0 ? 1 : static_cast<double>(filled) / static_cast<double>(rows)) * filled_panels(columns);
}

// Beside what the roofline takes the processor's other instructions for, and what it takes to make the unit ready.
inline constexpr double kTilesFaster = 4, kTilesLaunch = 2e-7;

// Of products of bytes, in tiles or not.
inline Estimate estimate_bytes(const Problem& p, const DeviceFacts& facts, bool in_tiles, int64_t columns) {
  Workload work = workload_of(p);
  if (in_tiles) work.flops *= filled_tiles(rows_of_product(p), columns) / kTilesFaster;
  Estimate e = roofline(work, type_of_products(p), facts);
  if (in_tiles) e.launch += kTilesLaunch;
  return e;
}

}  // namespace kiln::cpu
