// Samples of operators that make, move and rename elements.
#include <limits>

#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample sample_concat(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(1, 4);
  const int64_t axis = draw.axis(rank_of(x));
  const DType type = draw.type(kAnyType);
  for (int64_t i = draw.integer(1, 5); i > 0; --i) {
    Dims dims = x;
    dims[static_cast<size_t>(normalize_axis(axis, rank_of(x)))] = draw.size() % 12;
    s.data(draw.values(type, dims));
    if (draw.chance(0.15)) s.inputs.back().role = Input::kWeight;
  }
  return s.set("axis", axis);
}

Sample sample_constant_of_shape(Draw& draw) {
  Sample s;
  s.parameter(draw.vector(draw.dims(0, 4)));
  if (draw.chance(0.8)) s.set("value", draw.values(draw.type(kRealTypes), {1}));
  return s;
}

Sample sample_depth_to_space(Draw& draw) {
  Sample s;
  const int64_t block = draw.integer(1, 3);
  s.data(draw.values(draw.type(kAnyType),
                     {draw.size() % 4, block * block * (draw.size() % 5), draw.size() % 7, draw.size() % 7}));
  if (draw.chance(0.6)) s.set("mode", draw.word({"DCR", "CRD"}));
  return s.set("blocksize", block);
}

Sample sample_space_to_depth(Draw& draw) {
  const int64_t block = draw.integer(1, 3);
  return Sample()
      .data(draw.values(draw.type(kAnyType),
                        {draw.size() % 4, draw.size() % 5, block * (draw.size() % 7), block * (draw.size() % 7)}))
      .set("blocksize", block);
}

Sample sample_expand(Draw& draw) {
  const Dims y = draw.dims(0, 4);
  return Sample()
      .data(draw.values(draw.type(kAnyType), draw.broadcast_to(y)))
      .parameter(draw.vector(draw.chance(0.7) ? y : draw.broadcast_to(y)));
}

Sample sample_eye_like(Draw& draw) {
  Sample s;
  s.data(draw.values(draw.type(kNumericTypes | kBoolType), draw.dims(2)));
  if (draw.chance(0.5)) s.set("k", draw.integer(-3, 3));
  if (draw.chance(0.5)) s.set("dtype", std::string(name(draw.type(kNumericTypes | kBoolType))));
  return s;
}

Sample sample_flatten(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(0, 4);
  s.data(draw.values(draw.type(kAnyType), x));
  if (draw.chance(0.8) || x.empty()) s.set("axis", draw.integer(-rank_of(x), rank_of(x)));
  return s;
}

Sample sample_pad(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(1, 4);
  const std::string mode = draw.word({"constant", "reflect", "edge", "wrap"});
  const DType type = draw.type(kAnyType);
  const bool some = draw.chance(0.4);
  const Ints axes = some ? draw.axes(rank_of(x), 3) : Ints(x.size());
  Ints pads(2 * axes.size());
  for (int64_t& p : pads) p = draw.integer(draw.chance(0.2) ? -1 : 0, 3);
  s.data(draw.values(type, x)).parameter(draw.vector(pads));
  if (draw.chance(0.5)) s.weight(draw.values(type, draw.chance(0.5) ? Dims{} : Dims{1}));
  else if (some) s.absent();
  if (some) s.parameter(draw.vector(axes, draw.type(kIndexTypes)));
  if (mode != "constant" || draw.chance(0.3)) s.set("mode", mode);
  return s;
}

Sample sample_range(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes | TypeSet{DType::kI16, DType::kI32, DType::kI64});
  const double step =
      static_cast<double>(draw.integer(1, 4)) * (is_float(type) ? 0.5 : 1) * (draw.chance(0.4) ? -1 : 1);
  for (double v : {static_cast<double>(draw.integer(-5, 5)), static_cast<double>(draw.integer(-20, 20)), step}) {
    Tensor t = Tensor::allocate(type, {});
    t.set(0, v);
    s.parameter(t);
  }
  return s;
}

Sample sample_same(Draw& draw) { return Sample().data(draw.values(draw.type(kAnyType), draw.dims(0, 5))); }

Sample sample_reshape(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(0, 4);
  Ints to = x;
  const bool allow_zero = draw.chance(0.2);
  if (draw.chance(0.6) && to.size() > 1) {  // joins two neighbours
    const auto i = static_cast<size_t>(draw.integer(0, rank_of(x) - 2));
    to[i] *= to[i + 1];
    to.erase(to.begin() + static_cast<int64_t>(i) + 1);
  } else if (draw.chance(0.6)) {
    to.insert(to.begin() + draw.integer(0, static_cast<int64_t>(to.size())), 1);
  }
  if (!to.empty() && draw.chance(0.4))
    to[static_cast<size_t>(draw.integer(0, static_cast<int64_t>(to.size()) - 1))] = -1;
  if (!to.empty() && !x.empty() && to[0] == x[0] && draw.chance(0.3) && !allow_zero) to[0] = 0;
  s.data(draw.values(draw.type(kAnyType), x)).parameter(draw.vector(to));
  if (allow_zero || draw.chance(0.2)) s.set("allowzero", int64_t{allow_zero});
  return s;
}

Sample sample_reverse_sequence(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(2, 4);
  const int64_t batch = draw.flag();
  s.data(draw.values(draw.type(kAnyType), x));
  s.data(draw.integers(DType::kI64, {x[static_cast<size_t>(batch)]}, 0, x[static_cast<size_t>(1 - batch)]));
  if (batch == 0 || draw.chance(0.4)) s.set("batch_axis", batch).set("time_axis", 1 - batch);
  return s;
}

