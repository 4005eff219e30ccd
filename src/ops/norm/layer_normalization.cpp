// LayerNormalization: over the axes from `axis` on, (x - mean) / sqrt(variance + epsilon) * scale + b.
#include <cmath>

#include "ops/dim_checks.h"
#include "ops/numbers.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

std::vector<OutputShape> layer_normalization_shapes(ShapeCall& c) {
  const Shape& x = c.dims("x");
  const auto axis = static_cast<size_t>(c.axis("axis", c.rank("x")));
  for (const char* name : {"scale", "b"})
    if (c.present(name) && broadcast(x, c.dims(name)).size() != x.size())
      throw Error(Code::kShapeMismatch, std::string(name) + " " + to_string(c.dims(name)) + " has a higher rank than x " + to_string(x));
  Shape statistics = x;
  for (size_t i = axis; i < statistics.size(); ++i) statistics[i] = 1;
  return {x, statistics, statistics};
}

void layer_normalization_reference(RefCall& c) {
  const Dims& dims = c.input("x").dims();
  const auto axis = static_cast<size_t>(c.axis("axis", c.input("x").rank()));
  const int64_t outer = product(dims, 0, axis), inner = product(dims, axis, dims.size());
  std::vector<double> x = doubles(c.input("x")), means(static_cast<size_t>(outer)), inverses(means.size());
  for (int64_t o = 0; o < outer; ++o) {
    double* row = x.data() + o * inner;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < inner; ++i) sum += row[i];
    const double mean = sum / static_cast<double>(inner);
    for (int64_t i = 0; i < inner; ++i) squares += (row[i] - mean) * (row[i] - mean);
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(inner) + c.real("epsilon"));
    for (int64_t i = 0; i < inner; ++i) row[i] = (row[i] - mean) * inverse;
    means[static_cast<size_t>(o)] = mean;
    inverses[static_cast<size_t>(o)] = inverse;
  }
  if (!x.empty()) {
    const std::vector<double> scale = doubles(c.input("scale")), b = c.present("b") ? doubles(c.input("b")) : std::vector<double>{0};
    const Dims scale_strides = broadcast_strides(c.input("scale").dims(), dims);
    const Dims b_strides = broadcast_strides(c.present("b") ? c.input("b").dims() : Dims{}, dims);
    Dims index(dims.size(), 0);
    size_t i = 0;
    do x[i] = x[i] * scale[static_cast<size_t>(dot(index, scale_strides))] + b[static_cast<size_t>(dot(index, b_strides))], ++i;
    while (advance(index, dims));
  }
  store(c.output(), x);
  if (c.wants(1)) store(c.output(1), means);
  if (c.wants(2)) store(c.output(2), inverses);
}

// stash_type is a number of ONNX's list of element types: 1 is float32, 16 bfloat16.
DType statistics_type(const ShapeCall& c) {
  const int64_t stash = c.integer("stash_type");
  if (stash != 1 && stash != 16) throw Error(Code::kUnsupported, "LayerNormalization has stash_type " + std::to_string(stash)).remedy("use 1 (float32) or 16 (bfloat16)");
  return stash == 1 ? DType::kF32 : DType::kBF16;
}

}  // namespace

const OpDef layer_normalization = op("LayerNormalization")
    .input("x", kFloatTypes).input("scale", kFloatTypes, "x").optional_input("b", kFloatTypes, "x")
    .attr("axis", int64_t{-1}).attr("epsilon", 1e-5).attr("stash_type", int64_t{1})
    .output("y", same_type("x")).optional_output("mean", computed_type(statistics_type)).optional_output("inv_std_dev", computed_type(statistics_type))
    .shapes(layer_normalization_shapes)
    .reference(layer_normalization_reference)
    .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
