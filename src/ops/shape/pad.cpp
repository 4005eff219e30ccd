// Pad: adds elements before and after each axis, or removes them where a pad is negative.
#include <algorithm>

#include "base/checked.h"
#include "base/error.h"
#include "base/index.h"
#include "ops/movement.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/shape_elements.h"

namespace kiln::ops {
namespace {

Ints padded_axes(const ShapeCall& c, size_t pad_count) {
  Ints axes;
  if (auto given = c.int_values("axes")) {
    for (int64_t a : *given) axes.push_back(normalize_axis(a, c.rank("data")));
  } else {
    for (int64_t i = 0; i < c.rank("data"); ++i) axes.push_back(i);
  }
  if (pad_count != 2 * axes.size())
    throw Error(Code::kShapeMismatch,
                "Pad of " + std::to_string(axes.size()) + " axes with " + std::to_string(pad_count) + " pads")
        .cause("it takes two for each axis");
  return axes;
}

OutputShape pad_shape(ShapeCall& c) {
  const std::string mode = c.text("mode");
  if (mode != "constant" && mode != "reflect" && mode != "edge" && mode != "wrap")
    throw Error(Code::kInvalidArgument, "Pad has no mode '" + mode + "'").remedy("use constant, reflect, edge or wrap");
  auto pads = partial_elements(c, "pads");
  if (!pads || (c.present("axes") && !c.int_values("axes"))) return c.unknown_shape(0, c.rank("data"));
  const Ints axes = padded_axes(c, pads->size());
  Shape shape = c.dims("data");
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = nth(shape, axes[i]);
    const Dim &before = (*pads)[i], &after = (*pads)[i + axes.size()];
    d = has_unknown_element({before, after}) ? c.unknown_dim(0, static_cast<int>(axes[i])) : d + before + after;
  }
  return shape;
}

// Where position `i` of an axis, which may lie outside [0, extent), takes its value; -1: from nowhere.
int64_t source_index(const std::string& mode, int64_t i, int64_t extent) {
  if (i >= 0 && i < extent) return i;
  if (mode == "constant") return -1;
  if (extent == 0) throw Error(Code::kShapeMismatch, "Pad with mode '" + mode + "' of an axis without elements");
  if (mode == "edge") return i < 0 ? 0 : extent - 1;
  if (mode == "wrap") return floor_mod(i, extent);
  const int64_t period = std::max<int64_t>(2 * (extent - 1), 1), k = floor_mod(i, period);
  return k < extent ? k : period - k;
}

void pad_reference(RefCall& c) {
  const Tensor& data = c.input("data");
  Tensor& out = c.output();
  const Ints pads = c.input("pads").to_ints();
  const Ints axes = padded_axes(c.shapes(), pads.size());
  std::vector<Dims> sources;
  for (size_t k = 0; k < out.dims().size(); ++k) {
    int64_t begin = 0;
    for (size_t i = 0; i < axes.size(); ++i)
      if (axes[i] == static_cast<int64_t>(k)) begin = pads[i];
    sources.emplace_back();
    for (int64_t i = 0; i < out.dims()[k]; ++i)
      sources.back().push_back(source_index(c.text("mode"), i - begin, data.dims()[k]));
  }
  if (c.present("constant_value") && c.text("mode") == "constant") fill(out, c.input("constant_value"));
  if (out.size() == 0) return;
  const Dims strides = row_major_strides(data.dims());
  std::vector<int64_t> positions;
  Dims index(out.dims().size(), 0);
  do {
    int64_t position = 0;
    for (size_t k = 0; k < index.size() && position >= 0; ++k) {
      const int64_t i = nth(sources[k], index[k]);
      position = i < 0 ? -1 : position + i * strides[k];
    }
    positions.push_back(position);
  } while (advance(index, out.dims()));
  pick(data, positions, out);
}

}  // namespace

const OpDef pad = op("Pad")
                      .input("data", kAnyType)
                      .input("pads", DType::kI64)
                      .optional_input("constant_value", kAnyType, "data")
                      .optional_input("axes", kIndexTypes)
                      .attr("mode", std::string("constant"))
                      .output("output", same_type("data"))
                      .shape(pad_shape)
                      .reference(pad_reference);

}  // namespace kiln::ops
