// Tensors of the public API: conversion, files, random values.
#include "api/host_tensor.h"

#include <charconv>
#include <cstring>
#include <random>

#include "api/kiln_api.h"
#include "base/file_map.h"
#include "base/printable.h"
#include "frontends/onnx/tensor_proto.h"

namespace kiln::api {

HostTensor to_host(const Tensor& tensor) {
  if (tensor.dtype() == DType::kString) throw Error(Code::kUnsupported, "tensors of strings have no host form");
  HostTensor host{std::string(name(tensor.dtype())), tensor.dims(),
                  std::vector<std::byte>(static_cast<size_t>(tensor.bytes()))};
  if (!host.data.empty()) std::memcpy(host.data.data(), tensor.data(), host.data.size());
  return host;
}

Tensor from_host(const HostTensor& host) {
  const auto type = dtype_from_name(host.type);
  if (!type) throw Error(Code::kTypeMismatch, "'" + host.type + "' is not an element type");
  const auto count = checked_element_count(host.dims);
  const auto bytes = count ? byte_size(*type, *count) : std::nullopt;
  if (!bytes || static_cast<size_t>(*bytes) != host.data.size())
    throw Error(Code::kShapeMismatch, "a tensor of " + host.type + to_string(host.dims) + " has " +
                                          std::to_string(host.data.size()) + " bytes");
  return Tensor::borrow(*type, host.dims, host.data.data());
}

double element(const HostTensor& tensor, int64_t index) {
  return load_double(*dtype_from_name(tensor.type), tensor.data.data(), index);
}

int64_t element_count(const HostTensor& tensor) { return kiln::element_count(tensor.dims); }

HostTensor random_tensor(const std::string& type, const std::vector<int64_t>& dims, uint64_t seed) {
  const auto dtype = dtype_from_name(type);
  if (!dtype) throw Failure("error[K2004] '" + type + "' is not an element type\n  remedy: numpy's names, as float32");
  Tensor tensor = guarded([&] { return Tensor::allocate(*dtype, dims); });
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    if (is_float(*dtype)) tensor.set(i, 2 * unit - 1);
    else tensor.set_int(i, unit < 0.5 ? 0 : 1);
  }
  return to_host(tensor);
}

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct NpyType {
  std::string_view code, name;
};
constexpr NpyType kNpyTypes[] = {{"|b1", "bool"},      {"|u1", "uint8"},      {"|i1", "int8"},    {"<u2", "uint16"},
                                 {"<i2", "int16"},     {"<u4", "uint32"},     {"<i4", "int32"},   {"<u8", "uint64"},
                                 {"<i8", "int64"},     {"<f2", "float16"},    {"<f4", "float32"}, {"<f8", "float64"},
                                 {"<c8", "complex64"}, {"<c16", "complex128"}};

[[noreturn]] void bad_npy(const std::string& what, const std::string& cause,
                          const std::string& remedy = "write it with numpy.save") {
  throw Failure("error[K2001] '" + what + "' is not a readable .npy file\n  cause: " + cause + "\n  remedy: " + remedy);
}

// The text between quotes that follows 'key':.
std::string_view field(std::string_view header, std::string_view key, char open, char close) {
  size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  at = header.find(open, at + key.size() + 1);
  const size_t end = at == std::string_view::npos ? at : header.find(close, at + 1);
  return end == std::string_view::npos ? std::string_view() : header.substr(at + 1, end - at - 1);
}

Dims npy_dims(std::string_view text, const std::string& what) {
  Dims dims;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == ',' || text[i] == ' ') {
      ++i;
      continue;
    }
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), value);
    if (error != std::errc() || value < 0) bad_npy(what, "its shape is '" + std::string(text) + "'");
    dims.push_back(value);
    i = static_cast<size_t>(end - text.data());
  }
  return dims;
}

}  // namespace

