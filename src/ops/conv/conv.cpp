// Conv: convolution (correlation) of x [n,c,spatial...] with w [m,c/group,kernel...], plus the bias b [m].
#include <algorithm>

#include "base/index.h"
#include "base/work.h"
#include "ops/conv/window.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

Window conv_window(const ShapeCall& c) { return window_of(c, spatial_dims(c.dims("x")), weight_kernel(c), false); }

// out += weight * in, where they meet.
void add_tap(const Tap& tap, int64_t step, double weight, const double* in, double* out) {
  for (const Tap::Row& row : tap.rows) {
    poll_work(row.count);
    const double* from = in + row.big;
    double* to = out + row.small;
    if (step == 1)
      for (int64_t i = 0; i < row.count; ++i) to[i] += weight * from[i];
    else
      for (int64_t i = 0; i < row.count; ++i) to[i] += weight * from[i * step];
  }
}

void conv_reference(RefCall& c) {
  const Dims &x_dims = c.input("x").dims(), &w_dims = c.input("w").dims(), &y_dims = c.output().dims();
  if (c.output().size() == 0) return;
  const Window window = conv_window(c.shapes());
  const Dims in_dims(x_dims.begin() + 2, x_dims.end()), out_dims(y_dims.begin() + 2, y_dims.end());
  const Taps taps = make_taps(out_dims, in_dims, static_dims(window.kernel), window.strides, window.dilations,
                              static_dims(window.begin));
  const std::vector<double> x = doubles(c.input("x")), w = doubles(c.input("w"));
  std::vector<double> bias(static_cast<size_t>(w_dims[0]), 0.0), y(static_cast<size_t>(c.output().size()));
  if (c.present("b")) bias = doubles(c.input("b"));
  const int64_t channels = w_dims[1], per_group = w_dims[0] / c.integer("group");
  const int64_t in_plane = element_count(in_dims), out_plane = element_count(out_dims);
  double* out = y.data();
  for (int64_t n = 0; n < x_dims[0]; ++n)
    for (int64_t m = 0; m < w_dims[0]; ++m, out += out_plane) {
      std::fill(out, out + out_plane, nth(bias, m));
      const double* weight = w.data() + m * channels * element_count(static_dims(window.kernel));
      const double* in = x.data() + (n * x_dims[1] + m / per_group * channels) * in_plane;
      for (int64_t k = 0; k < channels; ++k, in += in_plane)
        for (const Tap& tap : taps.taps) add_tap(tap, taps.step, *weight++, in, out);
    }
  store(c.output(), y);
}

}  // namespace

OutputShape conv_shape(ShapeCall& c) {
  require_rank(c, "x", 3, INT64_MAX);
  require_rank(c, "w", c.rank("x"));
  const Shape &x = c.dims("x"), &w = c.dims("w");
  const int64_t group = c.integer("group");
  if (group < 1)
    throw Error(Code::kInvalidArgument, "Conv has group " + std::to_string(group)).remedy("group is at least 1");
  require_same(x[1], w[1] * Dim(group), "channels of x and w, times group,");
  if (w[0].is_constant() && w[0].value() % group != 0)
    throw Error(Code::kShapeMismatch,
                "Conv has " + w[0].str() + " output channels in " + std::to_string(group) + " groups");
  if (c.present("b")) require_vector(c, "b", w[0]);
  const Window window = conv_window(c);
  Shape y{x[0], w[0]};
  y.insert(y.end(), window.output.begin(), window.output.end());
  return y;
}

const OpDef conv = op("Conv")
                       .input("x", kFloatTypes)
                       .input("w", kFloatTypes, "x")
                       .optional_input("b", kFloatTypes, "x")
                       .attr("auto_pad", std::string("NOTSET"))
                       .attr("dilations", Ints{})
                       .attr("group", int64_t{1})
                       .attr("kernel_shape", Ints{})
                       .attr("pads", Ints{})
                       .attr("strides", Ints{})
                       .output("y", same_type("x"))
                       .shape(conv_shape)
                       .reference(conv_reference)
                       .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
