// DynamicQuantizeLinear: x as uint8, with the scale and zero point that its range, widened to hold zero, asks for.
#include <algorithm>
#include <cmath>

#include "ops/quantize/granularity.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void dynamic_quantize_reference(RefCall& c) {
  const std::vector<double> x = doubles(c.input("x"));
  float low = 0, high = 0;
  for (double v : x) {
    low = std::min(low, static_cast<float>(v));
    high = std::max(high, static_cast<float>(v));
  }
  const float step = (low == high ? 1.0f : high - low) / 255.0f;
  const float zero = std::nearbyint(std::clamp(0.0f - low / step, 0.0f, 255.0f));
  for (size_t i = 0; i < x.size(); ++i)
    store_quantized(c.output(0), static_cast<int64_t>(i), static_cast<float>(x[i]) / step, zero);
  if (c.wants(1)) c.output(1).set(0, step);
  if (c.wants(2)) c.output(2).set(0, zero);
}

}  // namespace

const OpDef dynamic_quantize_linear =
    op("DynamicQuantizeLinear")
        .input("x", kFloatTypes)
        .output("y", fixed_type(DType::kU8))
        .output("y_scale", fixed_type(DType::kF32))
        .output("y_zero_point", fixed_type(DType::kU8))
        .shapes([](ShapeCall& c) { return std::vector<OutputShape>{c.dims("x"), Shape(), Shape()}; })
        .reference(dynamic_quantize_reference)
        .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
