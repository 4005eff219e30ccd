// Operands of float16 or bfloat16, as bands of float32 are made of them.
#pragma once
#include "backends/cpu/device/compute/half_bands.h"
#include "device/device.h"

namespace kiln::cpu::kernels {

inline bool is_half(const TensorView& view) { return view.dtype == DType::kF16 || view.dtype == DType::kBF16; }

inline const uint16_t* halves(const TensorView& view) { return static_cast<const uint16_t*>(view.data); }

// Threads that have as many lines each take bands of them; else the kernel shares its work out by itself.
inline bool takes_whole(const ConvShape& shape, const BlockConfig& blocks) {
  const int64_t lines = shape.batch * shape.out_h(), threads = blocks.row_threads;
  return blocks.column_threads > 1 || (lines < 8 * threads && lines % threads != 0);
}

// What the kernel of a band is given.
inline BlockConfig blocks_of_band(BlockConfig blocks, bool whole) {
  if (!whole) blocks.row_threads = blocks.column_threads = 1;
  return blocks;
}

inline Epilogue epilogue_of_band(Epilogue epilogue, const Band& band) {
  epilogue.residual = band.residual;
  epilogue.residual_stride = band.shape.out_c;
  return epilogue;
}

}  // namespace kiln::cpu::kernels
