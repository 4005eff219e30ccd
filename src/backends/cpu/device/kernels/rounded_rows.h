// The rows of a matrix of float32, rounded to bfloat16, as the left operand of a product.
#pragma once
#include <algorithm>

#include "backends/cpu/device/compute/product_int8.h"
#include "backends/cpu/device/kernels/views.h"

namespace kiln::cpu::kernels {

inline constexpr int64_t kBfloat16Bytes = 2;

// What products of bfloat16 read and give.
inline bool is_real(const TensorView& view) { return is_f32(view) || view.dtype == DType::kBF16; }

// `terms` numbers rounded, and zeros up to int8_terms() bytes.
inline void round_row(const float* from, int64_t terms, uint8_t* to) noexcept {
  const int64_t bytes = terms * kBfloat16Bytes;
  round_to_bfloat16(from, reinterpret_cast<uint16_t*>(to), terms);
  std::fill(to + bytes, to + int8_terms(bytes), uint8_t{0});
}

// Rows at equal distances, rounded.
class RoundedRows final : public ByteRows {
 public:
  RoundedRows(const float* base, int64_t stride, int64_t terms) : base_(base), stride_(stride), terms_(terms) {}

  void locate(int64_t row, int64_t rows, const uint8_t** addresses, uint8_t* scratch) const noexcept override {
    const int64_t padded = int8_terms(terms_ * kBfloat16Bytes);
    for (int64_t i = 0; i < rows; ++i, scratch += padded) {
      round_row(base_ + (row + i) * stride_, terms_, scratch);
      addresses[i] = scratch;
    }
  }

 private:
  const float* base_;
  int64_t stride_, terms_;
};

}  // namespace kiln::cpu::kernels