Sample sample_shape(Draw& draw) {
  Sample s = sample_same(draw);
  if (draw.chance(0.5)) s.set("start", draw.integer(-4, 4));
  if (draw.chance(0.5)) s.set("end", draw.integer(-4, 5));
  return s;
}

Sample sample_slice(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(1, 4);
  const bool all = draw.chance(0.3);
  Ints axes = draw.axes(rank_of(x), 3), starts, ends, steps;
  if (all) {
    axes.clear();
    for (int64_t i = 0; i < rank_of(x); ++i) axes.push_back(i);
  }
  const DType type = draw.type(kIndexTypes);
  const int64_t far = type == DType::kI32 ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int64_t>::max();
  for (int64_t a : axes) {
    const int64_t extent = x[static_cast<size_t>(normalize_axis(a, rank_of(x)))];
    starts.push_back(draw.integer(-extent - 2, extent + 2));
    ends.push_back(draw.chance(0.3) ? (draw.flag() ? far : -far) : draw.integer(-extent - 2, extent + 2));
    steps.push_back(draw.chance(0.6) ? 1 : draw.pick<int64_t>({-3, -2, -1, 2, 3}));
  }
  s.data(draw.values(draw.type(kAnyType), x)).parameter(draw.vector(starts, type)).parameter(draw.vector(ends, type));
  if (!all || draw.chance(0.3)) s.parameter(draw.vector(axes, type));
  else s.absent();
  if (draw.chance(0.6)) s.parameter(draw.vector(steps, type));
  return s;
}

Sample sample_split(Draw& draw) {
  Sample s;
  Dims x = draw.dims(1, 4);
  const int64_t axis = draw.axis(rank_of(x)), count = draw.integer(1, 4);
  int64_t& extent = x[static_cast<size_t>(normalize_axis(axis, rank_of(x)))];
  Ints sizes;
  const bool given = draw.chance(0.6);
  if (given) {
    extent = 0;
    for (int64_t i = 0; i < count; ++i) extent += sizes.emplace_back(draw.size() % 8);
  }
  s.data(draw.values(draw.type(kAnyType), x));
  if (given) s.parameter(draw.vector(sizes));
  else if (draw.chance(0.7)) s.set("num_outputs", count);
  s.outputs = static_cast<int>(count);
  return s.set("axis", axis);
}

Sample sample_squeeze(Draw& draw) {
  Sample s;
  Dims x = draw.dims(0, 5);
  for (int64_t& d : x)
    if (draw.chance(0.3)) d = 1;
  s.data(draw.values(draw.type(kAnyType), x));
  Ints axes;
  for (int64_t i = 0; i < rank_of(x); ++i)
    if (x[static_cast<size_t>(i)] == 1 && draw.chance(0.7)) axes.push_back(i - draw.flag() * rank_of(x));
  if (draw.chance(0.7)) s.parameter(draw.vector(axes));
  return s;
}

Sample sample_unsqueeze(Draw& draw) {
  const Dims x = draw.dims(0, 3);
  const int64_t count = draw.integer(0, 2), rank = rank_of(x) + count;
  Ints axes = draw.permutation(rank);
  axes.resize(static_cast<size_t>(count));
  for (int64_t& a : axes) a -= draw.flag() * rank;
  return Sample().data(draw.values(draw.type(kAnyType), x)).parameter(draw.vector(axes));
}

Sample sample_tile(Draw& draw) {
  const Dims x = draw.dims(0, 3);
  Ints repeats;
  for (size_t i = 0; i < x.size(); ++i) repeats.push_back(draw.chance(0.1) ? 0 : draw.integer(1, 3));
  return Sample().data(draw.values(draw.type(kAnyType), x)).parameter(draw.vector(repeats));
}

Sample sample_transpose(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(0, 5);
  s.data(draw.values(draw.type(kAnyType), x));
  if (draw.chance(0.8)) s.set("perm", draw.permutation(rank_of(x)));
  return s;
}

Sample sample_trilu(Draw& draw) {
  Sample s;
  s.data(draw.values(draw.type(kAnyType), draw.dims(2, 4)));
  if (draw.chance(0.6)) s.parameter(draw.scalar(DType::kI64, static_cast<double>(draw.integer(-6, 6))));
  if (draw.chance(0.6)) s.set("upper", draw.flag());
  return s;
}

}  // namespace

Entries shape_samplers() {
  return {{"Concat", sample_concat},
          {"ConstantOfShape", sample_constant_of_shape},
          {"DepthToSpace", sample_depth_to_space},
          {"Expand", sample_expand},
          {"EyeLike", sample_eye_like},
          {"Flatten", sample_flatten},
          {"Pad", sample_pad},
          {"Range", sample_range},
          {"Reformat", sample_same},
          {"Reshape", sample_reshape},
          {"ReverseSequence", sample_reverse_sequence},
          {"Shape", sample_shape},
          {"Size", sample_same},
          {"Slice", sample_slice},
          {"SpaceToDepth", sample_space_to_depth},
          {"Split", sample_split},
          {"Squeeze", sample_squeeze},
          {"Tile", sample_tile},
          {"Transpose", sample_transpose},
          {"Trilu", sample_trilu},
          {"Unsqueeze", sample_unsqueeze}};
}

}  // namespace kiln::operators
