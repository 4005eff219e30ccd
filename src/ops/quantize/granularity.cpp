// Where the scale and zero point of each element lie, and rounding to quantized types.
#include "ops/quantize/granularity.h"

#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "ops/reference_math.h"
#include "tensor/dim_demands.h"

namespace kiln::ops {
namespace {

// Extents before, at and after the axis.
struct Lines {
  int64_t outer = 1, extent = 1, inner = 1;
};

Lines lines_of(const Dims& dims, int64_t axis) {
  const auto a = static_cast<size_t>(normalize_axis(axis, static_cast<int64_t>(dims.size())));
  return {product(dims, 0, a), dims[a], product(dims, a + 1, dims.size())};
}

[[noreturn]] void fail(std::string_view name, const std::string& shape, const std::string& x, std::string cause) {
  throw Error(Code::kShapeMismatch, "'" + std::string(name) + "' has the shape " + shape + " for a tensor of " + x)
      .cause(std::move(cause))
      .remedy("give one value, one for each index of the axis, or one for each block");
}

void check_same(std::string_view name, const Shape& shape, const Shape& x, const Dim& got, const Dim& wanted) {
  if (got.is_constant() && wanted.is_constant() && !(got == wanted))
    fail(name, to_string(shape), to_string(x), got.str() + " values where " + wanted.str() + " are needed");
}

// Whether the parameter has one value; what cannot be told yet is left to running.
bool is_one_value(const ShapeCall& c, std::string_view parameter) {
  return !c.present(parameter) || element_count(c.dims(parameter)) == Dim(1);
}

[[noreturn]] void fail_parameter(const ShapeCall& c, std::string_view parameter, const std::string& due) {
  throw Error(Code::kShapeMismatch,
              "input '" + std::string(parameter) + "' has the shape " + to_string(c.dims(parameter)))
      .cause("it is to be " + due)
      .remedy("correct the scales and zero points of the model");
}

bool differ(const Dim& a, const Dim& b) { return a.is_constant() && b.is_constant() && !(a == b); }

// `axis` of the last two is that along which the parameter varies.
void check_by_axis(const ShapeCall& c, Names parameters, const Shape& x, size_t axis, const std::string& what) {
  const size_t rank = x.size();
  const Dim count = rank < 2 ? Dim(1) : x[rank - 2 + axis];
  for (std::string_view parameter : parameters) {
    if (is_one_value(c, parameter)) continue;
    const Shape& shape = c.dims(parameter);
    bool fits = shape.size() == 1 ? !differ(shape[0], count) : shape.size() == rank;
    if (shape.size() == 1) DimDemands::note(count, shape[0], true);
    for (size_t i = 0; shape.size() > 1 && fits && i < rank; ++i)
      fits = shape[i] == Dim(1) || !differ(shape[i], i == rank - 1 - axis ? Dim(1) : x[i]);
    if (!fits) fail_parameter(c, parameter, "one value, or one for each " + what + " of " + to_string(x));
  }
}

}  // namespace

std::vector<double> spread(const Tensor& parameter, const Dims& x, int64_t axis, int64_t block_size) {
  const std::vector<double> values = doubles(parameter);
  std::vector<double> result(static_cast<size_t>(element_count(x)));
  if (values.size() == 1) result.assign(result.size(), values[0]);
  if (values.size() == 1 || result.empty()) return result;
  const Lines lines = lines_of(x, axis);
  const int64_t blocks = block_size > 0 ? lines_of(parameter.dims(), axis).extent : 0;
  size_t position = 0;
  for (int64_t o = 0; o < lines.outer; ++o)
    for (int64_t k = 0; k < lines.extent; ++k)
      for (int64_t i = 0; i < lines.inner; ++i)
        result[position++] = nth(values, block_size > 0 ? (o * blocks + k / block_size) * lines.inner + i : k);
  return result;
}

std::vector<double> broadcast_values(const Tensor& tensor, const Dims& to) {
  const std::vector<double> values = doubles(tensor);
  if (values.size() == 1) return std::vector<double>(static_cast<size_t>(element_count(to)), values[0]);
  if (broadcast(tensor.dims(), to) != to)
    fail("parameter", to_string(tensor.dims()), to_string(to), "it does not broadcast to it");
  std::vector<double> result;
  if (element_count(to) == 0) return result;
  const Dims strides = broadcast_strides(tensor.dims(), to);
  Dims index(to.size(), 0);
  do result.push_back(nth(values, dot(index, strides)));
  while (advance(index, to));
  return result;
}

void check_granularity(ShapeCall& c, std::string_view x, std::string_view parameter) {
  if (!c.present(parameter) || !c.ranked(x) || !c.ranked(parameter)) return;
  const Shape &dims = c.dims(x), &shape = c.dims(parameter);
  const Dim count = element_count(shape);
  if (count == Dim(1)) return;
  const int64_t block_size = c.integer("block_size");
  if (block_size < 0) throw Error(Code::kInvalidArgument, "block_size is " + std::to_string(block_size));
  // The usual axis, 1, is none of a vector: a count that only running can tell must be 1 then.
  const int64_t asked = c.integer("axis"), rank = c.rank(x);
  if (block_size == 0 && !count.is_constant() && (asked < -rank || asked >= rank)) return;
  const auto axis = static_cast<size_t>(normalize_axis(asked, rank));
  if (block_size == 0) {
    if (shape.size() != 1)
      fail(parameter, to_string(shape), to_string(dims), "block_size is 0, so that only one dimension is allowed");
    check_same(parameter, shape, dims, count, dims[axis]);
    return DimDemands::note(dims[axis], count, true);
  }
  if (shape.size() != dims.size()) fail(parameter, to_string(shape), to_string(dims), "blocks need the same rank");
  for (size_t i = 0; i < dims.size(); ++i)
    check_same(parameter, shape, dims, shape[i], i == axis ? ceil_div(dims[i], block_size) : dims[i]);
}

void check_one(const ShapeCall& c, Names parameters) {
  for (std::string_view parameter : parameters) {
    if (is_one_value(c, parameter)) continue;
    const Dim count = element_count(c.dims(parameter));
    if (count.is_constant()) fail_parameter(c, parameter, "one value");
    DimDemands::note(1, count);
  }
}

void check_one_or_each(const ShapeCall& c, Names parameters, const Dim& count, std::string_view what) {
  for (std::string_view parameter : parameters) {
    if (is_one_value(c, parameter)) continue;
    const Shape& shape = c.dims(parameter);
    const bool many = shape.size() != 1 && element_count(shape).is_constant();
    if (many || (shape.size() == 1 && differ(shape[0], count)))
      fail_parameter(c, parameter, "one value, or one for each of " + count.str() + " " + std::string(what));
    if (shape.size() == 1) DimDemands::note(count, shape[0], true);
  }
}

void check_by_row(const ShapeCall& c, Names parameters, const Shape& x) { check_by_axis(c, parameters, x, 0, "row"); }

void check_by_column(const ShapeCall& c, Names parameters, const Shape& x) {
  check_by_axis(c, parameters, x, 1, "column");
}

Expr dequantized(Expr x, Expr scale, const Expr* zero_point) {
  Expr difference = x.convert(ScalarType::kF32);
  if (zero_point && zero_point->present()) difference = difference - zero_point->convert(ScalarType::kF32);
  return difference * scale;
}

double rounded_to(DType type, double value) {
  if (type == DType::kF64) return value;
  if (type == DType::kF32) return static_cast<float>(value);
  double storage = 0;
  store_double(type, &storage, 0, value);
  return load_double(type, &storage, 0);
}

void store_quantized(Tensor& to, int64_t i, double value, double zero_point, bool saturate) {
  const DType type = to.dtype();
  if (!is_integer(type)) return store_double(type, to.mutable_data(), i, value + zero_point, saturate);
  const int width = bits(type) - (is_signed_integer(type) ? 1 : 0);
  const double high = std::ldexp(1.0, width) - 1, low = is_signed_integer(type) ? -high - 1 : 0;
  const double rounded = std::nearbyint(value) + zero_point;
  to.set_int(i, static_cast<int64_t>(!(rounded > low) ? low : rounded < high ? rounded : high));
}

}  // namespace kiln::ops
