// What the operators on sequences and optionals share.
#pragma once
#include "ops/op.h"

namespace kiln::ops {

EdgeType tensor_edge(DType type, Shape shape);
EdgeType unranked_edge(DType type);
EdgeType sequence_edge(TensorType element);
// The element type of the sequence that is input `index`; throws kTypeMismatch when it is no sequence.
const TensorType& sequence_element(const ShapeCall& c, int index);
// What both are: the shape is dropped when they differ. Throws kTypeMismatch when the element types differ.
TensorType common_type(const TensorType& a, const TensorType& b);
Datum make_sequence(std::vector<Datum> items, DType element);
// Position input `index` in a list of `count`, counted from the end when negative; `fallback` when absent.
int64_t list_position(const RefCall& c, int index, int64_t count, int64_t fallback);

}  // namespace kiln::ops
