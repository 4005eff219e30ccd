// Shapes: lists of dimensions, symbolic (Shape) or known (Dims), and the arithmetic that every room needs on them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor/dim.h"
#include "tensor/dtype.h"

namespace kiln {

using Dims = std::vector<int64_t>;
using Shape = std::vector<Dim>;

inline constexpr size_t kMostRank = 64;  // of a tensor

bool is_static(const Shape& shape);
Dims static_dims(const Shape& shape);  // throws kShapeNotSet when a dimension is symbolic
Shape to_shape(const Dims& dims);
Dim element_count(const Shape& shape);                           // 1 for a scalar
int64_t element_count(const Dims& dims);                         // throws kOverflow
std::optional<int64_t> checked_element_count(const Dims& dims);  // nothing on overflow or a negative dimension
Dims row_major_strides(const Dims& dims);                        // in elements
std::string to_string(const Shape& shape);                       // "[batch,3,224,224]"
std::string to_string(const Dims& dims);
// Numpy's multidirectional broadcast. Throws kShapeMismatch. A symbol against 1 gives the symbol; a symbol against a number gives the number, two different symbols
// give the second; both are checked when shapes are set.
Shape broadcast(const Shape& a, const Shape& b);
Dims broadcast(const Dims& a, const Dims& b);
// Brings an axis in [-rank, rank) to [0, rank); throws kInvalidArgument.
int64_t normalize_axis(int64_t axis, int64_t rank);

// What a tensor is. `ranked` false: nothing is known of the shape until it is computed.
struct TensorType {
  DType dtype = DType::kInvalid;
  Shape shape;
  bool ranked = true;
  bool operator==(const TensorType&) const = default;
  std::string str() const;  // "float32[batch,3]", "int64[*]" when unranked
};

}  // namespace kiln
