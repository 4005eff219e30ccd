// What the operators with regions share.
#include "ops/control/control.h"

#include "base/error.h"

namespace kiln::ops {

std::vector<EdgeType> unknown_edges(ShapeCall& c) {
  EdgeType unknown;
  unknown.tensor.ranked = false;
  return std::vector<EdgeType>(static_cast<size_t>(c.output_count()), unknown);
}

std::vector<Datum> inputs_between(const RefCall& c, int begin, int end) {
  std::vector<Datum> inputs;
  for (int i = begin; i < end; ++i) inputs.push_back(c.datum(i));
  return inputs;
}

int first_capture(const RefCall& c) {
  const int64_t captures = c.integer("captures");
  if (captures < 0 || captures > c.input_count())
    throw Error(Code::kInvalidGraph,
                std::to_string(captures) + " captures of " + std::to_string(c.input_count()) + " inputs");
  return c.input_count() - static_cast<int>(captures);
}

bool truth(const Datum& condition) {
  if (condition.kind != Datum::kTensor || condition.tensor.dtype() != DType::kBool || condition.tensor.size() != 1)
    throw Error(Code::kShapeMismatch, "a condition is " + condition.tensor.type_string()).cause("it must be one bool");
  return condition.tensor.int_at(0) != 0;
}

}  // namespace kiln::ops
