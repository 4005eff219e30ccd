// What the poolings share.
#include "ops/pool/pooling.h"

#include "ops/dim_checks.h"

namespace kiln::ops {

Window pool_window(const ShapeCall& c) {
  require_rank(c, "x", 3, INT64_MAX);
  const Shape& x = c.dims("x");
  return window_of(c, Shape(x.begin() + 2, x.end()), to_shape(c.ints("kernel_shape")), c.integer("ceil_mode") != 0);
}

Shape pool_shape(const ShapeCall& c) {
  Shape y = pool_window(c).output;
  y.insert(y.begin(), c.dims("x").begin(), c.dims("x").begin() + 2);
  return y;
}

Shape global_pool_shape(const ShapeCall& c) {
  require_rank(c, "x", 2, INT64_MAX);
  Shape y = c.dims("x");
  for (size_t i = 2; i < y.size(); ++i) y[i] = 1;
  return y;
}

PoolPlan::PoolPlan(const RefCall& c) : window(pool_window(c.shapes())), out(static_dims(window.output)) {
  const Dims& x = c.input("x").dims();
  in.assign(x.begin() + 2, x.end());
  channels = x[0] * x[1];
  in_plane = element_count(in);
  out_plane = element_count(out);
  const Dims kernel = static_dims(window.kernel), begin = static_dims(window.begin);
  for (size_t i = 0; i < in.size(); ++i)
    axes.push_back({in[i], out[i], kernel[i], window.strides[i], window.dilations[i], begin[i]});
}

std::vector<double> sum_planes(const PoolPlan& plan, std::vector<double> values) {
  return fold_planes(plan, std::move(values), 0.0, [](double a, double b) { return a + b; });
}

void reduce_channels(RefCall& c, const std::function<double(const double*, int64_t)>& reduce) {
  const Dims& dims = c.input("x").dims();
  const int64_t plane = product(dims, 2, dims.size());
  const std::vector<double> x = doubles(c.input("x"));
  std::vector<double> y(static_cast<size_t>(c.output().size()));
  for (size_t i = 0; i < y.size(); ++i) y[i] = reduce(x.data() + static_cast<int64_t>(i) * plane, plane);
  store(c.output(), y);
}

}  // namespace kiln::ops
