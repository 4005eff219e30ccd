// Resampling along one axis.
#include "tensor/sampling.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace kiln {
namespace {

// Keys' kernel (IEEE TASSP 29, 1981, equation 4).
double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

// In float, as ONNX Runtime and PyTorch compute it: 3 / 0.6f is 5, and then the fifth element is the nearest, not the fourth. Where they
// differ ("asymmetric": 9 / 0.6f is 14.999999, 9 * (1 / 0.6f) is 15), as PyTorch, whose exporter writes that mode. Where the specification
// says "length_resized", that is the whole number of elements, not length times scale, as onnx.reference has it.
double coordinate(const AxisMap& map, const std::string& mode, int64_t index) {
  const auto x = static_cast<float>(index), in = static_cast<float>(map.in), out = static_cast<float>(map.out),
             scale = static_cast<float>(map.scale), start = static_cast<float>(map.start),
             end = static_cast<float>(map.end);
  if (mode == "half_pixel") return (x + 0.5f) / scale - 0.5f;
  if (mode == "asymmetric") return x * static_cast<float>(1 / map.scale);
  if (mode == "align_corners") return map.out == 1 ? 0 : x * (in - 1) / (out - 1);
  if (mode == "pytorch_half_pixel") return map.out > 1 ? (x + 0.5f) / scale - 0.5f : 0;
  if (mode == "tf_half_pixel_for_nn") return (x + 0.5f) / scale;
  if (mode == "half_pixel_symmetric") return in / 2 * (1 - out / (scale * in)) + (x + 0.5f) / scale - 0.5f;
  if (mode == "tf_crop_and_resize")
    return map.out == 1 ? (start + end) * (in - 1) / 2 : start * (in - 1) + x * (end - start) * (in - 1) / (out - 1);
  throw Error(Code::kInvalidArgument, "coordinate_transformation_mode '" + mode + "' is unknown");
}

// Whether the right one of two neighbours is nearer to a point `t` in (0, 1] after the left one.
bool takes_right(double t, const std::string& mode) {
  if (t == 1) return true;
  if (mode == "round_prefer_floor") return t > 0.5;
  if (mode == "round_prefer_ceil") return t >= 0.5;
  if (mode == "floor") return false;
  if (mode == "ceil") return true;
  throw Error(Code::kInvalidArgument, "nearest_mode '" + mode + "' is unknown");
}

void normalize(std::vector<double>& weights) {
  double sum = 0;
  for (double w : weights) sum += w;
  if (sum != 0)
    for (double& w : weights) w /= sum;
}

// The filter around a point `t` in (0, 1] after element 0, stretched when shrinking; starts at element `first`.
Sample stretched(double t, double scale, const ResampleRule& rule) {
  scale = std::min(scale, 1.0);
  const bool is_cubic = rule.mode == "cubic";
  Sample s;
  s.first = static_cast<int64_t>(std::floor((is_cubic ? -2 : -1) / scale)) + 1;
  for (int64_t i = s.first; i < 2 - s.first; ++i) {
    const double distance = (static_cast<double>(i) - t) * scale;
    s.weights.push_back(is_cubic ? cubic(distance, rule.cubic_a) : std::max(0.0, 1 - std::abs(distance)));
  }
  normalize(s.weights);
  return s;
}

constexpr double kLeastScale = 1e-9, kMostScale = 1e9, kMostRegion = 1e6;  // that kernels compute with

bool all_within(const std::vector<double>& values, double least, double most) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v >= least && v <= most; });
}

}  // namespace

bool kernels_take_scales(const std::vector<double>& scales) { return all_within(scales, kLeastScale, kMostScale); }
bool kernels_take_region(const std::vector<double>& region) { return all_within(region, -kMostRegion, kMostRegion); }

std::array<double, 4> cubic_weights(double t, double a) {
  return {cubic(t + 1, a), cubic(t, a), cubic(1 - t, a), cubic(2 - t, a)};
}

Sample sample_at(const AxisMap& map, const ResampleRule& rule, int64_t index) {
  constexpr double kFar = 0x1p50;
  const double x = std::clamp(coordinate(map, rule.coordinates, index), -kFar, kFar);
  Sample s;
  if (rule.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(map.in - 1))) {
    s.outside = true;
    return s;
  }
  const double left = std::ceil(x) - 1, t = x - left;  // t in (0, 1]
  const auto base = static_cast<int64_t>(left);
  if (rule.mode == "nearest") {
    s.first = std::clamp<int64_t>(base + takes_right(t, rule.nearest_mode), 0, map.in - 1);
    return s;
  }
  if (rule.mode != "linear" && rule.mode != "cubic")
    throw Error(Code::kInvalidArgument, "Resize mode '" + rule.mode + "' is unknown");
  if (rule.antialias) s = stretched(t, map.scale, rule);
  else if (rule.mode == "linear") s.weights = {1 - t, t};
  else {
    const auto weights = cubic_weights(t, rule.cubic_a);
    s.first = -1;
    s.weights.assign(weights.begin(), weights.end());
  }
  s.first += base;
  if (rule.exclude_outside) {
    for (size_t i = 0; i < s.weights.size(); ++i)
      if (s.first + static_cast<int64_t>(i) < 0 || s.first + static_cast<int64_t>(i) >= map.in) s.weights[i] = 0;
    normalize(s.weights);
  }
  return s;
}

}  // namespace kiln
