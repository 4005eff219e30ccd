// What the operators on sequences and optionals share.
#include "ops/sequence/sequences.h"

#include "base/error.h"
#include "ops/movement.h"

namespace kiln::ops {

EdgeType tensor_edge(DType type, Shape shape) {
  EdgeType edge;
  edge.tensor = {type, std::move(shape), true};
  return edge;
}

EdgeType unranked_edge(DType type) {
  EdgeType edge;
  edge.tensor = {type, {}, false};
  return edge;
}

EdgeType sequence_edge(TensorType element) {
  EdgeType edge;
  edge.kind = Datum::kSequence;
  edge.tensor = std::move(element);
  return edge;
}

const TensorType& sequence_element(const ShapeCall& c, int index) {
  const EdgeType& edge = c.info(index).type;
  const bool unknown = edge.kind == Datum::kTensor && edge.tensor.dtype == DType::kInvalid;
  if (edge.kind != Datum::kSequence && !unknown)
    throw Error(Code::kTypeMismatch, "input " + std::to_string(index) + " is " + edge.str())
        .cause("it must be a sequence");
  return edge.tensor;
}

TensorType common_type(const TensorType& a, const TensorType& b) {
  if (a.dtype == DType::kInvalid) return b;
  if (b.dtype == DType::kInvalid || a == b) return a;
  if (a.dtype != b.dtype)
    throw Error(Code::kTypeMismatch,
                "a sequence of " + std::string(name(a.dtype)) + " cannot hold " + std::string(name(b.dtype)));
  return {a.dtype, {}, false};
}

Datum make_sequence(std::vector<Datum> items, DType element) {
  Datum sequence;
  sequence.kind = Datum::kSequence;
  sequence.element_dtype = items.empty() ? element : items.front().tensor.dtype();
  sequence.items = std::move(items);
  return sequence;
}

int64_t list_position(const RefCall& c, int index, int64_t count, int64_t fallback) {
  if (!c.present(index)) return fallback;
  if (c.input(index).size() != 1)
    throw Error(Code::kShapeMismatch, "a position is " + c.input(index).type_string()).cause("it must be one number");
  return checked_index(c.input(index).int_at(0), count, "sequence");
}

}  // namespace kiln::ops
