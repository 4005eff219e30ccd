// Samples of random operators: their numbers are a function of the key.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample keyed(Draw& draw, TypeSet types) {
  Sample s;
  s.set("key", draw.integer(-1000, 1000));
  if (draw.chance(0.5)) s.set("dtype", std::string(name(draw.type(types))));
  return s;
}

Sample sample_bernoulli(Draw& draw) {
  Sample s = keyed(draw, kNumericTypes | kBoolType);
  return s.data(draw.numbers(draw.type(kFloatTypes), draw.dims(0, 4), 0, 1));
}

Sample sample_dropout(Draw& draw) {
  Sample s;
  s.data(draw.values(draw.type(kFloatTypes), draw.dims(0, 4)));
  if (draw.chance(0.7)) s.parameter(draw.scalar(draw.type(kFloatTypes), draw.integer(0, 7) / 8.0));
  else s.absent();
  if (draw.chance(0.8)) s.data(Tensor::scalar<bool>(draw.flag() != 0));
  s.outputs = static_cast<int>(draw.integer(1, 2));
  return s.set("seed", draw.integer(0, 1000));
}

Sample sample_multinomial(Draw& draw) {
  Sample s = keyed(draw, kIndexTypes);
  s.data(draw.numbers(draw.type(kFloatTypes), {draw.size() % 5, draw.integer(1, 9)}, -3, 3));
  return s.set("sample_size", draw.integer(1, 20));
}

Sample sample_shaped(Draw& draw) { return keyed(draw, kFloatTypes).set("shape", draw.dims(0, 4)); }

Sample sample_like(Draw& draw) {
  Sample s = keyed(draw, kFloatTypes);
  return s.data(draw.values(draw.type(kFloatTypes), draw.dims(0, 4)));
}

}  // namespace

Entries random_samplers() {
  return {{"Bernoulli", sample_bernoulli},   {"Dropout", sample_dropout},       {"Multinomial", sample_multinomial},
          {"RandomNormal", sample_shaped},   {"RandomNormalLike", sample_like}, {"RandomUniform", sample_shaped},
          {"RandomUniformLike", sample_like}};
}

}  // namespace kiln::operators
