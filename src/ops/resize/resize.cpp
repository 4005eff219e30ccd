// Resize: resampling along axes, one after the other, by nearest, linear or cubic weights.
#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "base/require.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/resize/resizing.h"
#include "ops/shape_elements.h"
#include "tensor/sampling.h"

namespace kiln::ops {
namespace {

// An empty tensor stands for an absent one.
bool given(const ShapeCall& c, std::string_view input) {
  return c.present(input) && !(c.rank(input) == 1 && c.dims(input)[0] == Dim(0));
}

Ints resized_axes(const ShapeCall& c) {
  Ints axes = c.ints("axes");
  for (int64_t& a : axes) a = normalize_axis(a, c.rank("x"));
  if (!c.has_attr("axes"))
    for (int64_t i = 0; i < c.rank("x"); ++i) axes.push_back(i);
  return axes;
}

// floor(in * scale); nothing when it cannot be written as an expression.
std::optional<Dim> scaled_dim(const Dim& in, double scale) {
  if (in.is_constant())
    return Dim(static_cast<int64_t>(std::floor(static_cast<float>(in.value()) * static_cast<float>(scale))));
  for (int64_t divisor = 1; divisor <= 64; divisor *= 2) {
    const double factor = scale * static_cast<double>(divisor);
    if (factor == std::floor(factor) && factor < 1e6) return floor_div(in * Dim(static_cast<int64_t>(factor)), divisor);
  }
  return std::nullopt;
}

void scale_shape(const ShapeCall& c, const Ints& axes, Shape& y) {
  require_vector(c, "scales", static_cast<int64_t>(axes.size()));
  const Tensor* scales = c.constant("scales");
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = nth(y, axes[i]);
    require(!scales || scales->at(static_cast<int64_t>(i)) > 0, Code::kInvalidArgument,
            "Resize has a scale that is not above 0");
    const std::optional<Dim> size = scales ? scaled_dim(d, scales->at(static_cast<int64_t>(i))) : std::nullopt;
    d = size ? *size : c.unknown_dim(0, static_cast<int>(axes[i]));
  }
}

// The one scale of the policies that keep the aspect ratio.
double common_scale(const std::string& policy, const Dims& sizes, const Dims& in) {
  double scale = static_cast<double>(sizes[0]) / static_cast<double>(in[0]);
  for (size_t i = 1; i < sizes.size(); ++i) {
    const double s = static_cast<double>(sizes[i]) / static_cast<double>(in[i]);
    scale = policy == "not_larger" ? std::min(scale, s) : std::max(scale, s);
  }
  return scale;
}

void size_shape(const ShapeCall& c, const Ints& axes, Shape& y) {
  require_vector(c, "sizes", static_cast<int64_t>(axes.size()));
  const auto sizes = partial_elements(c, "sizes");
  const std::string policy = c.text("keep_aspect_ratio_policy");
  Shape in;
  for (int64_t a : axes) in.push_back(nth(y, a));
  const bool known = sizes && (policy == "stretch" || (is_static(*sizes) && is_static(in)));
  const double scale =
      known && policy != "stretch" && !axes.empty() ? common_scale(policy, static_dims(*sizes), static_dims(in)) : 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = nth(y, axes[i]);
    if (!known || is_unknown_element((*sizes)[i])) d = c.unknown_dim(0, static_cast<int>(axes[i]));
    else if (policy == "stretch") d = (*sizes)[i];
    else d = static_cast<int64_t>(std::floor(scale * static_cast<double>(d.value()) + 0.5));
  }
}

// Throws kUnsupported when the attribute is none of these words.
void require_known(const ShapeCall& c, const char* attribute, std::initializer_list<std::string_view> known) {
  const std::string given = c.text(attribute);
  if (std::find(known.begin(), known.end(), given) != known.end()) return;
  std::string list;
  for (std::string_view word : known) list += (list.empty() ? "" : ", ") + std::string(word);
  throw Error(Code::kUnsupported, "Resize knows no " + std::string(attribute) + " '" + given + "'")
      .remedy("use " + list);
}

}  // namespace

OpDef&& with_resizing(OpDef&& op) {
  return std::move(op)
      .optional_input("roi", TypeSet{DType::kF16, DType::kF32, DType::kF64})
      .optional_input("scales", DType::kF32)
      .optional_input("sizes", DType::kI64)
      .attr("antialias", int64_t{0})
      .attr("axes", Ints{})
      .attr("coordinate_transformation_mode", std::string("half_pixel"))
      .attr("cubic_coeff_a", -0.75)
      .attr("exclude_outside", int64_t{0})
      .attr("extrapolation_value", 0.0)
      .attr("keep_aspect_ratio_policy", std::string("stretch"))
      .attr("nearest_mode", std::string("round_prefer_floor"));
}

OutputShape resize_shape(ShapeCall& c) {
  require_known(c, "mode", {"nearest", "linear", "cubic"});
  require_known(c, "nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  require_known(c, "coordinate_transformation_mode",
                {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                 "tf_half_pixel_for_nn", "tf_crop_and_resize"});
  const std::string policy = c.text("keep_aspect_ratio_policy");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller")
    throw Error(Code::kInvalidArgument, "keep_aspect_ratio_policy '" + policy + "' is unknown");
  if (given(c, "scales") == given(c, "sizes"))
    throw Error(Code::kInvalidGraph, "Resize needs scales or sizes, not both").remedy("give one of them");
  const Ints axes = resized_axes(c);
  Shape y = c.dims("x");
  given(c, "scales") ? scale_shape(c, axes, y) : size_shape(c, axes, y);
  return y;
}

