// Copies runs of elements between tensors, whatever their type.
#include <cstring>

#include "base/error.h"
#include "base/index.h"
#include "base/require.h"
#include "tensor/tensor.h"

namespace kiln {

void copy_elements(const Tensor& source, int64_t from, Tensor& destination, int64_t to, int64_t count) {
  if (source.dtype() != destination.dtype())
    throw Error(Code::kTypeMismatch,
                "cannot copy elements of " + source.type_string() + " into " + destination.type_string());
  require(from >= 0 && to >= 0 && count >= 0 && from + count <= source.size() && to + count <= destination.size(),
          Code::kInternal, "copy_elements is out of range");
  const int width = bits(source.dtype());
  if (source.dtype() == DType::kString) {
    for (int64_t i = 0; i < count; ++i)
      nth(destination.mutable_string_values(), to + i) = nth(source.string_values(), from + i);
  } else if (width % 8 == 0) {
    const int64_t bytes = width / 8;
    if (count > 0)
      std::memcpy(static_cast<std::byte*>(destination.mutable_data()) + to * bytes,
                  static_cast<const std::byte*>(source.data()) + from * bytes, static_cast<size_t>(count * bytes));
  } else {
    const bool is_real = is_float(source.dtype());
    for (int64_t i = 0; i < count; ++i) {
      if (is_real) destination.set(to + i, source.at(from + i));
      else destination.set_int(to + i, source.int_at(from + i));
    }
  }
}

}  // namespace kiln
