// Samples of poolings.
#include "operators/samplers/window.h"

namespace kiln::operators {
namespace {

Dims image(Draw& draw, const Ints& spatial) {
  Dims dims{draw.size() % 4, draw.chance(0.7) ? draw.size() % 10 : draw.integer(16, 20)};
  dims.insert(dims.end(), spatial.begin(), spatial.end());
  return dims;
}

Sample sample_pool(Draw& draw, TypeSet types) {
  Sample s;
  const WindowDims window(draw, draw.chance(0.6) ? 2 : draw.integer(1, 3));
  s.data(draw.values(draw.type(types), image(draw, window.spatial)));
  draw_window(draw, s, window.kernel);
  s.set("kernel_shape", window.kernel);
  if (draw.chance(0.4)) s.set("ceil_mode", draw.flag());
  return s;
}

Sample sample_average_pool(Draw& draw) {
  Sample s = sample_pool(draw, kFloatTypes);
  if (draw.chance(0.5)) s.set("count_include_pad", draw.flag());
  return s;
}

Sample sample_lp_pool(Draw& draw) {
  Sample s = sample_pool(draw, kFloatTypes);
  if (draw.chance(0.7)) s.set("p", draw.integer(1, 3));
  return s;
}

Sample sample_max_pool(Draw& draw) {
  Sample s = sample_pool(draw, kFloatTypes | TypeSet{DType::kI8, DType::kU8});
  s.outputs = draw.chance(0.4) ? 2 : 1;
  if (draw.chance(0.3)) s.set("storage_order", draw.flag());
  return s;
}

Sample sample_global_pool(Draw& draw) { return Sample().data(draw.values(draw.type(kFloatTypes), draw.dims(2, 5))); }

Sample sample_global_lp_pool(Draw& draw) {
  Sample s = sample_global_pool(draw);
  if (draw.chance(0.7)) s.set("p", draw.integer(1, 3));
  return s;
}

Sample sample_max_roi_pool(Draw& draw) {
  Sample s;
  draw.fill();
  const DType type = draw.type(kFloatTypes);
  const Dims x{draw.integer(1, 3), draw.integer(1, 3), draw.integer(1, 12), draw.integer(1, 12)};
  Tensor rois = draw.numbers(type, {draw.integer(0, 4), 5}, -1, 12);
  for (int64_t i = 0; i < rois.dims()[0]; ++i) rois.set(i * 5, static_cast<double>(draw.integer(0, x[0] - 1)));
  s.data(draw.values(type, x)).data(rois).set("pooled_shape", Ints{draw.integer(1, 4), draw.integer(1, 4)});
  if (draw.chance(0.5)) s.set("spatial_scale", draw.real(0.25, 1.5));
  return s;
}

Sample sample_max_unpool(Draw& draw) {
  Sample s;
  draw.fill();
  const Dims x{draw.integer(1, 2), draw.integer(1, 3), draw.integer(1, 5), draw.integer(1, 5)};
  const Ints kernel{draw.integer(1, 3), draw.integer(1, 3)}, strides{draw.integer(1, 3), draw.integer(1, 3)};
  Dims y{x[0], x[1]};
  for (size_t i = 0; i < 2; ++i) y.push_back((x[i + 2] - 1) * strides[i] + kernel[i]);
  const Ints places = draw.permutation(element_count(y));
  Tensor indices = Tensor::allocate(DType::kI64, x);
  for (int64_t i = 0; i < indices.size(); ++i) indices.set_int(i, places[static_cast<size_t>(i) % places.size()]);
  if (indices.size() > element_count(y))
    indices = Tensor::allocate(DType::kI64, {0});  // places would be shared: refused
  s.data(draw.values(draw.type(kFloatTypes), x)).data(indices);
  if (draw.chance(0.3)) s.parameter(draw.vector({y[0], y[1], y[2], y[3] + draw.integer(0, 2)}));
  return s.set("kernel_shape", kernel).set("strides", strides);
}

Sample sample_roi_align(Draw& draw) {
  Sample s;
  draw.fill();
  const DType type = draw.type(kFloatTypes);
  const int64_t batch = draw.integer(1, 3), height = draw.integer(1, 12), width = draw.integer(1, 12),
                regions = draw.integer(0, 4);
  s.data(draw.numbers(type, {batch, draw.integer(1, 18), height, width}, -3, 3));
  s.data(draw.numbers(type, {regions, 4}, -2, 14)).data(draw.integers(DType::kI64, {regions}, 0, batch - 1));
  s.set("coordinate_transformation_mode", draw.word({"half_pixel", "output_half_pixel"}));
  s.set("mode", draw.word({"avg", "max"}))
      .set("output_height", draw.integer(1, 4))
      .set("output_width", draw.integer(1, 4));
  return s.set("sampling_ratio", draw.integer(0, 3)).set("spatial_scale", draw.real(0.25, 1));
}

Sample sample_squeeze_excite(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const int64_t channels = draw.chance(0.7) ? 8 * draw.integer(1, 20) : draw.integer(1, 40),
                hidden = draw.integer(1, 30);
  // Infinities that cancel between the products do so by their order.
  draw.tame();
  s.data(draw.values(type, {draw.size() % 4, channels, draw.size() % 12, draw.size() % 12}));
  s.weight(draw.numbers(type, {hidden, channels, 1, 1}, -1, 1));
  draw.chance(0.5) ? s.weight(draw.numbers(type, {hidden}, -1, 1)) : s.absent();
  s.weight(draw.numbers(type, {channels, hidden, 1, 1}, -1, 1));
  if (draw.chance(0.5)) s.weight(draw.numbers(type, {channels}, -1, 1));
  s.set("squeeze_activation", draw.word({"HardSwish", "Relu", "Sigmoid", "Swish", "Tanh"}));
  if (draw.chance(0.5)) s.set("excite_activation", draw.word({"HardSigmoid", "Sigmoid"}));
  return s.set("alpha", draw.real(0.1, 0.4)).set("beta", draw.real(0.2, 0.6));
}

}  // namespace

Entries pool_samplers() {
  return {{"AveragePool", sample_average_pool},
          {"GlobalAveragePool", sample_global_pool},
          {"GlobalLpPool", sample_global_lp_pool},
          {"GlobalMaxPool", sample_global_pool},
          {"LpPool", sample_lp_pool},
          {"MaxPool", sample_max_pool},
          {"MaxRoiPool", sample_max_roi_pool},
          {"MaxUnpool", sample_max_unpool},
          {"RoiAlign", sample_roi_align},
          {"SqueezeExcite", sample_squeeze_excite}};
}

}  // namespace kiln::operators
