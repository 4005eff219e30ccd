// Discrete Fourier transforms of any length.
#include "backends/cpu/device/compute/fft.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "base/index.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kLargestRadix = 31;  // larger prime factors go through Bluestein's algorithm

// The factors of n, fours first; empty when one is too large.
std::vector<int64_t> radices(int64_t n) {
  std::vector<int64_t> list;
  for (int64_t radix : {int64_t{4}, int64_t{2}})
    for (; n % radix == 0; n /= radix) list.push_back(radix);
  for (int64_t radix = 3; radix <= kLargestRadix; radix += 2)
    for (; n % radix == 0; n /= radix) list.push_back(radix);
  if (n != 1) list.clear();
  return list;
}

bool needs_chirp(int64_t n) { return n > 1 && radices(n).empty(); }

int64_t chirp_length(int64_t n) { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(2 * n - 1))); }

// exp(2 pi i * numerator / denominator) and its imaginary part.
void put_root(double sign, int64_t numerator, int64_t denominator, double& re, double& im) {
  const double angle = 2 * std::numbers::pi * static_cast<double>(numerator) / static_cast<double>(denominator);
  re = std::cos(angle);
  im = sign * std::sin(angle);
}

}  // namespace

int64_t Fft::scratch_elements(int64_t n, int64_t lines) {
  if (!needs_chirp(n)) return 2 * n * lines;
  return 4 * chirp_length(n) * lines;
}

Fft::Fft(int64_t n, bool inverse) : n_(n), sign_(inverse ? 1 : -1) {
  if (needs_chirp(n)) {
    make_chirp();
    return;
  }
  int64_t length = n;
  for (int64_t radix : radices(n)) {
    Stage s;
    s.radix = radix;
    s.rest = length / radix;
    s.turn_re.resize(static_cast<size_t>(length));
    s.turn_im.resize(static_cast<size_t>(length));
    for (int64_t p = 0; p < s.rest; ++p)
      for (int64_t j = 0; j < radix; ++j) {
        const auto at = static_cast<size_t>(p * radix + j);
        put_root(sign_, p * j % length, length, s.turn_re[at], s.turn_im[at]);
      }
    s.root_re.resize(static_cast<size_t>(radix));
    s.root_im.resize(static_cast<size_t>(radix));
    for (int64_t j = 0; j < radix; ++j) put_root(sign_, j, radix, nth(s.root_re, j), nth(s.root_im, j));
    length = s.rest;
    stages_.push_back(std::move(s));
  }
}

void Fft::make_chirp() {
  chirp_ = std::make_unique<Chirp>();
  const int64_t m = chirp_length(n_);
  chirp_->forward = std::make_unique<Fft>(m, false);
  chirp_->backward = std::make_unique<Fft>(m, true);
  chirp_->re.resize(static_cast<size_t>(n_));
  chirp_->im.resize(static_cast<size_t>(n_));
  chirp_->filter_re.assign(static_cast<size_t>(m), 0);
  chirp_->filter_im.assign(static_cast<size_t>(m), 0);
  int64_t square = 0;  // t^2 modulo 2 n
  for (int64_t t = 0; t < n_; ++t) {
    const auto at = static_cast<size_t>(t);
    put_root(sign_, square, 2 * n_, chirp_->re[at], chirp_->im[at]);
    for (const auto place : {at, static_cast<size_t>(t == 0 ? 0 : m - t)}) {
      chirp_->filter_re[place] = chirp_->re[at] / static_cast<double>(m);
      chirp_->filter_im[place] = -chirp_->im[at] / static_cast<double>(m);
    }
    square = (square + 2 * t + 1) % (2 * n_);
  }
  std::vector<double> scratch(static_cast<size_t>(scratch_elements(m, 1)));
  chirp_->forward->run(chirp_->filter_re.data(), chirp_->filter_im.data(), scratch.data(), 1);
}

