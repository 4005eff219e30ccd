// AveragePool: the mean of each window; with count_include_pad, padding counts as zeros, but what ceil_mode reaches beyond it does not.
#include "ops/pool/pooling.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// How many elements each window of one channel has.
std::vector<double> window_sizes(const PoolPlan& plan, bool include_pad) {
  std::vector<double> sizes;
  if (plan.out_plane == 0) return sizes;
  const Dims end = static_dims(plan.window.end);
  Dims index(plan.out.size(), 0);
  do {
    double size = 1;
    for (size_t i = 0; i < index.size(); ++i) {
      const SlidingAxis& axis = plan.axes[i];
      size *= static_cast<double>((include_pad ? axis.padded_reach(index[i], end[i]) : axis.reach(index[i])).count);
    }
    sizes.push_back(size);
  } while (advance(index, plan.out));
  return sizes;
}

void average_pool_reference(RefCall& c) {
  const PoolPlan plan(c);
  const std::vector<double> sizes = window_sizes(plan, c.integer("count_include_pad") != 0);
  std::vector<double> y = sum_planes(plan, doubles(c.input("x")));
  for (size_t i = 0; i < y.size(); ++i) y[i] /= sizes[i % sizes.size()];
  store(c.output(), y);
}

}  // namespace

const OpDef average_pool = op("AveragePool")
                               .input("x", kFloatTypes)
                               .attr("auto_pad", std::string("NOTSET"))
                               .attr("ceil_mode", int64_t{0})
                               .attr("count_include_pad", int64_t{0})
                               .attr("dilations", Ints{})
                               .required_attr("kernel_shape", Ints{})
                               .attr("pads", Ints{})
                               .attr("strides", Ints{})
                               .output("y", same_type("x"))
                               .shape(pool_shape)
                               .reference(average_pool_reference)
                               .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
