// Samples of reductions.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sampler reduction(const char* name) {
  return [name](Draw& draw) {
    Sample s;
    const Dims x = draw.dims(0, 5);
    s.data(draw.values(draw.type(find_op(name)->inputs()[0].types), x));
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
