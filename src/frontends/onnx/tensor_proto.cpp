// Tensors of the ONNX schema.
#include "frontends/onnx/tensor_proto.h"

#include <onnx/onnx-data.pb.h>
#include <onnx/onnx-ml.pb.h>

#include <charconv>
#include <cstring>

#include "base/error.h"
#include "base/index.h"
#include "base/require.h"

namespace kiln::onnx {
namespace {

constexpr int64_t kLargestDenseFromSparse = int64_t{1} << 30;  // bytes

using Bytes = std::span<const std::byte>;

std::string label(const ::onnx::TensorProto& proto) {
  return proto.name().empty() ? "a tensor" : "tensor '" + proto.name() + "'";
}

template <class Proto> void check_rank(const Proto& proto) {
  if (static_cast<size_t>(proto.dims_size()) > kMostRank)
    throw Error(Code::kUnsupported, "a stored tensor has " + std::to_string(proto.dims_size()) + " dimensions")
        .cause("a tensor has at most " + std::to_string(kMostRank));
}

Error wrong_count(const ::onnx::TensorProto& proto, int64_t expected, int64_t given, const char* unit) {
  return Error(Code::kMalformedModel, label(proto) + " has the wrong size")
      .cause("its shape needs " + std::to_string(expected) + " " + unit + ", it holds " + std::to_string(given));
}

template <class Field> Bytes bytes_of(const Field& field) {
  return {reinterpret_cast<const std::byte*>(field.data()), static_cast<size_t>(field.size()) * sizeof(*field.data())};
}

// The typed field as bytes when its elements lie as the type's; nothing when each must be narrowed.
std::optional<Bytes> direct_field(const ::onnx::TensorProto& proto, DType type) {
  switch (type) {
    case DType::kF32:
    case DType::kC64: return bytes_of(proto.float_data());
    case DType::kF64:
    case DType::kC128: return bytes_of(proto.double_data());
    case DType::kI64: return bytes_of(proto.int64_data());
    case DType::kU64: return bytes_of(proto.uint64_data());
    case DType::kI32: return bytes_of(proto.int32_data());
    default: return std::nullopt;
  }
}

// What an entry of a typed field may be: for integers their own range, else any content of a storage unit, signed or not.
std::pair<int64_t, int64_t> entry_range(DType type, int unit) {
  const int64_t all = (int64_t{1} << (8 * unit)) - 1, least = -(int64_t{1} << (8 * unit - 1));
  if (!is_integer(type) || bits(type) < 8) return {least, all};
  return is_signed_integer(type) ? std::pair{least, -least - 1} : std::pair{int64_t{0}, all};
}

// uint32 from uint64_data; 16-bit, 8-bit and packed types from int32_data, a storage unit in each entry.
Tensor narrowed(const ::onnx::TensorProto& proto, DType type, const Dims& dims, int64_t bytes) {
  const int unit = std::max(8, bits(type)) / 8;
  const int64_t units = bytes / unit;
  const int64_t given = type == DType::kU32 ? proto.uint64_data_size() : proto.int32_data_size();
  if (given != units) throw wrong_count(proto, units, given, "entries");
  Tensor tensor = Tensor::allocate(type, dims);
  if (units == 0) return tensor;
  auto* out = static_cast<unsigned char*>(tensor.mutable_data());
  const auto [least, most] = entry_range(type, unit);
  for (int i = 0; i < static_cast<int>(units); ++i, out += unit) {
    const int64_t value = type == DType::kU32    ? static_cast<int64_t>(proto.uint64_data(i))
                          : type == DType::kBool ? proto.int32_data(i) != 0
                                                 : proto.int32_data(i);
    if (value < least || value > most)
      throw Error(Code::kMalformedModel, label(proto) + " holds " + std::to_string(value))
          .cause("its type is " + std::string(name(type)) + ", from " + std::to_string(least) + " to " +
                 std::to_string(most));
    std::memcpy(out, &value, static_cast<size_t>(unit));
  }
  return tensor;
}

bool clean_bools(Bytes bytes) {
  for (std::byte b : bytes)
    if (b > std::byte{1}) return false;
  return true;
}

Tensor from_bytes(const ::onnx::TensorProto& proto, DType type, const Dims& dims, int64_t expected, Bytes bytes,
                  const std::shared_ptr<const void>& owner) {
  if (static_cast<int64_t>(bytes.size()) != expected)
    throw wrong_count(proto, expected, static_cast<int64_t>(bytes.size()), "bytes");
  const auto alignment = static_cast<uintptr_t>(is_complex(type) ? bits(type) / 16 : std::max(8, bits(type)) / 8);
  const bool clean = type != DType::kBool || clean_bools(bytes);
  if (owner && clean && expected > 0 && reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0)
    return Tensor::borrow(type, dims, bytes.data(), owner);
  Tensor tensor = Tensor::allocate(type, dims);
  if (expected > 0) std::memcpy(tensor.mutable_data(), bytes.data(), bytes.size());
  if (!clean)
    for (uint8_t& b : std::span(static_cast<uint8_t*>(tensor.mutable_data()), bytes.size())) b = b != 0;
  return tensor;
}

int64_t number(const ::onnx::TensorProto& proto, const std::string& key, const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0)
    throw Error(Code::kMalformedModel, label(proto) + " has the external " + key + " '" + text + "'")
        .cause("it is not a number of bytes");
  return value;
}

Tensor from_file(const ::onnx::TensorProto& proto, DType type, const Dims& dims, int64_t expected,
                 ExternalData* external) {
  if (!external) throw Error(Code::kUnsupported, label(proto) + " lies outside of the file that holds it");
  std::string location;
  int64_t offset = 0, length = expected;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number(proto, "offset", entry.value());
    if (entry.key() == "length") length = number(proto, "length", entry.value());
  }
  if (length != expected) throw wrong_count(proto, expected, length, "bytes");
  const ExternalData::Part part = external->read(location, offset, length);
  return from_bytes(proto, type, dims, expected, part.bytes, part.file);
}

