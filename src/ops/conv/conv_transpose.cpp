// ConvTranspose: every element of x [n,c,spatial...] adds its multiple of w [c,m/group,kernel...] to y; plus the bias b [m].
#include <algorithm>

#include "base/index.h"
#include "base/work.h"
#include "ops/conv/window.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// The window that slides over y, with x as its output.
Window transpose_window(const ShapeCall& c) {
  const Shape in = spatial_dims(c.dims("x"));
  const size_t rank = in.size();
  Window w{
      weight_kernel(c), window_ints(c, "strides", rank, 1, 1), window_ints(c, "dilations", rank, 1, 1), {}, {}, {}};
  const Ints extra = window_ints(c, "output_padding", rank, 0, 0), sizes = window_ints(c, "output_shape", rank, -1, 1);
  const std::string padding = auto_pad(c);
  const bool upper = padding == "SAME_UPPER", same = upper || padding == "SAME_LOWER";
  const Ints pads = same || padding == "VALID" ? Ints(2 * rank, 0) : window_ints(c, "pads", 2 * rank, 0, 0);
  const Shape reach = effective_kernel(w.kernel, w.dilations);
  for (size_t i = 0; i < rank; ++i) {
    const Dim full = (in[i] - 1) * Dim(w.strides[i]) + extra[i] + reach[i];
    if (!same && sizes[i] < 0) {
      w.begin.push_back(pads[i]);
      w.end.push_back(pads[rank + i]);
      w.output.push_back(full - pads[i] - pads[rank + i]);
      continue;
    }
    w.output.push_back(sizes[i] < 0 ? in[i] * Dim(w.strides[i]) : Dim(sizes[i]));
    const Dim total = max(full - w.output[i], 0), half = floor_div(total, 2);
    w.begin.push_back(upper ? half : total - half);
    w.end.push_back(upper ? total - half : half);
  }
  return w;
}

OutputShape conv_transpose_shape(ShapeCall& c) {
  require_rank(c, "x", 3, INT64_MAX);
  require_rank(c, "w", c.rank("x"));
  const Shape &x = c.dims("x"), &w = c.dims("w");
  const int64_t group = c.integer("group");
  if (group < 1)
    throw Error(Code::kInvalidArgument, "ConvTranspose has group " + std::to_string(group))
        .remedy("group is at least 1");
  require_same(x[1], w[0], "channels of x and w");
  if (x[1].is_constant() && x[1].value() % group != 0)
    throw Error(Code::kShapeMismatch,
                "ConvTranspose has " + x[1].str() + " channels in " + std::to_string(group) + " groups");
  Shape y = transpose_window(c).output;
  y.insert(y.begin(), {x[0], w[1] * Dim(group)});
  if (c.present("b")) require_vector(c, "b", y[1]);
  return y;
}

// big += weight * small, where they meet.
void scatter_tap(const Tap& tap, int64_t step, double weight, const double* small, double* big) {
  for (const Tap::Row& row : tap.rows) {
    poll_work(row.count);
    for (int64_t i = 0; i < row.count; ++i) big[row.big + i * step] += weight * small[row.small + i];
  }
}

void conv_transpose_reference(RefCall& c) {
  const Dims &x_dims = c.input("x").dims(), &w_dims = c.input("w").dims(), &y_dims = c.output().dims();
  const Window window = transpose_window(c.shapes());
  const Dims in_dims(x_dims.begin() + 2, x_dims.end()), out_dims(y_dims.begin() + 2, y_dims.end());
  const Taps taps = make_taps(in_dims, out_dims, static_dims(window.kernel), window.strides, window.dilations,
                              static_dims(window.begin));
  const std::vector<double> x = doubles(c.input("x")), w = doubles(c.input("w"));
  const std::vector<double> bias =
      c.present("b") ? doubles(c.input("b")) : std::vector<double>(static_cast<size_t>(y_dims[1]), 0.0);
  std::vector<double> y(static_cast<size_t>(c.output().size()));
  const int64_t channels = x_dims[1] / c.integer("group"), per_group = w_dims[1],
                kernel = product(w_dims, 2, w_dims.size());
  const int64_t in_plane = element_count(in_dims), out_plane = element_count(out_dims);
  for (int64_t n = 0; n < y_dims[0]; ++n)
    for (int64_t m = 0; m < y_dims[1]; ++m) {
      double* out = y.data() + (n * y_dims[1] + m) * out_plane;
      std::fill(out, out + out_plane, nth(bias, m));
      for (int64_t k = m / per_group * channels; k < (m / per_group + 1) * channels; ++k) {
        const double* weight = w.data() + (k * per_group + m % per_group) * kernel;
        for (const Tap& tap : taps.taps)
          scatter_tap(tap, taps.step, *weight++, x.data() + (n * x_dims[1] + k) * in_plane, out);
      }
    }
  store(c.output(), y);
}

}  // namespace

const OpDef conv_transpose = op("ConvTranspose")
                                 .input("x", kFloatTypes)
                                 .input("w", kFloatTypes, "x")
                                 .optional_input("b", kFloatTypes, "x")
                                 .attr("auto_pad", std::string("NOTSET"))
                                 .attr("dilations", Ints{})
                                 .attr("group", int64_t{1})
                                 .attr("kernel_shape", Ints{})
                                 .attr("output_padding", Ints{})
                                 .attr("output_shape", Ints{})
                                 .attr("pads", Ints{})
                                 .attr("strides", Ints{})
                                 .output("y", same_type("x"))
                                 .shape(conv_transpose_shape)
                                 .reference(conv_transpose_reference)
                                 .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
