// BatchNormalization: (x - mean) / sqrt(var + epsilon) * scale + b per channel; with training_mode, mean and variance are those of x,
// and the running ones are mixed with them by momentum.
#include <cmath>

#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

std::vector<OutputShape> batch_normalization_shapes(ShapeCall& c) {
  require_rank(c, "x", 1, INT64_MAX);
  const Dim channels = c.rank("x") > 1 ? c.dims("x")[1] : Dim(1);
  for (const char* name : {"scale", "b", "input_mean", "input_var"}) require_vector(c, name, channels);
  if (c.output_count() > 1 && c.integer("training_mode") == 0)
    throw Error(Code::kInvalidGraph, "BatchNormalization gives running statistics in training mode alone")
        .remedy("set training_mode, or take the first output only");
  return {c.dims("x"), c.dims("input_mean"), c.dims("input_var")};
}

// x as [outer, channels, inner].
struct Channels {
  explicit Channels(const Dims& d)
      : outer(d.size() > 1 ? d[0] : 1),
        count(d.size() > 1 ? d[1] : 1),
        inner(d.size() > 1 ? product(d, 2, d.size()) : d[0]) {}
  int64_t outer, count, inner;
  template <class F> void for_each(int64_t channel, F f) const {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i) f(static_cast<size_t>((o * count + channel) * inner + i));
  }
};

void batch_normalization_reference(RefCall& c) {
  const Channels channels(c.input("x").dims());
  std::vector<double> x = doubles(c.input("x")), mean = doubles(c.input("input_mean")),
                      var = doubles(c.input("input_var"));
  const std::vector<double> scale = doubles(c.input("scale")), b = doubles(c.input("b"));
  const bool training = c.integer("training_mode") != 0;
  const double momentum = c.real("momentum"), epsilon = c.real("epsilon");
  std::vector<double> running_mean = mean, running_var = var;
  for (int64_t channel = 0; channel < channels.count; ++channel) {
    const auto k = static_cast<size_t>(channel);
    if (training) {
      const auto n = static_cast<double>(channels.outer * channels.inner);
      double sum = 0, squares = 0;
      channels.for_each(channel, [&](size_t i) { sum += x[i]; });
      mean[k] = sum / n;
      channels.for_each(channel, [&](size_t i) { squares += (x[i] - mean[k]) * (x[i] - mean[k]); });
      var[k] = squares / n;
      running_mean[k] = running_mean[k] * momentum + mean[k] * (1 - momentum);
      running_var[k] = running_var[k] * momentum + var[k] * (1 - momentum);
    }
    const double factor = scale[k] / std::sqrt(var[k] + epsilon);
    channels.for_each(channel, [&](size_t i) { x[i] = (x[i] - mean[k]) * factor + b[k]; });
  }
  store(c.output(), x);
  if (c.wants(1)) store(c.output(1), running_mean);
  if (c.wants(2)) store(c.output(2), running_var);
}

}  // namespace

const OpDef batch_normalization = op("BatchNormalization")
                                      .input("x", kFloatTypes)
                                      .input("scale", kFloatTypes)
                                      .input("b", kFloatTypes, "scale")
                                      .input("input_mean", kFloatTypes)
                                      .input("input_var", kFloatTypes, "input_mean")
                                      .attr("epsilon", 1e-5)
                                      .attr("momentum", 0.9)
                                      .attr("training_mode", int64_t{0})
                                      .output("y", same_type("x"))
                                      .optional_output("running_mean", same_type("input_mean"))
                                      .optional_output("running_var", same_type("input_mean"))
                                      .shapes(batch_normalization_shapes)
                                      .reference(batch_normalization_reference)
                                      .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
