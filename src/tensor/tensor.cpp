// Storage of host tensors.
#include "tensor/tensor.h"

#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/index.h"
#include "base/require.h"
#include "base/work.h"

namespace kiln {
namespace {

constexpr int64_t kAlignment = 64;

int64_t storage_bytes(DType type, const Dims& dims, int64_t count) {
  if (auto bytes = byte_size(type, count)) return *bytes;
  if (bits(type) == 0)
    throw Error(Code::kTypeMismatch, "elements of type " + std::string(name(type)) + " have no fixed size");
  throw Error(Code::kOverflow, "the bytes of " + std::string(name(type)) + to_string(dims) + " do not fit 64 bits");
}

int element_alignment(DType type) {
  const int width = is_complex(type) ? bits(type) / 2 : bits(type);
  return width < 8 ? 1 : width / 8;
}

}  // namespace

void throw_size_mismatch(int64_t expected, int64_t given) {
  throw Error(Code::kShapeMismatch,
              std::to_string(given) + " values were given for " + std::to_string(expected) + " elements");
}

Tensor Tensor::allocate(DType type, Dims dims) {
  Tensor t;
  t.count_ = element_count(dims);
  if (type == DType::kString) {
    if (t.count_ > machine_bytes() / static_cast<int64_t>(sizeof(std::string)))
      throw Error(Code::kOutOfMemory, "cannot allocate " + std::to_string(t.count_) + " strings");
    return strings(std::move(dims), std::vector<std::string>(static_cast<size_t>(t.count_)));
  }
  t.bytes_ = storage_bytes(type, dims, t.count_);
  WorkBytes counted(t.bytes_);
  void* raw = nullptr;
  // calloc takes large blocks from the kernel already zero and untouched.
  if (t.bytes_ <= machine_bytes()) raw = std::calloc(1, static_cast<size_t>(t.bytes_ + kAlignment));
  if (!raw) {
    throw Error(Code::kOutOfMemory, "cannot allocate " + std::to_string(t.bytes_) + " bytes for " +
                                        std::string(name(type)) + to_string(dims))
        .remedy("use smaller shapes or a machine with more memory");
  }
  t.owner_ = std::shared_ptr<const void>(
      raw, [counted = std::move(counted)](const void* p) { std::free(const_cast<void*>(p)); });
  const auto address = reinterpret_cast<uintptr_t>(raw);
  t.data_ = static_cast<char*>(raw) + (kAlignment - address % kAlignment) % kAlignment;
  t.dtype_ = type;
  t.writable_ = true;
  t.dims_ = std::move(dims);
  return t;
}

Tensor Tensor::borrow(DType type, Dims dims, const void* data, std::shared_ptr<const void> owner) {
  Tensor t;
  t.count_ = element_count(dims);
  t.bytes_ = storage_bytes(type, dims, t.count_);
  if (!data && t.bytes_ > 0)
    throw Error(Code::kInvalidArgument, "no data for " + std::string(name(type)) + to_string(dims));
  if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(element_alignment(type)) != 0) {
    Tensor copy = allocate(type, std::move(dims));
    if (copy.bytes_ > 0) std::memcpy(copy.mutable_data(), data, static_cast<size_t>(copy.bytes_));
    copy.writable_ = false;
    return copy;
  }
  t.dtype_ = type;
  t.dims_ = std::move(dims);
  t.data_ = data;
  t.owner_ = std::move(owner);
  return t;
}

Tensor Tensor::strings(Dims dims, std::vector<std::string> values) {
  Tensor t;
  t.count_ = element_count(dims);
  if (t.count_ != static_cast<int64_t>(values.size()))
    throw_size_mismatch(t.count_, static_cast<int64_t>(values.size()));
  t.dtype_ = DType::kString;
  t.dims_ = std::move(dims);
  t.writable_ = true;
  t.strings_ = std::make_shared<std::vector<std::string>>(std::move(values));
  return t;
}

void* Tensor::mutable_data() {
  require(dtype_ != DType::kString, Code::kTypeMismatch, "the elements of a string tensor are not plain data");
  require(valid(), Code::kInvalidState, "the tensor is empty");
  if (!writable_) throw Error(Code::kInvalidState, type_string() + " is read-only").remedy("write to a clone()");
  if (owner_.use_count() != 1)
    throw Error(Code::kInvalidState, type_string() + " is shared").remedy("write to a clone()");
  return const_cast<void*>(data_);
}

const std::vector<std::string>& Tensor::string_values() const {
  if (dtype_ != DType::kString) throw Error(Code::kTypeMismatch, type_string() + " holds no strings");
  return *strings_;
}

std::vector<std::string>& Tensor::mutable_string_values() {
  if (dtype_ != DType::kString) throw Error(Code::kTypeMismatch, type_string() + " holds no strings");
  if (strings_.use_count() != 1)
    throw Error(Code::kInvalidState, type_string() + " is shared").remedy("write to a clone()");
  return *strings_;
}

Tensor Tensor::reshaped(Dims dims) const {
  const auto count = checked_element_count(dims);
  if (!count || *count != count_)
    throw Error(Code::kShapeMismatch, type_string() + " cannot be seen as " + to_string(dims))
        .cause("the numbers of elements differ");
  Tensor t = *this;
  t.dims_ = std::move(dims);
  return t;
}

Tensor Tensor::cast(DType type, bool saturate) const {
  if (type == dtype_) return *this;
  Tensor t = allocate(type, dims_);
  convert(dtype_, data_, type, t.mutable_data(), count_, saturate);
  return t;
}

Tensor Tensor::clone() const {
  if (!valid()) return {};
  if (dtype_ == DType::kString) return strings(dims_, *strings_);
  Tensor t = allocate(dtype_, dims_);
  if (bytes_ > 0) std::memcpy(t.mutable_data(), data_, static_cast<size_t>(bytes_));
  return t;
}

std::vector<int64_t> Tensor::to_ints() const {
  if (!is_integer(dtype_) && dtype_ != DType::kBool)
    throw Error(Code::kTypeMismatch, type_string() + " holds no integers");
  std::vector<int64_t> values(static_cast<size_t>(count_));
  for (int64_t i = 0; i < count_; ++i) nth(values, i) = int_at(i);
  return values;
}

bool Tensor::identical(const Tensor& other) const {
  if (dtype_ != other.dtype_ || dims_ != other.dims_) return false;
  if (dtype_ == DType::kString) return *strings_ == *other.strings_;
  if (bytes_ == 0) return true;
  // Bits after the last packed element mean nothing.
  const int64_t used = count_ * bits(dtype_) % 8;
  const auto whole = static_cast<size_t>(used ? bytes_ - 1 : bytes_);
  if (std::memcmp(data_, other.data_, whole) != 0) return false;
  if (!used) return true;
  const int difference = static_cast<const uint8_t*>(data_)[whole] ^ static_cast<const uint8_t*>(other.data_)[whole];
  return (difference & ((1 << used) - 1)) == 0;
}

std::string Tensor::type_string() const { return std::string(name(dtype_)) + to_string(dims_); }

}  // namespace kiln
