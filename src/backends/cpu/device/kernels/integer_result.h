// Integer sums as results: int32 as they are, or quantized to bytes. Shared by the products and convolutions of bytes.
#pragma once
#include <cmath>

#include "backends/cpu/device/kernels/common.h"

namespace kiln::cpu::kernels {

// Numbers that are one for all, or one for each row (column, channel).
template <class T> class PerIndex {
 public:
  PerIndex() = default;
  explicit PerIndex(const TensorView& v) : data_(static_cast<const T*>(v.data)), step_(v.elements() != 1) {}
  T operator[](int64_t i) const { return data_[i * step_]; }
  // The view may be read so for `count` indices.
  static bool fits(const TensorView& v, int64_t count) {
    const bool one = v.elements() == 1;
    return v.present() && (one || (v.rank == 1 && v.dims[0] == count));
  }

 private:
  const T* data_ = nullptr;
  int64_t step_ = 0;
};

// A zero point of bytes; 0 when absent.
class ZeroPoint {
 public:
  ZeroPoint() = default;
  explicit ZeroPoint(const TensorView& v) : signed_(v.dtype == DType::kI8), present_(v.present()) {
    if (present_) bytes_ = PerIndex<uint8_t>(v);
  }
  int16_t operator[](int64_t i) const {
    if (!present_) return 0;
    const uint8_t byte = bytes_[i];
    return signed_ ? static_cast<int8_t>(byte) : byte;
  }
  static bool fits(const TensorView& v, int64_t count) {
    return !v.present() || (is_byte(v) && PerIndex<uint8_t>::fits(v, count));
  }

 private:
  PerIndex<uint8_t> bytes_;
  bool signed_ = false, present_ = false;
};

// One quantized byte: the sum times `scale`, rounded half to even, plus the zero point, clamped; NaN gives the least.
inline uint8_t quantized(int64_t sum, float scale, int16_t zero, bool is_signed) {
  const double low = is_signed ? -128 : 0, high = is_signed ? 127 : 255;
  const double value = std::nearbyint(static_cast<double>(sum) * static_cast<double>(scale)) + zero;
  return static_cast<uint8_t>(static_cast<int>(value > low ? std::min(value, high) : low));
}

}  // namespace kiln::cpu::kernels
