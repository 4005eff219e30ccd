// Sampling of a plane at points of a grid.
#include "tensor/grid_sampling.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "tensor/sampling.h"

namespace kiln {
namespace {

constexpr double kCubic = -0.75;

// Folds x back at the borders until it lies between them.
double reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  if (x >= low && x <= high) return x;
  const double distance = x < low ? low - x : x - high;
  const double folds = std::floor(distance / range), rest = distance - folds * range;
  const bool even = std::fmod(folds, 2) == 0;
  return (x < low) == even ? low + rest : high - rest;
}

}  // namespace

GridSampler GridSampler::named(std::string_view mode, std::string_view padding, bool corners, Dims dims) {
  GridSampler s;
  if (mode == "nearest") s.mode = Mode::kNearest;
  else if (mode == "cubic") s.mode = Mode::kCubic;
  else if (mode != "linear")
    throw Error(Code::kInvalidArgument, "GridSample mode '" + std::string(mode) + "' is unknown");
  if (padding == "border") s.padding = Padding::kBorder;
  else if (padding == "reflection") s.padding = Padding::kReflection;
  else if (padding != "zeros")
    throw Error(Code::kInvalidArgument, "padding_mode '" + std::string(padding) + "' is unknown");
  s.corners = corners;
  s.dims = std::move(dims);
  return s;
}

double GridSampler::place(double normalized, size_t axis) const noexcept {
  const auto length = static_cast<double>(dims[axis]);
  double x = corners ? (normalized + 1) / 2 * (length - 1) : ((normalized + 1) * length - 1) / 2;
  if (mode == Mode::kNearest) x = std::nearbyint(x);
  // Of the four neighbours on a side each is moved inside, as PyTorch does; moving the point would change their weights.
  if (mode == Mode::kCubic) return x;
  if (x >= low() && x <= high(axis)) return x;
  if (padding == Padding::kBorder) return std::clamp(x, 0.0, length - 1);
  return padding == Padding::kReflection ? reflect(x, low(), high(axis)) : x;
}

// The element that stands for index i; -1 for a zero.
int64_t GridSampler::resolve(double i, size_t axis) const noexcept {
  const auto last = static_cast<double>(dims[axis] - 1);
  if (padding == Padding::kBorder) i = std::clamp(i, 0.0, last);
  else if (padding == Padding::kReflection) i = std::clamp(std::trunc(reflect(i, low(), high(axis))), 0.0, last);
  return i >= 0 && i <= last ? static_cast<int64_t>(i) : -1;
}

// Neighbours of x along an axis that are no zeros, and their weights.
size_t GridSampler::neighbours(double x, size_t axis, int64_t* at, double* weights) const noexcept {
  const double base = std::floor(x), part = x - base;
  double given[4] = {1, 0, 0, 0}, first = base;
  size_t count = 1;
  if (mode == Mode::kLinear) {
    given[0] = 1 - part, given[1] = part;
    count = 2;
  } else if (mode == Mode::kCubic) {
    const auto weights_of_four = cubic_weights(part, kCubic);
    std::copy(weights_of_four.begin(), weights_of_four.end(), given);
    first = base - 1;
    count = 4;
  }
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    at[kept] = resolve(first + static_cast<double>(i), axis);
    weights[kept] = given[i];
    kept += at[kept] >= 0;
  }
  return kept;
}

size_t GridSampler::terms_at(const double* point, GridTerm* terms) const noexcept {
  const size_t rank = dims.size();
  size_t count = 1;
  terms[0] = {0, 1};
  for (size_t axis = 0; axis < rank; ++axis) {
    const double x = place(point[rank - 1 - axis], axis);
    if (!std::isfinite(x)) return 0;
    int64_t at[4];
    double weights[4];
    const size_t found = neighbours(x, axis, at, weights);
    // From the last on, so that no term is overwritten before it is read.
    for (size_t t = count; t-- > 0;) {
      const GridTerm term = terms[t];
      for (size_t i = found; i-- > 0;)
        terms[t * found + i] = {term.offset * dims[axis] + at[i], term.weight * weights[i]};
    }
    count *= found;
  }
  return count;
}

}  // namespace kiln