Tensor string_tensor(const ::onnx::TensorProto& proto, const Dims& dims, int64_t count) {
  if (proto.string_data_size() != count) throw wrong_count(proto, count, proto.string_data_size(), "strings");
  return Tensor::strings(dims, {proto.string_data().begin(), proto.string_data().end()});
}

}  // namespace

DType dtype_from_onnx(int64_t number) {
  using Onnx = ::onnx::TensorProto;
  switch (number) {
    case Onnx::FLOAT: return DType::kF32;
    case Onnx::UINT8: return DType::kU8;
    case Onnx::INT8: return DType::kI8;
    case Onnx::UINT16: return DType::kU16;
    case Onnx::INT16: return DType::kI16;
    case Onnx::INT32: return DType::kI32;
    case Onnx::INT64: return DType::kI64;
    case Onnx::STRING: return DType::kString;
    case Onnx::BOOL: return DType::kBool;
    case Onnx::FLOAT16: return DType::kF16;
    case Onnx::DOUBLE: return DType::kF64;
    case Onnx::UINT32: return DType::kU32;
    case Onnx::UINT64: return DType::kU64;
    case Onnx::COMPLEX64: return DType::kC64;
    case Onnx::COMPLEX128: return DType::kC128;
    case Onnx::BFLOAT16: return DType::kBF16;
    case Onnx::FLOAT8E4M3FN: return DType::kF8E4M3FN;
    case Onnx::FLOAT8E4M3FNUZ: return DType::kF8E4M3FNUZ;
    case Onnx::FLOAT8E5M2: return DType::kF8E5M2;
    case Onnx::FLOAT8E5M2FNUZ: return DType::kF8E5M2FNUZ;
    case Onnx::UINT4: return DType::kU4;
    case Onnx::INT4: return DType::kI4;
    case Onnx::FLOAT4E2M1: return DType::kF4E2M1;
    case Onnx::FLOAT8E8M0: return DType::kF8E8M0;
    case Onnx::UINT2: return DType::kU2;
    case Onnx::INT2: return DType::kI2;
    default: throw Error(Code::kMalformedModel, "element type " + std::to_string(number) + " is not one of ONNX");
  }
}

namespace {

// The shape of a tensor, and how many elements it has.
std::pair<Dims, int64_t> shape_of(const ::onnx::TensorProto& proto) {
  check_rank(proto);
  Dims dims(proto.dims().begin(), proto.dims().end());
  const auto count = checked_element_count(dims);
  if (!count)
    throw Error(Code::kMalformedModel, label(proto) + " has the shape " + to_string(dims))
        .cause("its size is negative or too large");
  return {std::move(dims), *count};
}

int64_t bytes_of(const ::onnx::TensorProto& proto, DType type, const Dims& dims, int64_t count) {
  const auto bytes = byte_size(type, count);
  if (!bytes)
    throw Error(Code::kMalformedModel, label(proto) + " has the shape " + to_string(dims))
        .cause("its size is too large");
  return *bytes;
}

}  // namespace

