// Host tensors: dense row-major elements that are owned, borrowed or mapped from a file.
#pragma once
#include <complex>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/convert.h"
#include "tensor/shape.h"

namespace kiln {

// A small float held in its bits, so that typed loops read float32 and float16 the same way.
struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float f) : bits(f16_from_float(f)) {}
  operator float() const { return f16_to_float(bits); }
};
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  BFloat16(float f) : bits(bf16_from_float(f)) {}
  operator float() const { return bf16_to_float(bits); }
};

[[noreturn]] void throw_size_mismatch(int64_t expected, int64_t given);

// Copying shares the data. Elements of sub-byte types are packed. Strings are held as std::string objects.
// A tensor that borrows or maps is read-only; mutable_data() of a shared or read-only tensor throws kInvalidState.
class Tensor {
 public:
  Tensor() = default;                             // invalid: dtype kInvalid
  static Tensor allocate(DType type, Dims dims);  // 64-byte aligned, zeroed; throws kOverflow, kOutOfMemory
  static Tensor borrow(DType type, Dims dims, const void* data,
                       std::shared_ptr<const void> owner = nullptr);  // keeps `owner` alive
  static Tensor strings(Dims dims, std::vector<std::string> values);
  template <class T> static Tensor of(Dims dims, const std::vector<T>& values);  // copies; T decides the type
  template <class T> static Tensor scalar(T value) { return of<T>({}, {value}); }

  bool valid() const { return dtype_ != DType::kInvalid; }
  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  int64_t rank() const { return static_cast<int64_t>(dims_.size()); }
  int64_t size() const { return count_; }   // elements
  int64_t bytes() const { return bytes_; }  // of storage; 0 for strings
  const void* data() const { return data_; }
  bool borrows() const { return !writable_; }  // rather than owning what allocate() gave
  void* mutable_data();
  template <class T> std::span<const T> as() const {
    return {static_cast<const T*>(data_), static_cast<size_t>(count_)};
  }
  template <class T> std::span<T> as_mutable() {
    return {static_cast<T*>(mutable_data()), static_cast<size_t>(count_)};
  }
  const std::vector<std::string>& string_values() const;
  std::vector<std::string>& mutable_string_values();

  double at(int64_t i) const { return load_double(dtype_, data_, i); }
  int64_t int_at(int64_t i) const { return load_int(dtype_, data_, i); }
  void set(int64_t i, double v) { store_double(dtype_, mutable_data(), i, v); }
  void set_int(int64_t i, int64_t v) { store_int(dtype_, mutable_data(), i, v); }

  Tensor reshaped(Dims dims) const;  // shares data; throws kShapeMismatch
  Tensor cast(DType type, bool saturate = true) const;
  Tensor clone() const;                       // owned copy
  std::vector<int64_t> to_ints() const;       // all elements of an integer tensor
  bool identical(const Tensor& other) const;  // same type, shape and bits
  std::string type_string() const;            // "float32[1,3]"

 private:
  DType dtype_ = DType::kInvalid;
  bool writable_ = false;
  Dims dims_;
  int64_t count_ = 0, bytes_ = 0;
  const void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<std::vector<std::string>> strings_;
};

// Copies `count` elements of the same type, strings and packed types included, at element offsets. Throws kTypeMismatch.
void copy_elements(const Tensor& source, int64_t from, Tensor& destination, int64_t to, int64_t count);

template <class T> constexpr DType dtype_of();
template <> constexpr DType dtype_of<bool>() { return DType::kBool; }
template <> constexpr DType dtype_of<uint8_t>() { return DType::kU8; }
template <> constexpr DType dtype_of<int8_t>() { return DType::kI8; }
template <> constexpr DType dtype_of<uint16_t>() { return DType::kU16; }
template <> constexpr DType dtype_of<int16_t>() { return DType::kI16; }
template <> constexpr DType dtype_of<uint32_t>() { return DType::kU32; }
template <> constexpr DType dtype_of<int32_t>() { return DType::kI32; }
template <> constexpr DType dtype_of<uint64_t>() { return DType::kU64; }
template <> constexpr DType dtype_of<int64_t>() { return DType::kI64; }
template <> constexpr DType dtype_of<Half>() { return DType::kF16; }
template <> constexpr DType dtype_of<BFloat16>() { return DType::kBF16; }
template <> constexpr DType dtype_of<float>() { return DType::kF32; }
template <> constexpr DType dtype_of<double>() { return DType::kF64; }
template <> constexpr DType dtype_of<std::complex<float>>() { return DType::kC64; }
template <> constexpr DType dtype_of<std::complex<double>>() { return DType::kC128; }

template <class T> Tensor Tensor::of(Dims dims, const std::vector<T>& values) {
  Tensor t = allocate(dtype_of<T>(), std::move(dims));
  if (t.size() != static_cast<int64_t>(values.size()))
    throw_size_mismatch(t.size(), static_cast<int64_t>(values.size()));
  auto out = t.template as_mutable<T>();
  for (size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return t;
}

// What flows along an edge of a graph when it runs on the host: a tensor, a sequence, or an optional.
struct Datum {
  enum Kind : uint8_t { kTensor, kSequence, kOptional };
  Kind kind = kTensor;
  Tensor tensor;                          // kTensor
  std::vector<Datum> items;               // kSequence; kOptional: none or one
  DType element_dtype = DType::kInvalid;  // of an empty sequence or optional
  Datum() = default;
  Datum(Tensor t) : tensor(std::move(t)) {}
};

}  // namespace kiln
