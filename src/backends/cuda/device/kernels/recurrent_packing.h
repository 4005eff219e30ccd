// Recurrent weights as the kernel "recurrent_chip" reads them. The builder packs, the kernel checks sizes.
#pragma once
#include "backends/cuda/device/kernels/recurrent_parameters.h"
#include "tensor/tensor.h"

namespace kiln::cuda::kernels {

// Units of a block: more pairs with the fewest sequences than its threads have places for.
inline constexpr int64_t kMostChipUnits = 128;

// What a block of a cluster has of one direction. Elements of 2 bytes go through tensor cores, those of 4 do not.
struct ChipShare {
  ChipShare(Cell cell, int64_t hidden, int64_t blocks, int bytes);
  int64_t units;        // whole pieces of 16 bytes
  int64_t tile, rows;   // rows [gate, unit], in whole tiles
  int64_t terms;        // of a chunk
  int64_t chunks;       // that hold the states of all blocks
  int64_t chunk_bytes;  // of all rows
  int64_t elements() const { return chunks * rows * terms; }
  // Where a row and a term of a chunk lie in it. Of two bytes: a lane's operands of two products with 16 rows, in the order of its registers.
  int64_t place(int64_t row, int64_t term) const;
};

// [directions, blocks, elements] of r [directions, gates * hidden, hidden], zeros where there is no unit.
Tensor pack_chip_weights(const Tensor& r, Cell cell, int64_t blocks);

}  // namespace kiln::cuda::kernels
