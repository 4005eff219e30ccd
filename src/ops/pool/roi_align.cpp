// RoiAlign: each region of interest of x [n,c,h,w] as output_height x output_width bins, each the mean (or maximum) of bilinear samples.
#include <algorithm>
#include <cmath>

#include "base/require.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

// Four elements of a plane and their weights; all weights are 0 for a point too far outside.
struct Corners {
  size_t at[4] = {0, 0, 0, 0};
  double weight[4] = {0, 0, 0, 0};
};

Corners corners_of(double y, double x, int64_t height, int64_t width) {
  Corners c;
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width))) return c;
  const auto place = [](double& v, int64_t extent, int64_t& low, int64_t& high) {
    v = std::max(v, 0.0);
    low = static_cast<int64_t>(v);
    high = low + 1;
    if (low >= extent - 1) {
      low = high = extent - 1;
      v = static_cast<double>(low);
    }
  };
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  place(y, height, top, bottom);
  place(x, width, left, right);
  const double down = y - static_cast<double>(top), across = x - static_cast<double>(left);
  const int64_t at[] = {top * width + left, top * width + right, bottom * width + left, bottom * width + right};
  const double weights[] = {(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across};
  for (int i = 0; i < 4; ++i) c.at[i] = static_cast<size_t>(at[i]), c.weight[i] = weights[i];
  return c;
}

// Extent of a region along one axis, its bins, and the samples of each.
struct RegionSpan {
  double start, bin;
  int64_t samples;
  RegionSpan(double from, double to, double scale, bool shifted, int64_t bins, int64_t ratio) {
    const double offset = shifted ? 0.5 : 0;
    start = from * scale - offset;
    double size = to * scale - offset - start;
    if (!shifted) size = std::max(size, 1.0);
    bin = size / static_cast<double>(bins);
    samples = ratio > 0 ? ratio : bin > 0 && bin < 0x1p20 ? static_cast<int64_t>(std::ceil(bin)) : 0;
  }
  double at(int64_t index, int64_t sample) const {
    return start + static_cast<double>(index) * bin +
           (static_cast<double>(sample) + 0.5) * bin / static_cast<double>(samples);
  }
};

void roi_align_reference(RefCall& c) {
  const Dims x_dims = c.input("x").dims(), y_dims = c.output().dims();
  const std::vector<double> x = doubles(c.input("x")), rois = doubles(c.input("rois"));
  const int64_t height = x_dims[2], width = x_dims[3], plane = height * width, ratio = c.integer("sampling_ratio");
  const double scale = c.real("spatial_scale");
  const bool shifted = c.text("coordinate_transformation_mode") == "half_pixel", mean = c.text("mode") == "avg";
  require(c.output().size() == 0 || plane != 0, Code::kShapeMismatch, "RoiAlign of an empty plane");
  std::vector<double> y(static_cast<size_t>(c.output().size()), 0.0);
  size_t to = 0;
  for (int64_t r = 0; r < y_dims[0]; ++r) {
    const double* roi = rois.data() + r * 4;
    const RegionSpan across(roi[0], roi[2], scale, shifted, y_dims[3], ratio),
        down(roi[1], roi[3], scale, shifted, y_dims[2], ratio);
    const int64_t image = c.input("batch_indices").int_at(r);
    if (image < 0 || image >= x_dims[0])
      throw Error(Code::kInvalidArgument, "a region of RoiAlign lies in image " + std::to_string(image));
    const auto count = static_cast<double>(std::max<int64_t>(down.samples * across.samples, 1));
    for (int64_t k = 0; k < y_dims[1]; ++k)
      for (int64_t i = 0; i < y_dims[2]; ++i)
        for (int64_t j = 0; j < y_dims[3]; ++j, ++to) {
          const double* from = x.data() + (image * x_dims[1] + k) * plane;
          bool first = true;
          for (int64_t a = 0; a < down.samples; ++a)
            for (int64_t b = 0; b < across.samples; ++b) {
              poll_work();
              const Corners p = corners_of(down.at(i, a), across.at(j, b), height, width);
              for (int q = 0; q < 4; ++q) {
                const double term = p.weight[q] * from[p.at[q]];
                y[to] = mean ? y[to] + term / count : first ? term : std::max(y[to], term);
                first = false;
              }
            }
        }
  }
  store(c.output(), y);
}

OutputShape roi_align_shape(ShapeCall& c) {
  require_rank(c, "x", 4);
  require_rank(c, "rois", 2);
  require_vector(c, "batch_indices", c.dims("rois")[0]);
  require_same(c.dims("rois")[1], Dim(4), "columns of 'rois' and the expected number");
  const std::string mode = c.text("mode"), transform = c.text("coordinate_transformation_mode");
  if (mode != "avg" && mode != "max") throw Error(Code::kInvalidArgument, "RoiAlign mode '" + mode + "' is unknown");
  if (transform != "half_pixel" && transform != "output_half_pixel")
    throw Error(Code::kInvalidArgument, "coordinate_transformation_mode '" + transform + "' is unknown");
  require(c.integer("output_height") >= 1 && c.integer("output_width") >= 1, Code::kInvalidArgument,
          "RoiAlign has no bins");
  return Shape{c.dims("rois")[0], c.dims("x")[1], Dim(c.integer("output_height")), Dim(c.integer("output_width"))};
}

}  // namespace

const OpDef roi_align = op("RoiAlign")
                            .input("x", kFloatTypes)
                            .input("rois", kFloatTypes, "x")
                            .input("batch_indices", DType::kI64)
                            .attr("coordinate_transformation_mode", std::string("half_pixel"))
                            .attr("mode", std::string("avg"))
                            .attr("output_height", int64_t{1})
                            .attr("output_width", int64_t{1})
                            .attr("sampling_ratio", int64_t{0})
                            .attr("spatial_scale", 1.0)
                            .output("y", same_type("x"))
                            .shape(roi_align_shape)
                            .reference(roi_align_reference)
                            .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
