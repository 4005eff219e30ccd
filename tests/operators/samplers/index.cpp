// Samples of operators that select, order and scatter.
#include <algorithm>
#include <numeric>

#include "operators/sample.h"

namespace kiln::operators {
namespace {

int64_t& at_axis(Dims& dims, int64_t axis) { return dims[static_cast<size_t>(normalize_axis(axis, rank_of(dims)))]; }

// Indices into an axis; of either sign. None into an axis of 0.
Tensor indices(Draw& draw, DType type, Dims dims, int64_t extent) {
  if (extent == 0) dims.assign(std::max<size_t>(dims.size(), 1), 0);
  return draw.integers(type, dims, draw.chance(0.5) || extent == 0 ? 0 : -extent, std::max<int64_t>(extent, 1) - 1);
}

Sample sample_arg_extreme(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(1, 4);
  s.data(draw.values(draw.type(kNumericTypes), x));
  if (draw.chance(0.7)) s.set("axis", draw.axis(rank_of(x)));
  if (draw.chance(0.6)) s.set("keepdims", draw.flag());
  if (draw.chance(0.5)) s.set("select_last_index", draw.flag());
  return s;
}

Sample sample_compress(Draw& draw) {
  Sample s;
  Dims x = draw.dims(1, 4);
  s.data(draw.values(draw.type(kAnyType), x));
  int64_t extent = element_count(x);
  if (draw.chance(0.7)) {
    const int64_t axis = draw.axis(rank_of(x));
    s.set("axis", axis);
    extent = at_axis(x, axis);
  }
  return s.data(draw.values(DType::kBool, {draw.chance(0.5) ? extent : draw.integer(0, extent)}));
}

Sample sample_cumulative(Draw& draw) {
  Sample s;
  Dims x = draw.dims(1, 3);
  if (draw.chance(0.3)) x.push_back(draw.integer(1, 300));
  s.data(draw.values(draw.type(kFloatTypes | TypeSet{DType::kI32, DType::kI64, DType::kU32, DType::kU64}), x));
  s.parameter(draw.scalar(draw.type(kIndexTypes), static_cast<double>(draw.axis(rank_of(x)))));
  if (draw.chance(0.5)) s.set("exclusive", draw.flag());
  if (draw.chance(0.5)) s.set("reverse", draw.flag());
  return s;
}

Sample sample_gather(Draw& draw) {
  Sample s;
  Dims x = draw.dims(1, 4);
  const int64_t axis = draw.chance(0.4) ? 0 : draw.axis(rank_of(x));
  s.data(draw.values(draw.type(kAnyType), x));
  s.data(indices(draw, draw.type(kIndexTypes), draw.dims(0, 2), at_axis(x, axis)));
  if (draw.chance(0.5)) s.inputs.back().role = Input::kWeight;
  if (axis != 0 || draw.chance(0.3)) s.set("axis", axis);
  return s;
}

// Dims no larger than those of the data except along the axis.
Dims index_dims(Draw& draw, const Dims& x, int64_t axis) {
  Dims dims = x;
  for (int64_t& d : dims)
    if (draw.chance(0.4)) d = draw.integer(0, d);
  at_axis(dims, axis) = at_axis(dims, axis) == 0 ? 0 : draw.size();
  return dims;
}

Sample sample_gather_elements(Draw& draw) {
  Sample s;
  Dims x = draw.dims(1, 4);
  const int64_t axis = draw.axis(rank_of(x));
  s.data(draw.values(draw.type(kAnyType), x));
  s.data(indices(draw, draw.type(kIndexTypes), index_dims(draw, x, axis), at_axis(x, axis)));
  return s.set("axis", axis);
}

Sample sample_gather_nd(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(1, 4);
  const int64_t batch = draw.chance(0.6) ? 0 : draw.integer(0, rank_of(x) - 1),
                depth = draw.integer(1, rank_of(x) - batch);
  Dims dims(x.begin(), x.begin() + batch);
  for (int64_t d : draw.dims(0, 2)) dims.push_back(std::min<int64_t>(d, 9));
  dims.push_back(depth);
  const auto first = x.begin() + batch;
  s.data(draw.values(draw.type(kAnyType), x));
  s.data(indices(draw, DType::kI64, dims, *std::min_element(first, first + depth)));
  if (batch != 0 || draw.chance(0.3)) s.set("batch_dims", batch);
  return s;
}

Sample sample_non_max_suppression(Draw& draw) {
  Sample s;
  const bool many = draw.chance(0.2);
  const int64_t batch = draw.size() % 4, boxes = many ? draw.integer(20, 80) : draw.size(), classes = draw.size() % 5;
  Tensor corners = draw.numbers(DType::kF32, {batch, boxes, 4}, 0, 1);
  s.data(corners).data(draw.numbers(DType::kF32, {batch, classes, boxes}, -1, 1));
  if (draw.chance(0.8)) s.parameter(draw.scalar(DType::kI64, static_cast<double>(draw.integer(0, many ? 40 : 8))));
  else s.absent();
  if (draw.chance(0.6)) s.parameter(draw.scalar(DType::kF32, draw.real(0, 1)));
  else s.absent();
  if (draw.chance(0.5)) s.parameter(draw.scalar(DType::kF32, draw.real(-0.5, 0.5)));
  if (draw.chance(0.5)) s.set("center_point_box", draw.flag());
  return s;
}

Sample sample_non_zero(Draw& draw) { return Sample().data(draw.values(draw.type(kAnyType), draw.dims(0, 4))); }

Sample sample_one_hot(Draw& draw) {
  Sample s;
  const TypeSet types = kIntegerTypes | TypeSet{DType::kF16, DType::kF32, DType::kF64};
  const Dims x = draw.dims(0, 3);
  const int64_t depth = draw.integer(0, 9);
  const DType type = draw.type(types);
  s.data(draw.integers(type, x, is_unsigned_integer(type) ? 0 : -depth - 2, depth + 2));
  s.parameter(draw.scalar(draw.type(types), static_cast<double>(depth))).weight(draw.values(draw.type(kAnyType), {2}));
  if (draw.chance(0.6)) s.set("axis", draw.axis(rank_of(x) + 1));
  return s;
}

// With a reduction the type has an order and a sum.
DType scatter_type(Draw& draw, Sample& s) {
  const std::string reduction = draw.word({"none", "add", "mul", "max", "min"});
  if (reduction != "none" || draw.chance(0.3)) s.set("reduction", reduction);
  return draw.type(reduction == "none" ? kAnyType : kNumericTypes | kBoolType);
}

Sample sample_scatter_elements(Draw& draw) {
  Sample s;
  const DType type = scatter_type(draw, s);
  Dims x = draw.dims(1, 4);
  const int64_t axis = draw.axis(rank_of(x));
  const Tensor where = indices(draw, draw.type(kIndexTypes), index_dims(draw, x, axis), at_axis(x, axis));
  return s.data(draw.values(type, x)).data(where).data(draw.values(type, where.dims())).set("axis", axis);
}

// ONNX leaves open which of several updates of one place is the last: no two tuples begin with the same index.
void make_distinct(Draw& draw, Tensor& tuples, int64_t depth) {
  std::vector<int64_t> first(static_cast<size_t>(tuples.size() / depth));
  std::iota(first.begin(), first.end(), int64_t{0});
  for (size_t i = first.size(); i > 1; --i)
    std::swap(first[i - 1], first[static_cast<size_t>(draw.integer(0, static_cast<int64_t>(i) - 1))]);
  for (size_t i = 0; i < first.size(); ++i) tuples.set_int(static_cast<int64_t>(i) * depth, first[i]);
}

Sample sample_scatter_nd(Draw& draw) {
  Sample s;
  const DType type = scatter_type(draw, s);
  const Dims x = draw.dims(1, 4);
  const int64_t depth = draw.integer(1, rank_of(x)), extent = *std::min_element(x.begin(), x.begin() + depth);
  const bool replaces = s.attributes.text("reduction", "none") == "none";
  Dims dims = draw.dims(0, 2);
  for (int64_t& d : dims) d = std::min<int64_t>(d, 7);
  if (replaces && element_count(dims) > extent) dims = {extent};
  dims.push_back(depth);
  Tensor where = indices(draw, DType::kI64, dims, extent);
  if (replaces && where.size() > 0) make_distinct(draw, where, depth);
  Dims updates(where.dims().begin(), where.dims().end() - 1);
  updates.insert(updates.end(), x.begin() + depth, x.end());
  return s.data(draw.values(type, x)).data(where).data(draw.values(type, updates));
}

Sample sample_suppress_boxes(Draw& draw) {
  Sample s;
  const int64_t batch = draw.size() % 4, boxes = draw.size(), classes = draw.size() % 5;
  s.data(draw.numbers(DType::kF32, {batch, boxes, 4}, 0, 1));
  s.data(draw.numbers(DType::kF32, {batch, classes, boxes}, -1, 1));
  if (draw.chance(0.6)) s.parameter(draw.scalar(DType::kF32, draw.real(0, 1)));
  else s.absent();
  if (draw.chance(0.5)) s.parameter(draw.scalar(DType::kF32, draw.real(-0.5, 0.5)));
  if (draw.chance(0.5)) s.set("center_point_box", draw.flag());
  s.set("most", draw.integer(1, 9));
  s.outputs = 2;
  return s;
}

Sample sample_tensor_scatter(Draw& draw) {
  Sample s;
  const Dims cache = draw.dims(3, 4);
  const int64_t axis = draw.chance(0.5) ? -2 : draw.integer(1, rank_of(cache) - 1);
  Dims update = cache;
  const int64_t extent = at_axis(update, axis), steps = draw.integer(0, extent);
  at_axis(update, axis) = steps;
  const bool circular = draw.chance(0.5);
  const DType type = draw.type(kAnyType);
  s.data(draw.values(type, cache)).data(draw.values(type, update));
  if (draw.chance(0.7)) s.data(draw.integers(DType::kI64, {cache[0]}, 0, circular ? extent : extent - steps));
  if (circular || draw.chance(0.3)) s.set("mode", std::string(circular ? "circular" : "linear"));
  if (axis != -2 || draw.chance(0.3)) s.set("axis", axis);
  return s;
}

Sample sample_top_k(Draw& draw) {
  Sample s;
  Dims x = draw.dims(1, 4);
  const int64_t axis = draw.chance(0.4) ? -1 : draw.axis(rank_of(x));
  const bool few = draw.chance(0.3);  // of many
  int64_t& length = x[static_cast<size_t>(axis < 0 ? axis + rank_of(x) : axis)];
  if (few) length = draw.integer(60, 300);
  const DType type = draw.type(kNumericTypes);
  s.data(draw.chance(0.3) ? draw.integers(DType::kI32, x, 0, 9).cast(type) : draw.values(type, x));
  s.parameter(draw.vector({draw.integer(0, few ? 12 : length)}));
  if (axis != -1 || draw.chance(0.3)) s.set("axis", axis);
  if (draw.chance(0.5)) s.set("largest", draw.flag());
  if (draw.chance(0.3)) s.set("sorted", draw.flag());
  s.outputs = 2;
  return s;
}

Sample sample_unique(Draw& draw) {
  Sample s;
  const Dims x = draw.dims(1, 3);
  s.data(draw.chance(0.5) ? draw.integers(draw.type(kNumericTypes), x, 0, 3) : draw.values(draw.type(kAnyType), x));
  if (draw.chance(0.5)) s.set("axis", draw.axis(rank_of(x)));
  if (draw.chance(0.5)) s.set("sorted", draw.flag());
  s.outputs = static_cast<int>(draw.integer(1, 4));
  return s;
}

}  // namespace

Entries index_samplers() {
  return {{"ArgMax", sample_arg_extreme},
          {"ArgMin", sample_arg_extreme},
          {"Compress", sample_compress},
          {"CumProd", sample_cumulative},
          {"CumSum", sample_cumulative},
          {"Gather", sample_gather},
          {"GatherElements", sample_gather_elements},
          {"GatherND", sample_gather_nd},
          {"NonMaxSuppression", sample_non_max_suppression},
          {"NonZero", sample_non_zero},
          {"OneHot", sample_one_hot},
          {"ScatterElements", sample_scatter_elements},
          {"ScatterND", sample_scatter_nd},
          {"SuppressBoxes", sample_suppress_boxes},
          {"TensorScatter", sample_tensor_scatter},
          {"TopK", sample_top_k},
          {"Unique", sample_unique}};
}

}  // namespace kiln::operators