namespace {

HostTensor read_npy(std::span<const std::byte> bytes, const std::string& what) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (all.size() < 12 || !all.starts_with(kMagic)) bad_npy(what, "it does not begin as one");
  const bool wide = all[6] >= 2;
  size_t length = static_cast<uint8_t>(all[8]) | static_cast<size_t>(static_cast<uint8_t>(all[9])) << 8;
  if (wide)
    length |= static_cast<size_t>(static_cast<uint8_t>(all[10])) << 16 |
              static_cast<size_t>(static_cast<uint8_t>(all[11])) << 24;
  const size_t start = wide ? 12 : 10;
  if (length > all.size() - start) bad_npy(what, "its header is cut off");
  const std::string_view header = all.substr(start, length);
  HostTensor tensor;
  const std::string_view code = field(header, "'descr'", '\'', '\'');
  for (const NpyType& t : kNpyTypes)
    if (t.code == code) tensor.type = t.name;
  if (tensor.type.empty())
    bad_npy(what, "its element type is '" + std::string(code) + "'",
            "convert it: numbers, little-endian, numpy.save(file, array.astype(numpy.float32))");
  if (header.find("'fortran_order': False") == std::string_view::npos)
    bad_npy(what, "it is in Fortran order", "write it with numpy.save(file, numpy.ascontiguousarray(array))");
  tensor.dims = npy_dims(field(header, "'shape'", '(', ')'), what);
  const auto count = checked_element_count(tensor.dims);
  const auto size = count ? byte_size(*dtype_from_name(tensor.type), *count) : std::nullopt;
  if (!size || static_cast<size_t>(*size) != all.size() - start - length)
    bad_npy(what, "its size does not fit its shape");
  tensor.data.assign(bytes.begin() + static_cast<std::ptrdiff_t>(start + length), bytes.end());
  return tensor;
}

}  // namespace

HostTensor parse_npy(const std::vector<std::byte>& bytes, const std::string& what) { return read_npy(bytes, what); }

HostTensor load_tensor(const std::string& path) {
  return guarded([&] {
    if (path.ends_with(".npy")) return read_npy(FileMap::open(path)->bytes(), path);
    if (path.ends_with(".pb")) return to_host(onnx::load_datum(path).tensor);
    throw Error(Code::kInvalidArgument, "'" + path + "' is neither .npy nor .pb").remedy("convert it with numpy.save");
  });
}

std::vector<std::byte> npy_bytes(const HostTensor& tensor) {
  std::string_view code;
  for (const NpyType& t : kNpyTypes)
    if (t.name == tensor.type) code = t.code;
  if (code.empty())
    throw Failure("error[K2003] numpy has no element type " + tensor.type + "\n  remedy: write .pb files");
  std::string shape;
  for (int64_t d : tensor.dims) shape += std::to_string(d) + ",";
  std::string header = "{'descr': '" + std::string(code) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.resize((header.size() + 1 + 10 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::vector<std::byte> bytes(10 + header.size() + tensor.data.size());
  std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
  bytes[6] = std::byte{1};
  bytes[8] = static_cast<std::byte>(header.size() & 255);
  bytes[9] = static_cast<std::byte>(header.size() >> 8);
  std::memcpy(bytes.data() + 10, header.data(), header.size());
  if (!tensor.data.empty()) std::memcpy(bytes.data() + 10 + header.size(), tensor.data.data(), tensor.data.size());
  return bytes;
}

void save_bytes(const std::string& path, const std::vector<std::byte>& bytes,
                const std::vector<std::string_view>& kinds) {
  guarded([&] { write_file(path, bytes, kinds); });
}

std::string printable(std::string_view text) { return kiln::printable(text); }

void save_tensor(const std::string& path, const HostTensor& tensor) {
  guarded([&] {
    if (!path.ends_with(".pb")) return write_file(path, npy_bytes(tensor), {kMagic});
    const std::string bytes = onnx::tensor_bytes(from_host(tensor), "");
    write_file(path, std::as_bytes(std::span(bytes)));
  });
}

}  // namespace kiln::api