// Of `stride` interleaved transforms; element k of each radix group comes from the k-th part of the input.
void Fft::run_stage(const Stage& s, const double* re, const double* im, double* to_re, double* to_im,
                    int64_t stride) const noexcept {
  const int64_t radix = s.radix, part = s.rest * stride;
  const double quarter = sign_;
  for (int64_t p = 0; p < s.rest; ++p) {
    const double *wr = s.turn_re.data() + p * radix, *wi = s.turn_im.data() + p * radix;
    const double *xr = re + p * stride, *xi = im + p * stride;
    double *yr = to_re + p * radix * stride, *yi = to_im + p * radix * stride;
    if (radix == 4) {
      for (int64_t q = 0; q < stride; ++q) {
        const double ar = xr[q], br = xr[q + part], cr = xr[q + 2 * part], dr = xr[q + 3 * part];
        const double ai = xi[q], bi = xi[q + part], ci = xi[q + 2 * part], di = xi[q + 3 * part];
        const double sr = ar + cr, si = ai + ci, tr = br + dr, ti = bi + di;
        const double ur = ar - cr, ui = ai - ci, vr = -quarter * (bi - di), vi = quarter * (br - dr);
        const double r1 = ur + vr, i1 = ui + vi, r2 = sr - tr, i2 = si - ti, r3 = ur - vr, i3 = ui - vi;
        yr[q] = sr + tr, yi[q] = si + ti;
        yr[q + stride] = r1 * wr[1] - i1 * wi[1], yi[q + stride] = r1 * wi[1] + i1 * wr[1];
        yr[q + 2 * stride] = r2 * wr[2] - i2 * wi[2], yi[q + 2 * stride] = r2 * wi[2] + i2 * wr[2];
        yr[q + 3 * stride] = r3 * wr[3] - i3 * wi[3], yi[q + 3 * stride] = r3 * wi[3] + i3 * wr[3];
      }
    } else if (radix == 2) {
      for (int64_t q = 0; q < stride; ++q) {
        const double ar = xr[q], br = xr[q + part], ai = xi[q], bi = xi[q + part];
        const double dr = ar - br, di = ai - bi;
        yr[q] = ar + br, yi[q] = ai + bi;
        yr[q + stride] = dr * wr[1] - di * wi[1], yi[q + stride] = dr * wi[1] + di * wr[1];
      }
    } else {
      for (int64_t j = 0; j < radix; ++j) {
        double *jr = yr + j * stride, *ji = yi + j * stride;
        for (int64_t q = 0; q < stride; ++q) jr[q] = xr[q], ji[q] = xi[q];
        for (int64_t k = 1; k < radix; ++k) {
          const auto root = static_cast<size_t>(j * k % radix);
          const double cr = s.root_re[root], ci = s.root_im[root];
          const double *kr = xr + k * part, *ki = xi + k * part;
          for (int64_t q = 0; q < stride; ++q) {
            jr[q] += kr[q] * cr - ki[q] * ci;
            ji[q] += kr[q] * ci + ki[q] * cr;
          }
        }
        for (int64_t q = 0; q < stride; ++q) {
          const double r = jr[q], i = ji[q];
          jr[q] = r * wr[j] - i * wi[j], ji[q] = r * wi[j] + i * wr[j];
        }
      }
    }
  }
}

void Fft::run_chirp(double* re, double* im, double* scratch, int64_t lines) const noexcept {
  const int64_t m = chirp_length(n_);
  double *wide_re = scratch, *wide_im = scratch + m * lines, *rest = scratch + 2 * m * lines;
  std::fill(wide_re, wide_re + 2 * m * lines, 0.0);
  for (int64_t t = 0; t < n_; ++t) {
    const double cr = nth(chirp_->re, t), ci = nth(chirp_->im, t);
    for (int64_t q = t * lines; q < (t + 1) * lines; ++q) {
      wide_re[q] = re[q] * cr - im[q] * ci;
      wide_im[q] = re[q] * ci + im[q] * cr;
    }
  }
  chirp_->forward->run(wide_re, wide_im, rest, lines);
  for (int64_t t = 0; t < m; ++t) {
    const double fr = nth(chirp_->filter_re, t), fi = nth(chirp_->filter_im, t);
    for (int64_t q = t * lines; q < (t + 1) * lines; ++q) {
      const double r = wide_re[q], i = wide_im[q];
      wide_re[q] = r * fr - i * fi, wide_im[q] = r * fi + i * fr;
    }
  }
  chirp_->backward->run(wide_re, wide_im, rest, lines);
  for (int64_t t = 0; t < n_; ++t) {
    const double cr = nth(chirp_->re, t), ci = nth(chirp_->im, t);
    for (int64_t q = t * lines; q < (t + 1) * lines; ++q) {
      re[q] = wide_re[q] * cr - wide_im[q] * ci;
      im[q] = wide_re[q] * ci + wide_im[q] * cr;
    }
  }
}

void Fft::run(double* re, double* im, double* scratch, int64_t lines) const noexcept {
  if (chirp_) return run_chirp(re, im, scratch, lines);
  double *from_re = re, *from_im = im, *to_re = scratch, *to_im = scratch + n_ * lines;
  int64_t stride = lines;
  for (const Stage& s : stages_) {
    run_stage(s, from_re, from_im, to_re, to_im, stride);
    std::swap(from_re, to_re);
    std::swap(from_im, to_im);
    stride *= s.radix;
  }
  if (from_re == re) return;
  std::copy_n(from_re, n_ * lines, re);
  std::copy_n(from_im, n_ * lines, im);
}

}  // namespace kiln::cpu
