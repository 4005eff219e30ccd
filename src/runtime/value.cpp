// Copies of what tensors hold, for observers.
#include <cstring>

#include "base/checked.h"
#include "base/index.h"
#include "runtime/runner.h"

namespace kiln {
namespace {

// Position in storage of each element in row-major order.
template <class F> void for_each_offset(const Layout& layout, const Dims& dims, const Dims& strides, F&& visit) {
  Dims index(dims.size(), 0);
  const int64_t count = element_count(dims);
  for (int64_t i = 0; i < count; ++i) {
    int64_t offset = 0;
    if (layout.is_plain())
      for (size_t d = 0; d < dims.size(); ++d) offset += index[d] * strides[d];
    else offset = storage_offset(layout, dims, index);
    visit(i, offset);
    for (size_t d = dims.size(); d-- > 0 && ++index[d] == dims[d];) index[d] = 0;
  }
}

}  // namespace

Datum Runner::value(Stream& stream, int32_t tensor) const {
  const TensorState& state = nth(states_, tensor);
  const plan::TensorInfo& info = nth(program_.tensors, tensor);
  const bool in_memory = !state.slot || (state.slot->kind == Datum::kTensor && !info.layout.is_row_major());
  if (!in_memory) {
    Datum copy = *state.slot;
    if (copy.kind == Datum::kTensor && copy.tensor.valid()) copy.tensor = copy.tensor.clone();
    return copy;
  }
  Tensor result = Tensor::allocate(info.dtype, state.dims);
  if (result.size() == 0) return Datum(std::move(result));
  int64_t last = 0;
  for_each_offset(info.layout, state.dims, state.strides, [&](int64_t, int64_t at) { last = std::max(last, at); });
  const auto bytes = byte_size(info.dtype, last + 1);
  if (!bytes) throw Error(Code::kOverflow, "the size of '" + info.name + "' does not fit 64 bits");
  std::vector<std::byte> storage(static_cast<size_t>(*bytes));
  if (on_host(info)) {
    std::memcpy(storage.data(), state.view.data, storage.size());
  } else {
    throw_if_error(
        engine_.device().copy(stream, storage.data(), state.view.data, storage.size(), CopyKind::kDeviceToHost));
    throw_if_error(stream.synchronize());
  }
  const auto size = static_cast<size_t>(bits(info.dtype)) / 8;
  if (bits(info.dtype) % 8) {  // packed: always dense and row-major
    std::memcpy(result.mutable_data(), storage.data(), storage.size());
    return Datum(std::move(result));
  }
  auto* to = static_cast<std::byte*>(result.mutable_data());
  for_each_offset(info.layout, state.dims, state.strides, [&](int64_t i, int64_t at) {
    std::memcpy(to + static_cast<size_t>(i) * size, storage.data() + static_cast<size_t>(at) * size, size);
  });
  return Datum(std::move(result));
}

}  // namespace kiln
