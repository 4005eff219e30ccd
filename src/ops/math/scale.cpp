// Scale: (x * scale + shift) ^ power. `mode` says how the coefficients lie: "uniform" one for all, "channel" one for each index of
// `channel_axis`, "elementwise" one for each element from that axis on, repeated over the dimensions before it.
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

constexpr const char* kCoefficients[] = {"shift", "scale", "power"};

OutputShape scale_shape(ShapeCall& c) {
  const Shape& x = c.dims("x");
  const std::string mode = c.text("mode");
  if (mode != "uniform" && mode != "channel" && mode != "elementwise")
    throw Error(Code::kInvalidArgument, "Scale has the mode '" + mode + "'")
        .remedy("use uniform, channel or elementwise");
  Dim expected = 1;
  if (mode != "uniform") {
    const int64_t axis = c.axis("channel_axis", c.rank("x"));
    expected = mode == "channel" ? nth(x, axis) : element_count(Shape(x.begin() + axis, x.end()));
  }
  for (const char* name : kCoefficients) {
    if (!c.present(name)) continue;
    const Dim count = element_count(c.dims(name));
    if (count.is_constant() && expected.is_constant() && !(count == expected))
      throw Error(Code::kShapeMismatch, "Scale in mode " + mode + " has " + count.str() + " elements of '" + name + "'")
          .cause(expected.str() + " are needed for x of shape " + to_string(x));
  }
  return x;
}

void scale_reference(RefCall& c) {
  const Tensor& x = c.input("x");
  std::vector<double> values = doubles(x);
  const std::string mode = c.text("mode");
  const size_t axis = mode == "uniform" ? 0 : static_cast<size_t>(c.axis("channel_axis", x.rank()));
  const auto inner = mode == "channel" ? static_cast<size_t>(product(x.dims(), axis + 1, x.dims().size())) : 1;
  auto coefficients = [&](const char* name, double fallback) {
    return c.present(name) ? doubles(c.input(name)) : std::vector<double>{fallback};
  };
  const auto shift = coefficients("shift", 0), scale = coefficients("scale", 1), power = coefficients("power", 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t k = i / inner;
    const double v = values[i] * scale[k % scale.size()] + shift[k % shift.size()], p = power[k % power.size()];
    values[i] = p == 1 ? v : std::pow(v, p);
  }
  store(c.output(), values);
}

}  // namespace

const OpDef scale_op = op("Scale")
                           .input("x", kFloatTypes)
                           .optional_input("shift", kFloatTypes, "x")
                           .optional_input("scale", kFloatTypes, "x")
                           .optional_input("power", kFloatTypes, "x")
                           .attr("mode", std::string("uniform"))
                           .attr("channel_axis", int64_t{1})
                           .output("y", same_type("x"))
                           .shape(scale_shape)
                           .reference(scale_reference)
                           .accuracy(Accuracy::kFewUlp);

}  // namespace kiln::ops
