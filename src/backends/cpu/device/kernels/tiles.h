// What kernels of products do differently where the processor's unit for tiles multiplies.
#pragma once
#include "backends/cpu/device/compute/product_tiles.h"
#include "base/error.h"

namespace kiln::cpu::kernels {

// Rows of bytes, signed or not, as a product takes them.
class RowsOfBytes {
 public:
  explicit RowsOfBytes(bool in_tiles) : in_tiles_(in_tiles) {}
  bool in_tiles() const { return in_tiles_; }
  // Signed ones become unsigned by adding so much.
  bool flips(bool is_signed) const { return is_signed && !in_tiles_; }
  int32_t shift(bool is_signed) const { return flips(is_signed) ? 128 : 0; }
  Int8Product::Kind kind(bool is_signed, bool in_place) const {
    if (!is_signed) return Int8Product::kUnsigned;
    if (in_tiles_) return Int8Product::kSigned;
    return in_place ? Int8Product::kFlipped : Int8Product::kUnsigned;
  }

 private:
  bool in_tiles_;
};

// Whether this machine can do what a step says of tiles.
inline Status check_tiles(bool in_tiles) noexcept {
  if (!in_tiles || multiplies_tiles()) return kOkStatus;
  return {Code::kPlanDevice,
          "the engine multiplies in tiles (AMX), which this processor lacks or its system does not allow"};
}

}  // namespace kiln::cpu::kernels
