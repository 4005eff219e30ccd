// ReverseSequence: reverses the first sequence_lens[b] steps of time of every batch entry b.
#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape reverse_shape(ShapeCall& c) {
  const int64_t batch = c.integer("batch_axis"), time = c.integer("time_axis");
  if (c.rank("input") < 2 || batch < 0 || batch > 1 || time < 0 || time > 1 || batch == time)
    throw Error(Code::kShapeMismatch, "ReverseSequence of " + to_string(c.dims("input")))
        .cause("time_axis and batch_axis must be 0 and 1 or 1 and 0");
  return c.dims("input");
}

void reverse_reference(RefCall& c) {
  const Tensor& input = c.input("input");
  const auto batch = static_cast<size_t>(c.integer("batch_axis")), time = static_cast<size_t>(c.integer("time_axis"));
  const Ints lengths = c.input("sequence_lens").to_ints();
  if (static_cast<int64_t>(lengths.size()) != input.dims()[batch])
    throw Error(Code::kShapeMismatch, "ReverseSequence has " + std::to_string(lengths.size()) +
                                          " lengths for a batch of " + std::to_string(input.dims()[batch]));
  for (int64_t n : lengths)
    if (n < 0 || n > input.dims()[time])
      throw Error(Code::kInvalidArgument,
                  "ReverseSequence of " + std::to_string(n) + " steps of " + std::to_string(input.dims()[time]));
  if (input.size() == 0) return;
  const Dims strides = row_major_strides(input.dims());
  std::vector<int64_t> positions;
  Dims index(input.dims().size(), 0);
  do {
    Dims from = index;
    const int64_t n = nth(lengths, index[batch]);
    if (index[time] < n) from[time] = n - 1 - index[time];
    positions.push_back(dot(from, strides));
  } while (advance(index, input.dims()));
  pick(input, positions, c.output());
}

}  // namespace

const OpDef reverse_sequence = op("ReverseSequence")
                                   .input("input", kAnyType)
                                   .input("sequence_lens", DType::kI64)
                                   .attr("batch_axis", int64_t{1})
                                   .attr("time_axis", int64_t{0})
                                   .output("Y", same_type("input"))
                                   .shape(reverse_shape)
                                   .reference(reverse_reference);

}  // namespace kiln::ops
