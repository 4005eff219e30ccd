// InstanceNormalization: each channel of each image by its own mean and variance, then scale and b per channel.
#include "ops/dim_checks.h"
#include "ops/norm/normalize.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape instance_normalization_shape(ShapeCall& c) {
  require_rank(c, "input", 2, INT64_MAX);
  for (const char* name : {"scale", "b"}) require_vector(c, name, c.dims("input")[1]);
  return c.dims("input");
}

void instance_normalization_reference(RefCall& c) {
  const Dims& dims = c.input("input").dims();
  const int64_t inner = product(dims, 2, dims.size());
  const std::vector<double> scale = doubles(c.input("scale")), b = doubles(c.input("b"));
  std::vector<double> x = doubles(c.input("input"));
  for (int64_t k = 0; k < dims[0] * dims[1]; ++k) {
    double* plane = x.data() + k * inner;
    const auto channel = static_cast<size_t>(k % dims[1]);
    normalize(plane, inner, c.real("epsilon"));
    for (int64_t i = 0; i < inner; ++i) plane[i] = plane[i] * scale[channel] + b[channel];
  }
  store(c.output(), x);
}

}  // namespace

const OpDef instance_normalization = op("InstanceNormalization")
                                         .input("input", kFloatTypes)
                                         .input("scale", kFloatTypes, "input")
                                         .input("b", kFloatTypes, "input")
                                         .attr("epsilon", 1e-5)
                                         .output("output", same_type("input"))
                                         .shape(instance_normalization_shape)
                                         .reference(instance_normalization_reference)
                                         .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
