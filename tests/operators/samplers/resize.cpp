// Samples of resampling.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample sample_affine_grid(Draw& draw) {
  Sample s;
  const int64_t rank = draw.integer(2, 3), batch = draw.integer(1, 3);
  Ints size{batch, draw.integer(1, 3)};
  for (int64_t i = 0; i < rank; ++i) size.push_back(draw.size() % 9);
  s.data(draw.values(draw.type(kFloatTypes), {batch, rank, rank + 1})).parameter(draw.vector(size));
  if (draw.chance(0.5)) s.set("align_corners", draw.flag());
  return s;
}

Sample sample_grid_sample(Draw& draw) {
  Sample s;
  const int64_t rank = draw.chance(0.7) ? 2 : draw.integer(1, 3);
  Dims x{draw.integer(1, 3), draw.integer(1, 4)}, grid{x[0]};
  for (int64_t i = 0; i < rank; ++i) {
    x.push_back(draw.integer(1, 8));
    grid.push_back(draw.size() % 8);
  }
  grid.push_back(rank);
  s.data(draw.values(draw.type(kNumericTypes | kBoolType), x))
      .data(draw.numbers(draw.type(kFloatTypes), grid, -1.4, 1.4));
  if (draw.chance(0.7)) s.set("mode", draw.word({"nearest", "linear", "cubic"}));
  if (draw.chance(0.7)) s.set("padding_mode", draw.word({"zeros", "border", "reflection"}));
  if (draw.chance(0.5)) s.set("align_corners", draw.flag());
  return s;
}

Sample sample_resize(Draw& draw) {
  Sample s;
  const std::string mode = draw.word({"nearest", "linear", "cubic"}),
                    coordinates = draw.word({"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                                             "align_corners", "asymmetric", "tf_crop_and_resize"});
  Dims x = draw.dims(1, 4);
  for (int64_t& d : x) d = std::min<int64_t>(d, 9);
  const bool some = draw.chance(0.4), scales = draw.chance(0.5), crop = coordinates == "tf_crop_and_resize";
  Ints axes = draw.permutation(static_cast<int64_t>(x.size()));
  if (some) axes.resize(static_cast<size_t>(draw.integer(1, static_cast<int64_t>(x.size()))));
  const auto count = static_cast<int64_t>(axes.size());
  s.data(draw.values(draw.type(mode == "nearest" ? kNumericTypes | kBoolType : kNumericTypes), x));
  crop ? s.parameter(draw.numbers(DType::kF32, {2 * count}, 0, 1)) : s.absent();
  if (scales) {
    Tensor t = Tensor::allocate(DType::kF32, {count});
    for (int64_t i = 0; i < count; ++i) t.set(i, draw.pick<double>({0.5, 1, 1, 1.5, 2, 2.5, 0.7}));
    s.parameter(t);
  } else {
    s.absent().parameter(draw.integers(DType::kI64, {count}, 1, 12));
    if (draw.chance(0.3)) s.set("keep_aspect_ratio_policy", draw.word({"stretch", "not_larger", "not_smaller"}));
  }
  if (some) s.set("axes", axes);
  if (mode != "nearest" || draw.chance(0.3)) s.set("mode", mode);
  if (crop || draw.chance(0.7)) s.set("coordinate_transformation_mode", coordinates);
  if (draw.chance(0.5)) s.set("nearest_mode", draw.word({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  if (draw.chance(0.2)) s.set("antialias", draw.flag());
  if (draw.chance(0.2)) s.set("exclude_outside", draw.flag());
  if (draw.chance(0.2)) s.set("cubic_coeff_a", -0.5);
  if (draw.chance(0.2)) s.set("extrapolation_value", 2.0);
  return s;
}

}  // namespace

Entries resize_samplers() {
  return {{"AffineGrid", sample_affine_grid}, {"GridSample", sample_grid_sample}, {"Resize", sample_resize}};
}

}  // namespace kiln::operators
