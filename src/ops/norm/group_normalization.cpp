// GroupNormalization: each group of channels of each image by its own mean and variance, then scale and bias per channel.
#include "base/index.h"
#include "ops/dim_checks.h"
#include "ops/norm/normalize.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape group_normalization_shape(ShapeCall& c) {
  require_rank(c, "x", 2, INT64_MAX);
  const Dim& channels = c.dims("x")[1];
  const int64_t groups = c.integer("num_groups");
  if (groups < 1 || (channels.is_constant() && channels.value() % groups != 0))
    throw Error(Code::kInvalidArgument,
                "GroupNormalization has " + channels.str() + " channels in " + std::to_string(groups) + " groups")
        .remedy("num_groups must divide the number of channels");
  for (const char* name : {"scale", "bias"}) require_vector(c, name, channels);
  return c.dims("x");
}

void group_normalization_reference(RefCall& c) {
  const Dims& dims = c.input("x").dims();
  const int64_t groups = c.integer("num_groups"), plane = product(dims, 2, dims.size()),
                size = dims[1] / groups * plane;
  const std::vector<double> scale = doubles(c.input("scale")), bias = doubles(c.input("bias"));
  std::vector<double> x = doubles(c.input("x"));
  for (int64_t g = 0; g < dims[0] * groups; ++g) normalize(x.data() + g * size, size, c.real("epsilon"));
  for (int64_t k = 0; k < dims[0] * dims[1]; ++k)
    for (int64_t i = 0; i < plane; ++i) {
      double& v = nth(x, k * plane + i);
      v = v * nth(scale, k % dims[1]) + nth(bias, k % dims[1]);
    }
  store(c.output(), x);
}

}  // namespace

const OpDef group_normalization = op("GroupNormalization")
                                      .input("x", kFloatTypes)
                                      .input("scale", kFloatTypes, "x")
                                      .input("bias", kFloatTypes, "x")
                                      .attr("epsilon", 1e-5)
                                      .required_attr("num_groups", int64_t{1})
                                      .attr("stash_type", std::string("float32"))
                                      .output("y", same_type("x"))
                                      .shape(group_normalization_shape)
                                      .reference(group_normalization_reference)
                                      .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