namespace {

// One entry for each axis that changes.
std::vector<AxisMap> axis_maps(RefCall& c) {
  const ShapeCall& s = c.shapes();
  const Ints axes = resized_axes(s);
  const Dims &in = c.input("x").dims(), &out = c.output().dims();
  const bool has_scales = given(s, "scales"), stretch = c.text("keep_aspect_ratio_policy") == "stretch";
  const bool crop = c.text("coordinate_transformation_mode") == "tf_crop_and_resize";
  const auto count = static_cast<int64_t>(axes.size());
  require(!crop || (given(s, "roi") && c.input("roi").size() == 2 * count), Code::kInvalidGraph,
          "tf_crop_and_resize needs a roi of two numbers per axis");
  Dims sizes, lengths;
  for (int64_t a : axes) lengths.push_back(nth(in, a));
  if (!has_scales) sizes = integers(c.input("sizes"));
  std::vector<AxisMap> maps;
  for (int64_t i = 0; i < count; ++i) {
    const auto k = static_cast<size_t>(i);
    AxisMap map{.axis = static_cast<size_t>(axes[k]), .in = lengths[k], .out = nth(out, axes[k])};
    if (has_scales) map.scale = c.input("scales").at(i);
    else
      map.scale = stretch ? static_cast<double>(sizes[k]) / static_cast<double>(lengths[k])
                          : common_scale(c.text("keep_aspect_ratio_policy"), sizes, lengths);
    if (crop) map.start = c.input("roi").at(i), map.end = c.input("roi").at(count + i);
    if (map.scale != 1 || map.in != map.out || (crop && (map.start != 0 || map.end != 1))) maps.push_back(map);
  }
  return maps;
}

ResampleRule rule_of(const RefCall& c) {
  return {c.text("mode"),          c.text("nearest_mode"),      c.text("coordinate_transformation_mode"),
          c.real("cubic_coeff_a"), c.integer("antialias") != 0, c.integer("exclude_outside") != 0};
}

// Copies whole elements of any type.
void resize_nearest(RefCall& c, const std::vector<AxisMap>& maps, const ResampleRule& rule) {
  const Tensor& x = c.input("x");
  const Dims &in = x.dims(), &out = c.output().dims(), strides = row_major_strides(in);
  std::vector<Dims> from(in.size());  // per axis: element offset of each output index; -1 outside
  for (size_t a = 0; a < in.size(); ++a)
    for (int64_t i = 0; i < out[a]; ++i) from[a].push_back(i * strides[a]);
  for (const AxisMap& map : maps)
    for (int64_t i = 0; i < map.out; ++i) {
      const Sample sample = sample_at(map, rule, i);
      nth(from[map.axis], i) = sample.outside ? -1 : sample.first * strides[map.axis];
    }
  Dims index(out.size(), 0);
  for (int64_t to = 0; to < c.output().size(); ++to) {
    int64_t offset = 0;
    bool outside = false;
    for (size_t a = 0; a < out.size(); ++a) {
      outside = outside || nth(from[a], index[a]) < 0;
      offset += nth(from[a], index[a]);
    }
    if (!outside) copy_elements(x, offset, c.output(), to, 1);
    else if (x.dtype() != DType::kString) c.output().set(to, c.real("extrapolation_value"));
    advance(index, out);
  }
}

// x of shape `dims`, resampled along one axis.
std::vector<double> resample(const std::vector<double>& x, const Dims& dims, const AxisMap& map,
                             const ResampleRule& rule, double outside) {
  const int64_t outer = product(dims, 0, map.axis), inner = product(dims, map.axis + 1, dims.size());
  std::vector<double> y(static_cast<size_t>(outer * map.out * inner), 0.0);
  for (int64_t i = 0; i < map.out; ++i) {
    const Sample s = sample_at(map, rule, i);
    for (int64_t o = 0; o < outer; ++o) {
      double* to = y.data() + (o * map.out + i) * inner;
      if (s.outside) std::fill(to, to + inner, outside);
      for (size_t k = 0; k < s.weights.size(); ++k) {
        const int64_t at = std::clamp<int64_t>(s.first + static_cast<int64_t>(k), 0, map.in - 1);
        const double* from = x.data() + (o * map.in + at) * inner;
        if (s.weights[k] != 0)
          for (int64_t j = 0; j < inner; ++j) to[j] += s.weights[k] * from[j];
      }
    }
  }
  return y;
}

void resize_weighted(RefCall& c, const std::vector<AxisMap>& maps, const ResampleRule& rule) {
  std::vector<double> x = doubles(c.input("x"));
  Dims dims = c.input("x").dims();
  for (const AxisMap& map : maps) {
    x = resample(x, dims, map, rule, c.real("extrapolation_value"));
    dims[map.axis] = map.out;
  }
  round_to_type(x, c.output().dtype());
  store(c.output(), x);
}

void resize_reference(RefCall& c) {
  const ResampleRule rule = rule_of(c);
  if (rule.mode != "nearest" && !kNumericTypes.has(c.input("x").dtype()))
    throw Error(Code::kUnsupported, "Resize of " + c.input("x").type_string() + " in mode " + rule.mode)
        .remedy("use mode nearest");
  if (c.output().size() == 0) return;
  if (c.input("x").size() == 0)
    throw Error(Code::kShapeMismatch, "Resize of an empty tensor to " + c.output().type_string());
  rule.mode == "nearest" ? resize_nearest(c, axis_maps(c), rule) : resize_weighted(c, axis_maps(c), rule);
}

}  // namespace

const OpDef resize = with_resizing(op("Resize").input("x", kNumericTypes | kBoolType |
                                                               TypeSet{DType::kString, DType::kC64, DType::kC128}))
                         .attr("mode", std::string("nearest"))
                         .output("y", same_type("x"))
                         .shape(resize_shape)
                         .reference(resize_reference)
                         .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
