// MaxRoiPool: the maximum of each cell of a grid over each region [batch, x1, y1, x2, y2] of x; an empty cell gives 0.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/require.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape max_roi_pool_shape(ShapeCall& c) {
  require_rank(c, "x", 4);
  require_rank(c, "rois", 2);
  require_same(c.dims("rois")[1], 5, "columns of rois and the five of a region");
  const Ints pooled = c.ints("pooled_shape");
  require(pooled.size() == 2 && pooled[0] >= 1 && pooled[1] >= 1, Code::kInvalidArgument,
          "pooled_shape is not two sizes above 0");
  return Shape{c.dims("rois")[0], c.dims("x")[1], pooled[0], pooled[1]};
}

struct Span {
  int64_t first, last;
};  // [first, last)

// Cell `index` of `count` cells over the region [low, high] of an axis.
Span cell(double low, double high, int64_t index, int64_t count, int64_t length) {
  const double size = std::max(high - low + 1, 1.0) / static_cast<double>(count);
  const auto bound = [&](double v) {
    return static_cast<int64_t>(std::clamp(v + low, 0.0, static_cast<double>(length)));
  };
  return {bound(std::floor(static_cast<double>(index) * size)),
          bound(std::ceil(static_cast<double>(index + 1) * size))};
}

void max_roi_pool_reference(RefCall& c) {
  const Dims &x_dims = c.input("x").dims(), &y_dims = c.output().dims();
  const double scale = c.real("spatial_scale");
  const std::vector<double> x = doubles(c.input("x")), rois = doubles(c.input("rois"));
  std::vector<double> y(static_cast<size_t>(c.output().size()), 0.0);
  if (y.empty()) return;
  Dims at(4, 0);
  for (double& out : y) {
    const double* roi = rois.data() + at[0] * 5;
    require(roi[0] >= 0 && roi[0] < static_cast<double>(x_dims[0]), Code::kInvalidArgument,
            "MaxRoiPool has a region of an image that does not exist");
    const Span rows = cell(std::round(roi[2] * scale), std::round(roi[4] * scale), at[2], y_dims[2], x_dims[2]);
    const Span columns = cell(std::round(roi[1] * scale), std::round(roi[3] * scale), at[3], y_dims[3], x_dims[3]);
    const double* plane = x.data() + (static_cast<int64_t>(roi[0]) * x_dims[1] + at[1]) * x_dims[2] * x_dims[3];
    if (rows.first < rows.last && columns.first < columns.last) out = -std::numeric_limits<double>::infinity();
    for (int64_t i = rows.first; i < rows.last; ++i)
      for (int64_t j = columns.first; j < columns.last; ++j)
        if (const double v = plane[i * x_dims[3] + j]; v > out || std::isnan(v)) out = v;
    advance(at, y_dims);
  }
  store(c.output(), y);
}

}  // namespace

const OpDef max_roi_pool = op("MaxRoiPool")
                               .input("x", kFloatTypes)
                               .input("rois", kFloatTypes, "x")
                               .required_attr("pooled_shape", Ints{})
                               .attr("spatial_scale", 1.0)
                               .output("y", same_type("x"))
                               .shape(max_roi_pool_shape)
                               .reference(max_roi_pool_reference);

}  // namespace kiln::ops
