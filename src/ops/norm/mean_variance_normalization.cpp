// MeanVarianceNormalization: over `axes`, (x - mean) / (standard deviation + 1e-9).
#include <cmath>

#include "base/index.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void mean_variance_normalization_reference(RefCall& c) {
  const Dims& dims = c.input("x").dims();
  std::vector<double> x = doubles(c.input("x"));
  if (x.empty()) return;
  Dims kept = dims;
  for (int64_t a : c.ints("axes")) nth(kept, normalize_axis(a, c.input("x").rank())) = 1;
  const Dims strides = broadcast_strides(kept, dims);
  const auto groups = static_cast<size_t>(element_count(kept));
  const double n = static_cast<double>(x.size() / groups);
  std::vector<size_t> group(x.size());
  std::vector<double> mean(groups, 0.0), variance(groups, 0.0);
  Dims index(dims.size(), 0);
  for (size_t& g : group) {
    g = static_cast<size_t>(dot(index, strides));
    advance(index, dims);
  }
  for (size_t i = 0; i < x.size(); ++i) mean[group[i]] += x[i] / n;
  for (size_t i = 0; i < x.size(); ++i) variance[group[i]] += (x[i] - mean[group[i]]) * (x[i] - mean[group[i]]) / n;
  for (size_t i = 0; i < x.size(); ++i) x[i] = (x[i] - mean[group[i]]) / (std::sqrt(variance[group[i]]) + 1e-9);
  store(c.output(), x);
}

}  // namespace

const OpDef mean_variance_normalization = op("MeanVarianceNormalization")
                                              .input("x", kFloatTypes)
                                              .attr("axes", Ints{0, 2, 3})
                                              .output("y", same_type("x"))
                                              .shape([](ShapeCall& c) -> OutputShape {
                                                for (int64_t a : c.ints("axes")) normalize_axis(a, c.rank("x"));
                                                return c.dims("x");
                                              })
                                              .reference(mean_variance_normalization_reference)
                                              .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
