// Recurrent weights as the kernel "recurrent_chip" reads them.
#include "backends/cuda/device/kernels/recurrent_packing.h"

#include <cstring>

#include "backends/cuda/device/kernels/common.h"

namespace kiln::cuda::kernels {

void RecurrentParameters::check() const {
  const auto functions = static_cast<size_t>(functions_of(cell));
  if (kinds.size() != functions && kinds.size() != 2 * functions)
    throw malformed_parameter("kinds", "names the activations of no direction or of part of one");
  if (alphas.size() != kinds.size()) throw malformed_parameter("alphas", "has other activations than 'kinds'");
  if (betas.size() != kinds.size()) throw malformed_parameter("betas", "has other activations than 'kinds'");
}

ChipShare::ChipShare(Cell cell, int64_t hidden, int64_t blocks, int bytes)
    : units(align_up(ceil_div(hidden, blocks), 16 / bytes)),
      tile(bytes == 2 ? 16 : 32),
      rows(align_up(gates_of(cell) * units, tile)),
      terms(bytes == 2 ? 32 : 4),
      chunks(ceil_div(blocks * units, terms)),
      chunk_bytes(rows * terms * bytes) {}

int64_t ChipShare::place(int64_t row, int64_t term) const {
  if (tile == 32) return row * terms + term;
  const int64_t in_tile = row % tile, lane = in_tile % 8 * 4 + term / 8, product = term % 8 / 4,
                part = in_tile / 8 + term % 4 / 2 * 2;
  return ((row / tile * 2 + product) * 32 + lane) * 8 + part * 2 + term % 2;
}

Tensor pack_chip_weights(const Tensor& r, Cell cell, int64_t blocks) {
  const int64_t directions = r.dims()[0], hidden = r.dims()[2], gates = gates_of(cell);
  const auto bytes = static_cast<size_t>(bits(r.dtype()) / 8);
  const ChipShare share(cell, hidden, blocks, static_cast<int>(bytes));
  Tensor packed = Tensor::allocate(r.dtype(), {directions, blocks, share.elements()});
  auto* to = static_cast<uint8_t*>(packed.mutable_data());
  std::memset(to, 0, static_cast<size_t>(packed.bytes()));
  const auto* from = static_cast<const uint8_t*>(r.data());
  for (int64_t d = 0; d < directions; ++d)
    for (int64_t gate = 0; gate < gates; ++gate)
      for (int64_t unit = 0; unit < hidden; ++unit) {
        const int64_t block = unit / share.units, row = gate * share.units + unit % share.units;
        uint8_t* of_block = to + static_cast<size_t>((d * blocks + block) * share.elements()) * bytes;
        for (int64_t k = 0; k < hidden; ++k, from += bytes) {
          const int64_t at = k / share.terms * share.rows * share.terms + share.place(row, k % share.terms);
          std::memcpy(of_block + static_cast<size_t>(at) * bytes, from, bytes);
        }
      }
  return packed;
}

}  // namespace kiln::cuda::kernels
