// Movement of elements of any type: index maps that reference evaluations and element rules share.
#pragma once
#include <optional>
#include <vector>

#include "ops/op.h"

namespace kiln::ops {

// start + index · strides for every row-major index of `dims`.
std::vector<int64_t> strided_positions(int64_t start, const Dims& dims, const Dims& strides);
// out[i] = source[positions[i]]; a negative position leaves the element as it is.
void pick(const Tensor& source, const std::vector<int64_t>& positions, Tensor& out);
Tensor picked(const Tensor& source, const std::vector<int64_t>& positions, Dims dims);
Tensor make_tensor(DType type, Dims dims);    // zeroed; of empty strings
void fill(Tensor& out, const Tensor& value);  // with the first element of `value`
void copy_all(const Tensor& source, Tensor& out);
// Axis i of the result is axis perm[i] of `dims`.
template <class List> List permuted(const List& dims, const Ints& perm) {
  List result;
  for (int64_t p : perm) result.push_back(dims[static_cast<size_t>(p)]);
  return result;
}
Tensor concatenated(const std::vector<Tensor>& tensors, int64_t axis);  // of one rank; at least one
Tensor stacked(const std::vector<Tensor>& tensors, int64_t axis);       // along a new axis; of one shape
Tensor section(const Tensor& tensor, int64_t axis, int64_t begin, int64_t count);
Tensor transposed(const Tensor& tensor, const Ints& perm);

// Elements of an input as expressions, unknown ones among them, unless there are too many to be the arithmetic of shapes.
inline constexpr int64_t kMaxElements = 1024;
std::optional<std::vector<Dim>> few_elements(const ShapeCall& c, std::string_view input);
std::optional<std::vector<Dim>> few_elements(const ShapeCall& c, int index);
std::vector<Dim> pick(const std::vector<Dim>& source, const std::vector<int64_t>& positions);
// The element rule of operators that keep the elements of the named input in order.
OpDef::ElementRule same_elements(std::string input);
// Length of a 1-D input when it is a number.
std::optional<int64_t> static_length(const ShapeCall& c, std::string_view input);
// Axes from [-rank, rank) to [0, rank), sorted; throws kInvalidArgument when one is out of range or named twice.
Ints normalized_axes(const Ints& axes, int64_t rank);
// The dimension that two equal dimensions have: the number when one is known. Throws kShapeMismatch with `what` when they differ.
Dim same_dim(const Dim& a, const Dim& b, const std::string& what);
inline bool contains(const Ints& list, int64_t value) {
  for (int64_t v : list)
    if (v == value) return true;
  return false;
}
// An index counted from the end when negative; throws kInvalidArgument with the operator's name when outside.
int64_t checked_index(int64_t index, int64_t extent, const char* op);

}  // namespace kiln::ops
