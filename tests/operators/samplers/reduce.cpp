// Samples of reductions.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sampler reduction(const char* name) {
  return [name](Draw& draw) {
    Sample s;
    const Dims x = draw.dims(0, 5);
    const DType type = draw.type(find_op(name)->inputs()[0].types);
    // The logarithm of a sum near zero magnifies its rounding without bound.
    const bool positive = std::string(name) == "ReduceLogSum" && is_float(type);
    s.data(positive ? draw.numbers(type, x, 0.1, 3) : draw.values(type, x));
    if (draw.chance(0.75)) s.parameter(draw.vector(draw.axes(static_cast<int64_t>(x.size()), 4)));
    if (draw.chance(0.6)) s.set("keepdims", draw.flag());
    if (draw.chance(0.4)) s.set("noop_with_empty_axes", draw.flag());
    return s;
  };
}

}  // namespace

Entries reduce_samplers() {
  Entries entries;
  for (const char* name : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                           "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"})
    entries.push_back({name, reduction(name)});
  return entries;
}

}  // namespace kiln::operators
