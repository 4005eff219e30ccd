// Arithmetic on shapes.
#include "tensor/shape.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"
#include "tensor/dim_demands.h"

namespace kiln {

bool is_static(const Shape& shape) {
  for (const Dim& d : shape)
    if (!d.is_constant()) return false;
  return true;
}

Dims static_dims(const Shape& shape) {
  Dims dims;
  dims.reserve(shape.size());
  for (const Dim& d : shape) dims.push_back(d.value());
  return dims;
}

Shape to_shape(const Dims& dims) { return Shape(dims.begin(), dims.end()); }

Dim element_count(const Shape& shape) {
  Dim count = 1;
  for (const Dim& d : shape) count = count * d;
  return count;
}

std::optional<int64_t> checked_element_count(const Dims& dims) {
  int64_t count = 1;
  bool empty = false;
  for (int64_t d : dims) {
    if (d < 0) return std::nullopt;
    if (d == 0) empty = true;
  }
  if (empty) return 0;
  for (int64_t d : dims) {
    auto next = checked_mul(count, d);
    if (!next) return std::nullopt;
    count = *next;
  }
  return count;
}

int64_t element_count(const Dims& dims) {
  if (auto count = checked_element_count(dims)) return *count;
  throw Error(Code::kOverflow, "the number of elements of " + to_string(dims) + " does not fit 64 bits or is negative");
}

Dims row_major_strides(const Dims& dims) {
  Dims strides(dims.size());
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = stride;
    if (i > 0) stride = mul_or_throw(stride, dims[i], "the strides of a shape");
  }
  return strides;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + shape[i].str();
  return text + "]";
}

std::string to_string(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? "," : "") + std::to_string(dims[i]);
  return text + "]";
}

namespace {

// Of two expressions for one dimension, the number, or else the one with fewer operations, so that sums of unlike operands do not
// grow.
const Dim& simpler(const Dim& a, const Dim& b) {
  if (a.is_constant() || b.is_constant()) return a.is_constant() ? a : b;
  return a.program().size() < b.program().size() ? a : b;
}

}  // namespace

Shape broadcast(const Shape& a, const Shape& b) {
  const size_t rank = std::max(a.size(), b.size());
  Shape result(rank);
  for (size_t i = 0; i < rank; ++i) {
    const Dim x = i < rank - a.size() ? Dim(1) : a[i - (rank - a.size())];
    const Dim y = i < rank - b.size() ? Dim(1) : b[i - (rank - b.size())];
    if (x == y || y == Dim(1)) {
      result[i] = x;
    } else if (x == Dim(1)) {
      result[i] = y;
    } else if (!x.is_constant() || !y.is_constant()) {
      result[i] = simpler(x, y);
      DimDemands::note(result[i], result[i] == x ? y : x, true);
    } else {
      throw Error(Code::kShapeMismatch, "shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast")
          .cause("dimension " + std::to_string(i) + " is " + x.str() + " and " + y.str())
          .remedy("make the dimensions equal or one of them 1");
    }
  }
  return result;
}

Dims broadcast(const Dims& a, const Dims& b) { return static_dims(broadcast(to_shape(a), to_shape(b))); }

int64_t normalize_axis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    throw Error(Code::kInvalidArgument,
                "axis " + std::to_string(axis) + " is outside a tensor of rank " + std::to_string(rank));
  return axis < 0 ? axis + rank : axis;
}

std::string TensorType::str() const { return std::string(name(dtype)) + (ranked ? to_string(shape) : "[*]"); }

}  // namespace kiln
