// The rows of a matrix of float32, rounded to bfloat16, as the left operand of a product.
#pragma once
#include <algorithm>

#include "backends/cpu/device/compute/product_int8.h"

namespace kiln::cpu::kernels {

inline constexpr int64_t kBfloat16Bytes = 2;

// Rows at equal distances, rounded.
class RoundedRows final : public ByteRows {
 public:
  RoundedRows(const float* base, int64_t stride, int64_t terms) : base_(base), stride_(stride), terms_(terms) {}

  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t* scratch) const noexcept override {
    const int64_t padded = int8_terms(terms_ * kBfloat16Bytes);
    for (int64_t i = 0; i < rows; ++i, scratch += padded) {
      round_to_bfloat16(base_ + (row + i) * stride_, reinterpret_cast<uint16_t*>(scratch), terms_);
      std::fill(scratch + terms_ * kBfloat16Bytes, scratch + padded, uint8_t{0});
      addresses[i] = scratch;
    }
  }

 private:
  const float* base_;
  int64_t stride_, terms_;
};

}  // namespace kiln::cpu::kernels
