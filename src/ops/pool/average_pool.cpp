// AveragePool: the mean of each window; with count_include_pad, padding counts as zeros, but what ceil_mode reaches beyond it does not.
#include "base/index.h"
#include "ops/pool/pooling.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// How many elements each window of one channel has.
std::vector<double> window_sizes(const PoolPlan& plan, bool include_pad) {
  std::vector<double> sizes(static_cast<size_t>(plan.out_plane), 0.0);
  Taps padded;
  if (include_pad) {
    const Dims begin = static_dims(plan.window.begin), end = static_dims(plan.window.end);
    Dims big = plan.in;
    for (size_t i = 0; i < big.size(); ++i) big[i] += begin[i] + end[i];
    padded = make_taps(plan.out, big, static_dims(plan.window.kernel), plan.window.strides, plan.window.dilations,
                       Dims(big.size(), 0));
  }
  for (const Tap& tap : (include_pad ? padded : plan.taps).taps)
    for (const Tap::Row& row : tap.rows)
      for (int64_t i = 0; i < row.count; ++i) ++nth(sizes, row.small + i);
  return sizes;
}

void average_pool_reference(RefCall& c) {
  const PoolPlan plan(c);
  const std::vector<double> x = doubles(c.input("x")), sizes = window_sizes(plan, c.integer("count_include_pad") != 0);
  std::vector<double> y(static_cast<size_t>(c.output().size()), 0.0);
  for_each_tap(plan, [&](size_t from, size_t to) { y[to] += x[from]; });
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
