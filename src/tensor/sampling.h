// Resampling along one axis, as Resize means it: where an output element lies in the input, and how much of which elements it takes.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kiln {

// Whether kernels compute with them; beyond, only the reference resizes.
bool kernels_take_scales(const std::vector<double>& scales);
bool kernels_take_region(const std::vector<double>& region);

struct ResampleRule {
  std::string mode, nearest_mode, coordinates;  // as Resize's attributes
  double cubic_a = -0.75;
  bool antialias = false, exclude_outside = false;
};

struct AxisMap {
  size_t axis = 0;
  int64_t in = 0, out = 0;
  double scale = 1;
  double start = 0, end = 1;  // of tf_crop_and_resize, as fractions of the input
};

// Weights of the input elements first, first + 1, …; elements beyond an end stand for the last one there. For nearest, the one element
// `first`, inside the input.
struct Sample {
  bool outside = false;  // tf_crop_and_resize: takes the extrapolation value
  int64_t first = 0;
  std::vector<double> weights;
};
// Throws kInvalidArgument for names that the rule does not know.
Sample sample_at(const AxisMap& map, const ResampleRule& rule, int64_t index);

// Weights of the four neighbours of a point `t` in [0, 1] between the second and the third; `a` is Keys' parameter.
std::array<double, 4> cubic_weights(double t, double a);

}  // namespace kiln
