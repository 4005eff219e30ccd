// LRN: x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta.
#include <algorithm>
#include <cmath>

#include "base/index.h"
#include "base/work.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

void lrn_reference(RefCall& c) {
  const Dims& dims = c.input("x").dims();
  const int64_t size = c.integer("size"), channels = dims[1], plane = product(dims, 2, dims.size());
  const double factor = c.real("alpha") / static_cast<double>(size);
  const std::vector<double> x = doubles(c.input("x"));
  std::vector<double> y(x.size());
  for (int64_t n = 0; n < dims[0]; ++n)
    for (int64_t k = 0; k < channels; ++k) {
      const int64_t first = std::max<int64_t>(0, k - (size - 1) / 2), last = std::min(channels - 1, k + size / 2);
      for (int64_t i = 0; i < plane; ++i) {
        poll_work(last - first);
        double squares = 0;
        for (int64_t j = first; j <= last; ++j) {
          const double v = nth(x, (n * channels + j) * plane + i);
          squares += v * v;
        }
        const auto at = static_cast<size_t>((n * channels + k) * plane + i);
        y[at] = x[at] / std::pow(c.real("bias") + factor * squares, c.real("beta"));
      }
    }
  store(c.output(), y);
}

}  // namespace

const OpDef lrn = op("LRN")
                      .input("x", kFloatTypes)
                      .attr("alpha", 1e-4)
                      .attr("beta", 0.75)
                      .attr("bias", 1.0)
                      .required_attr("size", int64_t{1})
                      .output("y", same_type("x"))
                      .shape([](ShapeCall& c) -> OutputShape {
                        require_rank(c, "x", 2, INT64_MAX);
                        if (c.integer("size") < 1)
                          throw Error(Code::kInvalidArgument, "LRN has size " + std::to_string(c.integer("size")));
                        return c.dims("x");
                      })
                      .reference(lrn_reference)
                      .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
