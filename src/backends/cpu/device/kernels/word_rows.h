// Rows of 16-bit integers and their packed weights, as products of bytes take them: two bytes a term.
#pragma once
#include <optional>

#include "backends/cpu/device/compute/product_int8.h"
#include "backends/cpu/device/kernels/common.h"
#include "base/checked.h"

namespace kiln::cpu::kernels {

inline constexpr int64_t kWordBytes = 2;

inline bool is_word(const TensorView& v) { return v.dtype == DType::kI16 || v.dtype == DType::kU16; }
inline Int8Product::Kind kind_of_words(const TensorView& v) {
  return v.dtype == DType::kU16 ? Int8Product::kFlippedWords : Int8Product::kWords;
}

// int16 elements of packed weights for so many terms; nothing where there are too many.
inline std::optional<int64_t> packed_words(int64_t terms, int64_t columns) {
  const auto bytes = checked_mul(terms, kWordBytes);
  const auto padded = bytes ? checked_add(*bytes, 3) : std::nullopt;
  const auto packed = padded ? checked_mul(*padded / 4 * 4, int8_columns(columns)) : std::nullopt;
  return packed ? std::optional(*packed / kWordBytes) : std::nullopt;
}

}  // namespace kiln::cpu::kernels
