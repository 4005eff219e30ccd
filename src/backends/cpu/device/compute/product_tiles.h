// Matrix products by the processor's unit for tiles (AMX): sixteen rows by sixteen columns of sums at a time, of bytes exact in int32, of
// bfloat16 in float32. It reads weights as product_int8.h packs them.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/product_int8.h"

namespace kiln::cpu {

// Whether this machine has the unit, of bytes and of bfloat16, and the system lets this process use it.
bool multiplies_tiles() noexcept;

// Bytes of scratch for `threads` threads.
int64_t tiles_scratch_bytes(int64_t rows, int64_t terms, int threads);
// As product_int8(), of products that are no kFlipped ones. Only where multiplies_tiles().
void product_tiles(const Int8Product& product, const SumEpilogue& epilogue, int threads, uint8_t* scratch) noexcept;

}  // namespace kiln::cpu
