// Tensors of the public API: conversion, files, random values.
#include "api/host_tensor.h"

#include <cstring>
#include <random>

#include "api/kiln_api.h"
#include "api/npy.h"
#include "base/file_map.h"
#include "base/printable.h"
#include "frontends/onnx/tensor_proto.h"

namespace kiln::api {

bool has_host_form(const Datum& value) {
  return value.kind == Datum::kTensor && value.tensor.valid() && value.tensor.dtype() != DType::kString;
}

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

HostTensor load_tensor(const std::string& path) {
  return guarded([&] {
    if (path.ends_with(".npy")) return numbers_of(read_npy(FileMap::open(path)->bytes(), path), path);
    if (path.ends_with(".pb")) return to_host(onnx::load_datum(path).tensor);
    throw Error(Code::kInvalidArgument, "'" + path + "' is neither .npy nor .pb").remedy("convert it with numpy.save");
  });
}

void save_bytes(const std::string& path, const std::vector<std::byte>& bytes,
                const std::vector<std::string_view>& kinds) {
  guarded([&] { write_file(path, bytes, kinds); });
}

void check_place(const std::string& path, const std::vector<std::string_view>& kinds) {
  guarded([&] { check_writable(path, kinds); });
}

std::string printable(std::string_view text) { return kiln::printable(text); }

void save_tensor(const std::string& path, const HostTensor& tensor) {
  guarded([&] {
    if (!path.ends_with(".pb")) return write_file(path, npy_bytes(tensor), {kNpyMagic});
    const std::string bytes = onnx::tensor_bytes(from_host(tensor), "");
    write_file(path, std::as_bytes(std::span(bytes)));
  });
}

}  // namespace kiln::api
