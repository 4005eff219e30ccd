// Samples of softmax and its relatives.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample sample_softmax(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(1, 4);
  s.data(draw.values(draw.type(kFloatTypes), x));
  if (draw.chance(0.7)) s.set("axis", draw.axis(static_cast<int64_t>(x.size())));
  return s;
}

}  // namespace

Entries softmax_samplers() {
  return {{"Hardmax", sample_softmax}, {"LogSoftmax", sample_softmax}, {"Softmax", sample_softmax}};
}

}  // namespace kiln::operators
