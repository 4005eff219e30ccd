// Random numbers: splitmix64 of key and position; normal ones by Box and Muller.
#include "ops/random/random.h"

#include <cmath>
#include <numbers>

namespace kiln::ops {
namespace {

uint64_t mixed(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

}  // namespace

double RandomElements::uniform(int64_t i, uint64_t stream) const {
  return static_cast<double>(mixed(mixed(key_ + stream * 0xd1342543de82ef95) ^ static_cast<uint64_t>(i)) >> 11) *
         0x1p-53;
}

double RandomElements::normal(int64_t i) const {
  const double radius = std::sqrt(-2 * std::log(1 - uniform(i, 1)));
  return radius * std::cos(2 * std::numbers::pi * uniform(i, 2));
}

void fill_uniform(RefCall& c) {
  const RandomElements random(c);
  const double low = c.real("low"), width = c.real("high") - low;
  fill_random(c, [&](int64_t i) { return low + width * random.uniform(i); });
}

void fill_normal(RefCall& c) {
  const RandomElements random(c);
  const double mean = c.real("mean"), scale = c.real("scale");
  fill_random(c, [&](int64_t i) { return mean + scale * random.normal(i); });
}

TypeRule random_type() {
  return computed_type(
      [](const ShapeCall& c) { return c.attributes().dtype("dtype", c.input_count() > 0 ? c.dtype(0) : DType::kF32); });
}

}  // namespace kiln::ops
