// The rows of a matrix of bytes as the left operand of a product.
#pragma once
#include <algorithm>

#include "backends/cpu/device/compute/product_int8.h"

namespace kiln::cpu::kernels {

// Rows at equal distances; copied where their bytes are signed or end between words.
class MatrixRows final : public ByteRows {
 public:
  MatrixRows(const uint8_t* base, int64_t stride, int64_t terms, int64_t parts, bool is_signed)
      : base_(base), stride_(stride), terms_(terms), parts_(parts), signed_(is_signed) {}

  // Rows that are read where they lie hold signed bytes when the matrix does.
  bool in_place() const { return parts_ == 1 && int8_terms(terms_) == terms_; }

  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t* scratch) const noexcept override {
    const int64_t padded = int8_terms(terms_ * parts_);
    for (int64_t part = 0; part < parts_ && !in_place(); ++part)
      copy_byte_lines(base_ + row * stride_, stride_, scratch + part * terms_, padded, rows, terms_, signed_);
    for (int64_t i = 0; i < rows; ++i) {
      addresses[i] = in_place() ? base_ + (row + i) * stride_ : scratch + i * padded;
      if (!in_place()) std::fill(scratch + i * padded + terms_ * parts_, scratch + (i + 1) * padded, uint8_t{0});
    }
  }

 private:
  const uint8_t* base_;
  int64_t stride_, terms_, parts_;
  bool signed_;
};

}  // namespace kiln::cpu::kernels
