// Sampling of a plane at points of a grid: which elements a point takes, with which weights.
#pragma once
#include <cstdint>
#include <string_view>

#include "tensor/shape.h"

namespace kiln {

// Element of a plane in row-major order, and its weight.
struct GridTerm {
  int64_t offset;
  double weight;
};

struct GridSampler {
  enum class Mode : uint8_t { kNearest, kLinear, kCubic };
  enum class Padding : uint8_t { kZeros, kBorder, kReflection };
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool corners = false;  // -1 and 1 are the centres of the outer elements, not their edges
  Dims dims;             // of the plane; none is 0

  // Throws Error(kInvalidArgument) for names that ONNX does not have.
  static GridSampler named(std::string_view mode, std::string_view padding, bool corners, Dims dims);
  // Terms of one point, whose coordinates lie in [-1, 1], last dimension first; zeros are left out. `terms` has room for 4 to the
  // power of the rank. Returns how many there are.
  size_t terms_at(const double* point, GridTerm* terms) const noexcept;

 private:
  double low() const { return corners ? 0 : -0.5; }
  double high(size_t axis) const { return static_cast<double>(dims[axis]) - (corners ? 1 : 0.5); }
  double place(double normalized, size_t axis) const noexcept;
  int64_t resolve(double i, size_t axis) const noexcept;
  size_t neighbours(double x, size_t axis, int64_t* at, double* weights) const noexcept;
};

}  // namespace kiln
