// Samples of arithmetic that is not pointwise.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample sample_scale(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const std::string mode = draw.word({"uniform", "channel", "elementwise"});
  const Dims x = draw.dims(1, 4);
  const int64_t axis = draw.axis(static_cast<int64_t>(x.size())),
                place = normalize_axis(axis, static_cast<int64_t>(x.size()));
  const int64_t count = mode == "uniform"   ? 1
                        : mode == "channel" ? x[static_cast<size_t>(place)]
                                            : element_count(Dims(x.begin() + place, x.end()));
  s.data(draw.numbers(type, x, 0.1, 3));
  for (int i = 0; i < 2; ++i) draw.chance(0.7) ? s.weight(draw.numbers(type, {count}, 0.1, 2)) : s.absent();
  if (draw.chance(0.4)) s.weight(draw.numbers(type, {count}, 0.5, 2));
  return s.set("mode", mode).set("channel_axis", axis);
}

}  // namespace

Entries math_samplers() { return {{"Scale", sample_scale}}; }

}  // namespace kiln::operators
