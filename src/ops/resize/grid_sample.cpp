// GridSample: samples x [n,c,spatial...] at the points of grid [n,out...,rank], whose coordinates are in [-1, 1] and last dimension first.
#include <algorithm>
#include <cmath>

#include "ops/dim_checks.h"
#include "ops/numbers.h"
#include "ops/registry.h"
#include "tensor/sampling.h"

namespace kiln::ops {
namespace {

OutputShape grid_sample_shape(ShapeCall& c) {
  require_rank(c, "x", 3, INT64_MAX);
  require_rank(c, "grid", c.rank("x"));
  const Shape &x = c.dims("x"), &grid = c.dims("grid");
  require_same(x[0], grid[0], "batch of x and grid");
  require_same(grid.back(), Dim(c.rank("x") - 2), "coordinates of a grid point and spatial dimensions of x");
  Shape y{x[0], x[1]};
  y.insert(y.end(), grid.begin() + 1, grid.end() - 1);
  return y;
}

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

struct Sampler {
  std::string mode, padding;
  bool corners;
  Dims dims;  // spatial

  double low() const { return corners ? 0 : -0.5; }
  double high(size_t axis) const { return static_cast<double>(dims[axis]) - (corners ? 1 : 0.5); }

  double place(double normalized, size_t axis) const {
    const auto length = static_cast<double>(dims[axis]);
    double x = corners ? (normalized + 1) / 2 * (length - 1) : ((normalized + 1) * length - 1) / 2;
    if (mode == "nearest") x = std::nearbyint(x);
    if (x >= low() && x <= high(axis)) return x;
    if (padding == "border") return std::clamp(x, 0.0, length - 1);
    return padding == "reflection" ? reflect(x, low(), high(axis)) : x;
  }

  // The element that stands for index i; -1 for a zero.
  int64_t resolve(double i, size_t axis) const {
    const auto last = static_cast<double>(dims[axis] - 1);
    if (padding == "border") i = std::clamp(i, 0.0, last);
    else if (padding == "reflection") i = std::clamp(std::trunc(reflect(i, low(), high(axis))), 0.0, last);
    return i >= 0 && i <= last ? static_cast<int64_t>(i) : -1;
  }

  // Neighbours of x along an axis, and their weights.
  void neighbours(double x, size_t axis, std::vector<int64_t>& at, std::vector<double>& weights) const {
    const double base = std::floor(x);
    double first = base;
    if (mode == "nearest") weights = {1};
    else if (mode == "linear") weights = {1 - (x - base), x - base};
    else first = base - 1, weights = cubic_weights(x - base, -0.75);
    at.clear();
    for (size_t i = 0; i < weights.size(); ++i) at.push_back(resolve(first + static_cast<double>(i), axis));
  }
};

// Element offsets and weights of one grid point in a plane of x; zeros are left out.
struct Term {
  int64_t offset;
  double weight;
};

std::vector<Term> terms_at(const Sampler& sampler, const double* point) {
  const size_t rank = sampler.dims.size();
  std::vector<Term> terms{{0, 1}};
  std::vector<int64_t> at;
  std::vector<double> weights;
  for (size_t axis = 0; axis < rank; ++axis) {
    const double x = sampler.place(point[rank - 1 - axis], axis);
    if (!std::isfinite(x)) return {};
    sampler.neighbours(x, axis, at, weights);
    std::vector<Term> next;
    for (const Term& term : terms)
      for (size_t i = 0; i < at.size(); ++i)
        if (at[i] >= 0) next.push_back({term.offset * sampler.dims[axis] + at[i], term.weight * weights[i]});
    terms = std::move(next);
  }
  return terms;
}

void grid_sample_reference(RefCall& c) {
  const Dims& x_dims = c.input("x").dims();
  const Sampler sampler{c.text("mode"), c.text("padding_mode"), c.integer("align_corners") != 0,
                        Dims(x_dims.begin() + 2, x_dims.end())};
  if (c.output().size() == 0) return;
  const std::vector<double> x = doubles(c.input("x")), grid = doubles(c.input("grid"));
  const int64_t rank = c.input("x").rank() - 2, plane = element_count(sampler.dims),
                points = c.output().size() / (x_dims[0] * x_dims[1]);
  if (plane == 0) throw Error(Code::kShapeMismatch, "GridSample of an empty plane");
  std::vector<double> y(static_cast<size_t>(c.output().size()), 0.0);
  for (int64_t n = 0; n < x_dims[0]; ++n)
    for (int64_t p = 0; p < points; ++p) {
      const std::vector<Term> terms = terms_at(sampler, grid.data() + (n * points + p) * rank);
      for (int64_t k = 0; k < x_dims[1]; ++k)
        for (const Term& term : terms)
          y[static_cast<size_t>((n * x_dims[1] + k) * points + p)] +=
              term.weight * x[static_cast<size_t>((n * x_dims[1] + k) * plane + term.offset)];
    }
  round_to_type(y, c.output().dtype());
  store(c.output(), y);
}

void check_modes(const ShapeCall& c) {
  const std::string mode = c.text("mode"), padding = c.text("padding_mode");
  if (mode != "nearest" && mode != "linear" && mode != "cubic")
    throw Error(Code::kInvalidArgument, "GridSample mode '" + mode + "' is unknown");
  if (padding != "zeros" && padding != "border" && padding != "reflection")
    throw Error(Code::kInvalidArgument, "padding_mode '" + padding + "' is unknown");
}

}  // namespace

const OpDef grid_sample = op("GridSample")
                              .input("x", kNumericTypes | kBoolType)
                              .input("grid", kFloatTypes)
                              .attr("align_corners", int64_t{0})
                              .attr("mode", std::string("linear"))
                              .attr("padding_mode", std::string("zeros"))
                              .output("y", same_type("x"))
                              .shape([](ShapeCall& c) {
                                check_modes(c);
                                return grid_sample_shape(c);
                              })
                              .reference(grid_sample_reference)
                              .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
