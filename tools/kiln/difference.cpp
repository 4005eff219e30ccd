// How far two tensors are from each other.
#include "difference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "command.h"

namespace kiln::tool {
namespace {

std::vector<int64_t> position(int64_t at, const std::vector<int64_t>& dims) {
  std::vector<int64_t> index(dims.size());
  for (size_t d = dims.size(); d-- > 0;) {
    index[d] = at % dims[d];
    at /= dims[d];
  }
  return index;
}

}  // namespace

bool is_float(const std::string& type) { return type.find("float") != std::string::npos; }

double largest_element(const api::HostTensor& tensor) {
  double largest = 0;
  for (int64_t i = 0; i < api::element_count(tensor); ++i)
    if (const double v = std::abs(api::element(tensor, i)); std::isfinite(v)) largest = std::max(largest, v);
  return largest;
}

Difference difference(const api::HostTensor& got, const api::HostTensor& want, const Tolerance& tolerance) {
  if (got.type == want.type && got.dims == want.dims) return difference_of_values(got, want, tolerance);
  Difference d;
  d.agree = false;
  d.mismatch = "is " + got.type + " " + shape_text(got.dims) + ", expected " + want.type + " " + shape_text(want.dims);
  d.atol = d.ratio = INFINITY;
  return d;
}

Difference difference_of_values(const api::HostTensor& got, const api::HostTensor& want, const Tolerance& tolerance) {
  Difference d;
  d.count = api::element_count(want);
  const double largest = std::max(largest_element(want), tolerance.least_scale), scale = largest > 0 ? largest : 1;
  const double atol = tolerance.quantum + tolerance.atol * scale;
  int64_t worst = -1;
  for (int64_t i = 0; i < d.count; ++i) {
    const double g = api::element(got, i), w = api::element(want, i);
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    const double error = std::isfinite(g) && std::isfinite(w) ? std::abs(g - w) : INFINITY;
    const double allowed = atol + tolerance.rtol * std::abs(w);
    const double ratio = allowed > 0 && std::isfinite(error) ? error / allowed : INFINITY;
    d.bad += ratio > 1;
    d.atol = std::isfinite(error) ? std::max(d.atol, (error - tolerance.quantum - tolerance.rtol * std::abs(w)) / scale)
                                  : INFINITY;
    if (worst >= 0 && !(ratio > d.ratio)) continue;
    worst = i;
    d.got = g;
    d.want = w;
    d.absolute = error;
    d.relative = w == 0 ? INFINITY : error / std::abs(w);
    d.ratio = ratio;
  }
  if (worst >= 0) d.index = position(worst, want.dims);
  d.agree = d.bad == 0;
  return d;
}

std::string Difference::text() const {
  if (!mismatch.empty()) return mismatch;
  const std::string worst =
      fmt::format("worst at [{}]: {:.8g}, expected {:.8g}, absolute error {:.3g}, relative {:.3g}",
                  fmt::join(index, ","), got, want, absolute, relative);
  if (!agree) return fmt::format("{} of {} elements differ; {}", bad, count, worst);
  return ratio == 0 ? "agrees exactly" : "agrees; " + worst;
}

}  // namespace kiln::tool