std::optional<Tensor> room_for(const ::onnx::TensorProto& proto, int64_t raw_bytes) {
  const DType type = dtype_from_onnx(proto.data_type());
  const auto [dims, count] = shape_of(proto);
  if (type == DType::kString || type == DType::kBool || proto.has_segment() ||
      proto.data_location() == ::onnx::TensorProto::EXTERNAL)
    return std::nullopt;
  const int64_t bytes = bytes_of(proto, type, dims, count);
  if (bytes != raw_bytes) throw wrong_count(proto, bytes, raw_bytes, "bytes");
  return Tensor::allocate(type, dims);
}

Tensor read_tensor(const ::onnx::TensorProto& proto, const std::shared_ptr<const void>& owner, ExternalData* external) {
  const DType type = dtype_from_onnx(proto.data_type());
  const auto [dims, count] = shape_of(proto);
  if (proto.has_segment()) throw Error(Code::kUnsupported, label(proto) + " is stored in segments");
  if (type == DType::kString) return string_tensor(proto, dims, count);
  const int64_t bytes = bytes_of(proto, type, dims, count);
  if (proto.data_location() == ::onnx::TensorProto::EXTERNAL) return from_file(proto, type, dims, bytes, external);
  if (proto.has_raw_data()) return from_bytes(proto, type, dims, bytes, bytes_of(proto.raw_data()), owner);
  if (const auto field = direct_field(proto, type)) return from_bytes(proto, type, dims, bytes, *field, owner);
  return narrowed(proto, type, dims, bytes);
}

Tensor read_sparse_tensor(const ::onnx::SparseTensorProto& proto, ExternalData* external) {
  const Tensor values = read_tensor(proto.values(), nullptr, external),
               indices = read_tensor(proto.indices(), nullptr, external);
  check_rank(proto);
  const Dims dims(proto.dims().begin(), proto.dims().end());
  const auto rank = static_cast<int64_t>(dims.size());
  const auto count = checked_element_count(dims);
  const auto bytes = count ? byte_size(values.dtype(), *count) : std::nullopt;
  if (!bytes || *bytes > kLargestDenseFromSparse)
    throw Error(Code::kMalformedModel, "a sparse tensor has the shape " + to_string(dims))
        .cause("its size is negative or too large");
  const bool linear = indices.rank() == 1;
  if (indices.dtype() != DType::kI64 || values.rank() != 1 || indices.size() != values.size() * (linear ? 1 : rank))
    throw Error(Code::kMalformedModel,
                "a sparse tensor has values " + values.type_string() + " and indices " + indices.type_string());
  Tensor dense = Tensor::allocate(values.dtype(), dims);
  const Dims strides = row_major_strides(dims);
  for (int64_t i = 0; i < values.size(); ++i) {
    int64_t at = linear ? indices.int_at(i) : 0;
    for (int64_t d = 0; d < rank && !linear; ++d) {
      const int64_t index = indices.int_at(i * rank + d);
      if (index < 0 || index >= nth(dims, d)) at = -1;
      if (at >= 0) at += index * nth(strides, d);
    }
    if (at < 0 || at >= *count)
      throw Error(Code::kMalformedModel, "an index of a sparse tensor is outside of its shape " + to_string(dims));
    copy_elements(values, i, dense, at, 1);
  }
  return dense;
}

std::string tensor_bytes(const Tensor& tensor, const std::string& name) {
  require(tensor.dtype() != DType::kString, Code::kUnsupported, "tensors of strings are not written");
  using Onnx = ::onnx::TensorProto;
  Onnx proto;
  proto.set_name(name);
  for (int number = Onnx::UNDEFINED + 1; number <= Onnx::DataType_MAX; ++number)
    if (Onnx::DataType_IsValid(number) && dtype_from_onnx(number) == tensor.dtype()) proto.set_data_type(number);
  for (int64_t d : tensor.dims()) proto.add_dims(d);
  proto.set_raw_data(tensor.data(), static_cast<size_t>(tensor.bytes()));
  return proto.SerializeAsString();
}

}  // namespace kiln::onnx
