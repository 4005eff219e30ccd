// DFT: the discrete Fourier transform along an axis of [..., 1] real or [..., 2] complex numbers. onesided: only the first half of the
// result; of the inverse, the input is such a half and the result is real.
#include <cmath>
#include <numbers>

#include "base/index.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"
#include "ops/signal/spectrum.h"

namespace kiln::ops {

Line transformed(const Line& x, double sign, int64_t count) {
  const auto n = static_cast<int64_t>(x.re.size());
  std::vector<double> cosine(x.re.size()), sine(x.re.size());
  for (int64_t i = 0; i < n; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
    nth(cosine, i) = std::cos(angle);
    nth(sine, i) = sign * std::sin(angle);
  }
  Line y{std::vector<double>(static_cast<size_t>(count)), std::vector<double>(static_cast<size_t>(count))};
  for (int64_t k = 0; k < count; ++k) {
    poll_work(n);
    for (int64_t i = 0, at = 0; i < n; ++i, at = (at + k) % n) {
      const auto s = static_cast<size_t>(i), t = static_cast<size_t>(at), o = static_cast<size_t>(k);
      y.re[o] += x.re[s] * cosine[t] - x.im[s] * sine[t];
      y.im[o] += x.re[s] * sine[t] + x.im[s] * cosine[t];
    }
  }
  return y;
}

namespace {

std::optional<int64_t> axis_of(const ShapeCall& c) {
  const auto given = c.present("axis") ? c.int_values("axis") : Ints{-2};
  if (!given || given->size() != 1) return std::nullopt;
  const int64_t axis = normalize_axis(given->front(), c.rank("input"));
  if (axis == c.rank("input") - 1)
    throw Error(Code::kInvalidArgument, "DFT along the axis of real and imaginary parts").remedy("name another axis");
  return axis;
}

OutputShape dft_shape(ShapeCall& c) {
  require_rank(c, "input", 2, INT64_MAX);
  Shape y = c.dims("input");
  const bool half = c.integer("onesided") != 0, inverse = c.integer("inverse") != 0;
  if (y.back().is_constant() && y.back().value() != 1 && y.back().value() != 2)
    throw Error(Code::kShapeMismatch, "DFT of numbers with " + y.back().str() + " parts");
  y.back() = Dim(half && inverse ? 1 : 2);
  const auto axis = axis_of(c);
  if (!axis) return c.unknown_shape(0, c.rank("input"));
  Dim& d = nth(y, *axis);
  Dim length = half && inverse ? (d - Dim(1)) * Dim(2) : d;
  if (c.present("dft_length")) {
    const auto given = c.elements("dft_length");
    if (!given || given->size() != 1) {
      d = c.unknown_dim(0, static_cast<int>(*axis));
      return y;
    }
    length = given->front();
  }
  d = half && !inverse ? floor_div(length, 2) + Dim(1) : length;
  return y;
}

void dft_reference(RefCall& c) {
  const Tensor& input = c.input("input");
  const Dims& dims = input.dims();
  const auto axis = static_cast<size_t>(axis_of(c.shapes()).value_or(0));
  const bool half = c.integer("onesided") != 0, inverse = c.integer("inverse") != 0, mirrors = half && inverse;
  const int64_t given = dims[axis];
  const int64_t length = c.present("dft_length") ? c.input("dft_length").int_at(0) : mirrors ? 2 * (given - 1) : given;
  if (length < 1) throw Error(Code::kInvalidArgument, "DFT of length " + std::to_string(length));
  Dims out = dims;
  out.back() = mirrors ? 1 : 2;
  out[axis] = half && !inverse ? length / 2 + 1 : length;
  const int64_t parts = dims.back(), outer = product(dims, 0, axis), inner = product(dims, axis + 1, dims.size() - 1);
  const std::vector<double> x = doubles(input);
  std::vector<double> y(static_cast<size_t>(element_count(out)));
  for (int64_t line = 0; line < outer * inner; ++line) {
    const int64_t o = line / inner, i = line % inner;
    Line in{std::vector<double>(static_cast<size_t>(length)), std::vector<double>(static_cast<size_t>(length))};
    for (int64_t t = 0; t < std::min(given, mirrors ? length / 2 + 1 : length); ++t) {
      const auto from = static_cast<size_t>(((o * given + t) * inner + i) * parts), at = static_cast<size_t>(t);
      in.re[at] = x[from];
      in.im[at] = parts == 2 ? x[from + 1] : 0;
    }
    if (mirrors) {
      // Of a real signal the second half is the conjugate of the first; what has no partner is real.
      in.im[0] = 0;
      if (length % 2 == 0) nth(in.im, length / 2) = 0;
      for (int64_t t = length / 2 + 1; t < length; ++t) {
        nth(in.re, t) = nth(in.re, length - t);
        nth(in.im, t) = -nth(in.im, length - t);
      }
    }
    const Line result = transformed(in, inverse ? 1 : -1, out[axis]);
    const double factor = inverse ? 1 / static_cast<double>(length) : 1;
    for (int64_t t = 0; t < out[axis]; ++t) {
      const auto to = static_cast<size_t>(((o * out[axis] + t) * inner + i) * out.back()), at = static_cast<size_t>(t);
      y[to] = result.re[at] * factor;
      if (!mirrors) y[to + 1] = result.im[at] * factor;
    }
  }
  Tensor result = Tensor::allocate(input.dtype(), out);
  store(result, y);
  c.set_output(0, std::move(result));
}

}  // namespace

const OpDef dft = op("DFT")
                      .input("input", kFloatTypes)
                      .optional_input("dft_length", kIndexTypes)
                      .optional_input("axis", kIndexTypes)
                      .attr("inverse", int64_t{0})
                      .attr("onesided", int64_t{0})
                      .output("output", same_type("input"))
                      .shape(dft_shape)
                      .reference(dft_reference)
                      .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
