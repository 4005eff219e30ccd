// DeformConv: convolution of images whose taps are moved by `offset` (bilinear in x, zeros outside) and weighted by `mask`.
#include <cmath>

#include "base/index.h"
#include "base/require.h"
#include "base/work.h"
#include "ops/conv/window.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

struct DeformWindow {
  Shape kernel, output;
  Ints strides, dilations, pads;
};

DeformWindow deform_window(const ShapeCall& c) {
  DeformWindow w{weight_kernel(c),
                 {},
                 window_ints(c, "strides", 2, 1, 1),
                 window_ints(c, "dilations", 2, 1, 1),
                 window_ints(c, "pads", 4, 0, 0)};
  const Shape reach = effective_kernel(w.kernel, w.dilations);
  for (size_t i = 0; i < 2; ++i)
    w.output.push_back(floor_div(c.dims("x")[i + 2] + w.pads[i] + w.pads[i + 2] - reach[i], w.strides[i]) + 1);
  return w;
}

OutputShape deform_conv_shape(ShapeCall& c) {
  for (const char* name : {"x", "w", "offset"}) require_rank(c, name, 4);
  const Shape &x = c.dims("x"), &w = c.dims("w"), &offset = c.dims("offset");
  const int64_t group = c.integer("group"), offset_group = c.integer("offset_group");
  require(group >= 1 && offset_group >= 1, Code::kInvalidArgument, "DeformConv has a group count below 1");
  require_same(x[1], w[1] * Dim(group), "channels of x and w, times group,");
  for (const Dim& channels : {x[1], w[0]})
    if (channels.is_constant() && channels.value() % group != 0)
      throw Error(Code::kShapeMismatch,
                  "DeformConv has " + channels.str() + " channels in " + std::to_string(group) + " groups");
  require(!x[1].is_constant() || x[1].value() % offset_group == 0, Code::kShapeMismatch,
          "offset_group does not divide the channels of x");
  const DeformWindow window = deform_window(c);
  const Dim taps = window.kernel[0] * window.kernel[1] * Dim(offset_group);
  require_same(offset[0], x[0], "images of offset and x");
  require_same(offset[1], taps * 2, "channels of offset and twice the taps");
  for (size_t i = 0; i < 2; ++i) require_same(offset[i + 2], window.output[i], "sizes of offset and output");
  if (c.present("b")) require_vector(c, "b", w[0]);
  if (c.present("mask")) {
    require_rank(c, "mask", 4);
    require_same(c.dims("mask")[0], x[0], "images of mask and x");
    require_same(c.dims("mask")[1], taps, "channels of mask and taps");
    for (size_t i = 0; i < 2; ++i) require_same(c.dims("mask")[i + 2], window.output[i], "sizes of mask and output");
  }
  return Shape{x[0], w[0], window.output[0], window.output[1]};
}

// Bilinear in a plane, zeros outside: a point whole pixels away takes nothing, not even an infinity times 0.
double sample(const double* plane, int64_t height, int64_t width, double y, double x) {
  if (!(y > -1 && y < static_cast<double>(height) && x > -1 && x < static_cast<double>(width))) return 0;
  const double top = std::floor(y), left = std::floor(x);
  double sum = 0;
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 2; ++j) {
      const double row = top + static_cast<double>(i), column = left + static_cast<double>(j);
      if (!(row >= 0 && row < static_cast<double>(height) && column >= 0 && column < static_cast<double>(width)))
        continue;
      const double weight = (1 - std::abs(y - row)) * (1 - std::abs(x - column));
      sum += weight * plane[static_cast<int64_t>(row) * width + static_cast<int64_t>(column)];
    }
  return sum;
}

// One input channel of one image as columns: [taps, output positions].
std::vector<double> columns_of(const RefCall& c, const DeformWindow& window, const std::vector<double>& x,
                               const std::vector<double>& offset, const std::vector<double>& mask, int64_t image,
                               int64_t channel) {
  const Dims& dims = c.input("x").dims();
  const Dims kernel = static_dims(window.kernel), out = static_dims(window.output);
  const int64_t taps = kernel[0] * kernel[1], places = out[0] * out[1], groups = c.integer("offset_group");
  const int64_t group = image * groups + channel / (dims[1] / groups);
  const double* plane = x.data() + (image * dims[1] + channel) * dims[2] * dims[3];
  std::vector<double> columns(static_cast<size_t>(taps * places));
  for (int64_t t = 0; t < taps; ++t)
    for (int64_t p = 0; p < places; ++p) {
      const double* moved = offset.data() + (group * taps + t) * 2 * places + p;
      const int64_t row = p / out[1] * window.strides[0] - window.pads[0] + t / kernel[1] * window.dilations[0];
      const int64_t column = p % out[1] * window.strides[1] - window.pads[1] + t % kernel[1] * window.dilations[1];
      const double y = static_cast<double>(row) + moved[0], at = static_cast<double>(column) + moved[places];
      const double weight = mask.empty() ? 1 : nth(mask, (group * taps + t) * places + p);
      nth(columns, t * places + p) = weight * sample(plane, dims[2], dims[3], y, at);
    }
  return columns;
}

void deform_conv_reference(RefCall& c) {
  const DeformWindow window = deform_window(c.shapes());
  const Dims &x_dims = c.input("x").dims(), &w_dims = c.input("w").dims();
  const std::vector<double> x = doubles(c.input("x")), w = doubles(c.input("w")), offset = doubles(c.input("offset"));
  const std::vector<double> mask = c.present("mask") ? doubles(c.input("mask")) : std::vector<double>{};
  const std::vector<double> bias =
      c.present("b") ? doubles(c.input("b")) : std::vector<double>(static_cast<size_t>(w_dims[0]), 0.0);
  const int64_t places = product(c.output().dims(), 2, 4), taps = w_dims[2] * w_dims[3],
                per_group = w_dims[0] / c.integer("group");
  std::vector<double> y(static_cast<size_t>(c.output().size()));
  if (places == 0) return;
  for (size_t i = 0; i < y.size(); ++i) y[i] = bias[i / static_cast<size_t>(places) % bias.size()];
  for (int64_t n = 0; n < x_dims[0]; ++n)
    for (int64_t k = 0; k < x_dims[1]; ++k) {
      const std::vector<double> columns = columns_of(c, window, x, offset, mask, n, k);
      const int64_t first = k / w_dims[1] * per_group;
      for (int64_t m = first; m < first + per_group; ++m)
        for (int64_t t = 0; t < taps; ++t) {
          poll_work(places);
          for (int64_t p = 0; p < places; ++p)
            nth(y, (n * w_dims[0] + m) * places + p) +=
                nth(w, (m * w_dims[1] + k % w_dims[1]) * taps + t) * nth(columns, t * places + p);
        }
    }
  store(c.output(), y);
}

}  // namespace

const OpDef deform_conv = op("DeformConv")
                              .input("x", kFloatTypes)
                              .input("w", kFloatTypes, "x")
                              .input("offset", kFloatTypes, "x")
                              .optional_input("b", kFloatTypes, "x")
                              .optional_input("mask", kFloatTypes, "x")
                              .attr("dilations", Ints{})
                              .attr("group", int64_t{1})
                              .attr("kernel_shape", Ints{})
                              .attr("offset_group", int64_t{1})
                              .attr("pads", Ints{})
                              .attr("strides", Ints{})
                              .output("y", same_type("x"))
                              .shape(deform_conv_shape)
                              .reference(deform_conv_reference)
                              .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
