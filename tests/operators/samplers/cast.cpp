// Samples of conversions that are not pointwise.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample sample_bit_cast(Draw& draw) {
  const DType from = draw.type(kRealTypes), to = draw.type(kRealTypes);
  return Sample()
      .data(draw.values(from, draw.dims(0, 4)))
      .set("to", std::string(name(bits(to) == bits(from) ? to : from)));
}

Sample sample_cast_like(Draw& draw) {
  Sample s;
  s.data(draw.values(draw.type(kRealTypes), draw.dims(0, 4)))
      .weight(draw.values(draw.type(kRealTypes), draw.dims(0, 2)));
  if (draw.chance(0.4)) s.set("saturate", draw.flag());
  if (draw.chance(0.3)) s.set("round_mode", draw.word({"up", "down", "nearest"}));
  return s;
}

Sample sample_identity(Draw& draw) { return Sample().data(draw.values(draw.type(kAnyType), draw.dims(0, 5))); }

}  // namespace

Entries cast_samplers() {
  return {{"BitCast", sample_bit_cast}, {"CastLike", sample_cast_like}, {"Identity", sample_identity}};
}

}  // namespace kiln::operators
