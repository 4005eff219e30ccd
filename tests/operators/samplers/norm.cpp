// Samples of normalisations.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

void draw_epsilon(Draw& draw, Sample& s) {
  if (draw.chance(0.4)) s.set("epsilon", draw.real(1e-6, 1e-2));
}

// The parameters are finite: they may be combined before they meet x.
Sample sample_batch_normalization(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes), scale = draw.chance(0.7) ? type : draw.type(kFloatTypes),
              mean = draw.chance(0.7) ? scale : draw.type(kFloatTypes);
  const Dims x = draw.dims(1, 5);
  const int64_t channels = x.size() > 1 ? x[1] : 1;
  s.data(draw.values(type, x))
      .weight(draw.numbers(scale, {channels}, -3, 3))
      .weight(draw.numbers(scale, {channels}, -3, 3));
  s.weight(draw.numbers(mean, {channels}, -3, 3)).weight(draw.numbers(mean, {channels}, 0.1, 3));
  draw_epsilon(draw, s);
  if (draw.chance(0.3)) {
    s.set("training_mode", int64_t{1}).set("momentum", draw.real(0, 1));
    s.outputs = static_cast<int>(draw.integer(1, 3));
  }
  return s;
}

Sample sample_group_normalization(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const int64_t groups = draw.integer(1, 4);
  Dims x = draw.dims(2, 5);
  x[1] = groups * draw.integer(1, 4);
  s.data(draw.values(type, x)).weight(draw.values(type, {x[1]})).weight(draw.values(type, {x[1]}));
  draw_epsilon(draw, s);
  return s.set("num_groups", groups);
}

Sample sample_instance_normalization(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const Dims x = draw.dims(2, 5);
  s.data(draw.values(type, x)).weight(draw.values(type, {x[1]})).weight(draw.values(type, {x[1]}));
  draw_epsilon(draw, s);
  return s;
}

// Dims of scale and shift: mostly those of the normalised axes.
Dims affine_dims(Draw& draw, const Dims& x, int64_t axis) {
  if (draw.chance(0.3)) return draw.broadcast_to(x);
  return Dims(x.begin() + normalize_axis(axis, static_cast<int64_t>(x.size())), x.end());
}

Sample sample_layer_normalization(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const Dims x = draw.dims(1, 4);
  const int64_t axis = draw.chance(0.5) ? -1 : draw.axis(static_cast<int64_t>(x.size()));
  s.data(draw.values(type, x)).weight(draw.values(type, affine_dims(draw, x, axis)));
  if (draw.chance(0.6)) s.weight(draw.values(type, affine_dims(draw, x, axis)));
  if (axis != -1 || draw.chance(0.3)) s.set("axis", axis);
  draw_epsilon(draw, s);
  s.outputs = draw.chance(0.7) ? 1 : static_cast<int>(draw.integer(2, 3));
  return s;
}

// Each part has the rows of the result, or those behind its first axes.
Sample sample_embedding_norm(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const Dims rows = draw.dims(1, 3);
  const int64_t n = draw.integer(1, 40);
  const auto behind = [&] {
    return Dims(rows.begin() + draw.integer(0, static_cast<int64_t>(rows.size())), rows.end());
  };
  const auto with_rows = [&](const Dims& dims) {
    const int64_t extent = draw.integer(1, 9);
    s.weight(draw.values(type, {extent, n}));
    return draw.integers(draw.type(kIndexTypes), dims, -extent, extent - 1);
  };
  s.data(with_rows(rows)).weight(draw.values(type, {n}));
  if (draw.chance(0.7)) s.weight(draw.values(type, {n}));
  else s.absent();
  Dims added = behind();
  added.push_back(n);
  if (draw.chance(0.7)) s.data(draw.values(type, added));
  else s.absent();
  if (draw.chance(0.5)) s.data(with_rows(behind()));
  draw_epsilon(draw, s);
  return s;
}

Sample sample_rms_normalization(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const Dims x = draw.dims(1, 4);
  const int64_t axis = draw.chance(0.5) ? -1 : draw.axis(static_cast<int64_t>(x.size()));
  s.data(draw.values(type, x))
      .weight(draw.values(draw.chance(0.8) ? type : draw.type(kFloatTypes), affine_dims(draw, x, axis)));
  if (axis != -1 || draw.chance(0.3)) s.set("axis", axis);
  draw_epsilon(draw, s);
  return s;
}

Sample sample_lp_normalization(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(1, 4);
  s.data(draw.values(draw.type(kFloatTypes), x));
  if (draw.chance(0.7)) s.set("axis", draw.axis(static_cast<int64_t>(x.size())));
  if (draw.chance(0.7)) s.set("p", draw.integer(1, 2));
  return s;
}

Sample sample_lrn(Draw& draw) {
  Sample s;
  s.data(draw.values(draw.type(kFloatTypes), draw.dims(2, 5))).set("size", draw.integer(1, 7));
  if (draw.chance(0.5))
    s.set("alpha", draw.real(1e-4, 1)).set("beta", draw.real(0.2, 1)).set("bias", draw.real(0.5, 2));
  return s;
}

Sample sample_mean_variance_normalization(Draw& draw) {
  Sample s;
  const bool default_axes = draw.chance(0.4);
  const Dims x = draw.dims(default_axes ? 4 : 1, 4);
  s.data(draw.values(draw.type(kFloatTypes), x));
  if (!default_axes) s.set("axes", draw.axes(static_cast<int64_t>(x.size()), 3));
  return s;
}

}  // namespace

Entries norm_samplers() {
  return {{"BatchNormalization", sample_batch_normalization},
          {"EmbeddingNorm", sample_embedding_norm},
          {"GroupNormalization", sample_group_normalization},
          {"InstanceNormalization", sample_instance_normalization},
          {"LRN", sample_lrn},
          {"LayerNormalization", sample_layer_normalization},
          {"LpNormalization", sample_lp_normalization},
          {"MeanVarianceNormalization", sample_mean_variance_normalization},
          {"RMSNormalization", sample_rms_normalization}};
}

}  // namespace kiln::operators
