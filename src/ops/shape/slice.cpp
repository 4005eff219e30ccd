// Slice: a range with a step along some axes, as numpy slices.
#include <algorithm>

#include "base/checked.h"
#include "base/error.h"
#include "base/index.h"
#include "base/require.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {
namespace {

// At and beyond this a bound means "to the end", whatever the extent.
constexpr int64_t kFar = 0x7fffffff;
constexpr int64_t kLongestStep = INT64_MAX / 2;  // longer than any axis

// -1, 1 or, when it cannot be told, 0: on which side of zero a bound lies for dimensions that are not zero.
int sign_of(const Dim& d) {
  if (d.is_constant()) return d.value() < 0 ? -1 : 1;
  const Dim x = d.substitute([](const std::string& s) { return std::optional<Dim>(Dim::symbol(s) + 1); });
  if (max(x, Dim(0)) == x) return 1;
  return min(x, Dim(-1)) == x ? -1 : 0;
}

// A bound counted from the start of the axis, in [low, high]; nothing when it cannot be told.
std::optional<Dim> place(const Dim& bound, const Dim& extent, const Dim& low, const Dim& high) {
  if (bound.is_constant() && bound.value() >= kFar) return high;
  if (bound.is_constant() && bound.value() <= -kFar) return low;
  switch (sign_of(bound)) {
    case 1: return min(bound.is_constant() ? bound : max(bound, Dim(0)), high);
    case -1: return min(max(extent + bound, low), high);
    default: return std::nullopt;
  }
}

std::optional<Dim> length(const Dim& extent, const Dim& start, const Dim& end, int64_t step) {
  const bool to_end = end == extent || (end.is_constant() && end.value() >= kFar);
  if (step > 0 && start.is_constant() && to_end && start.value() > -kFar && start.value() < kFar) {
    if (start.value() < 0) return ceil_div(min(extent, Dim(-start.value())), Dim(step));
    if (start.value() == 0) return ceil_div(extent, Dim(step));
    return max(ceil_div(extent - start, Dim(step)), Dim(0));
  }
  const Dim low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  auto from = place(start, extent, step > 0 ? Dim(0) : min(Dim(0), high), high), to = place(end, extent, low, high);
  if (!from || !to) return std::nullopt;
  return step > 0 ? max(ceil_div(*to - *from, Dim(step)), Dim(0)) : max(ceil_div(*from - *to, Dim(-step)), Dim(0));
}

Ints sliced_axes(const ShapeCall& c, size_t count) {
  Ints axes;
  if (auto given = c.int_values("axes")) {
    for (int64_t a : *given) axes.push_back(normalize_axis(a, c.rank("data")));
  } else {
    for (size_t i = 0; i < count; ++i) axes.push_back(static_cast<int64_t>(i));
  }
  if (axes.size() != count || static_cast<int64_t>(count) > c.rank("data"))
    throw Error(Code::kShapeMismatch, "Slice of " + to_string(c.dims("data")) + " with " + std::to_string(count) +
                                          " bounds for " + std::to_string(axes.size()) + " axes");
  for (const char* name : {"ends", "steps"})
    if (const auto length = static_length(c, name); length && *length != static_cast<int64_t>(count))
      throw Error(Code::kShapeMismatch,
                  "Slice has " + std::to_string(count) + " starts and " + std::to_string(*length) + " " + name);
  return axes;
}

OutputShape slice_shape(ShapeCall& c) {
  Shape shape = c.dims("data");
  auto starts = partial_elements(c, "starts"), ends = partial_elements(c, "ends");
  auto count = starts ? std::optional<int64_t>(static_cast<int64_t>(starts->size())) : static_length(c, "starts");
  if (!count || (c.present("axes") && !c.int_values("axes"))) return c.unknown_shape(0, c.rank("data"));
  const Ints axes = sliced_axes(c, static_cast<size_t>(*count));
  const Ints steps = c.present("steps") ? c.int_values("steps").value_or(Ints{}) : Ints(axes.size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = nth(shape, axes[i]);
    std::optional<Dim> result;
    require(i >= steps.size() || steps[i] != 0, Code::kInvalidArgument, "Slice with a step of 0");
    if (starts && ends && i < ends->size() && i < steps.size() && !has_unknown_element({(*starts)[i], (*ends)[i]}))
      result = length(d, (*starts)[i], (*ends)[i], std::clamp(steps[i], -kLongestStep, kLongestStep));
    d = result ? *result : c.unknown_dim(0, static_cast<int>(axes[i]));
  }
  return shape;
}

// Positions in a tensor of `dims`, whose bounds are all known.
std::vector<int64_t> slice_positions(const ShapeCall& c, const Dims& dims, const Ints& starts, const Dims& out) {
  const Ints axes = sliced_axes(c, starts.size());
  const Ints steps = c.present("steps") ? *c.int_values("steps") : Ints(axes.size(), 1);
  Dims strides = row_major_strides(dims);
  int64_t first = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    const int64_t high = steps[i] > 0 ? dims[axis] : dims[axis] - 1;
    const int64_t start =
        std::clamp(starts[i] < 0 ? starts[i] + dims[axis] : starts[i], int64_t{0}, std::max(high, int64_t{0}));
    first += start * strides[axis];
    strides[axis] = out[axis] > 1 ? strides[axis] * steps[i] : 0;
  }
  return strided_positions(first, out, strides);
}

std::optional<std::vector<Dim>> slice_elements(ShapeCall& c) {
  auto elements = few_elements(c, "data");
  auto starts = c.int_values("starts");
  if (!elements || !starts || !c.int_values("ends") || !is_static(c.dims("data"))) return std::nullopt;
  if (c.present("steps") && !c.int_values("steps")) return std::nullopt;
  const OutputShape out = slice_shape(c);
  if (!is_static(out.shape)) return std::nullopt;
  return pick(*elements, slice_positions(c, static_dims(c.dims("data")), *starts, static_dims(out.shape)));
}

void slice_reference(RefCall& c) {
  pick(c.input("data"),
       slice_positions(c.shapes(), c.input("data").dims(), c.input("starts").to_ints(), c.output().dims()), c.output());
}

}  // namespace

const OpDef slice = op("Slice")
                        .input("data", kAnyType)
                        .input("starts", kIndexTypes)
                        .input("ends", kIndexTypes, "starts")
                        .optional_input("axes", kIndexTypes, "starts")
                        .optional_input("steps", kIndexTypes, "starts")
                        .output("output", same_type("data"))
                        .shape(slice_shape)
                        .elements(slice_elements)
                        .reference(slice_reference);

}  // namespace kiln::ops
