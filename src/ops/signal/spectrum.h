// The discrete Fourier transform by its definition.
#pragma once
#include <cstdint>
#include <vector>

namespace kiln::ops {

struct Line {
  std::vector<double> re, im;
};

// Sum over n of x[n] * exp(sign * 2 pi i k n / N) for the first `count` k.
Line transformed(const Line& x, double sign, int64_t count);

}  // namespace kiln::ops
