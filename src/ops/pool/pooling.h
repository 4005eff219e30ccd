// What the poolings share: their window, their shape rule, and what becomes of each window.
#pragma once
#include <functional>

#include "base/work.h"
#include "ops/conv/window.h"
#include "ops/reference_math.h"
#include "tensor/sliding_fold.h"

namespace kiln::ops {

Window pool_window(const ShapeCall& c);  // x [n,c,spatial...] and the window attributes
Shape pool_shape(const ShapeCall& c);
Shape global_pool_shape(const ShapeCall& c);  // [n,c,1,...]

// The window of a call whose shapes are known.
struct PoolPlan {
  explicit PoolPlan(const RefCall& c);
  Window window;
  Dims in, out;      // spatial sizes
  int64_t channels;  // n * c
  int64_t in_plane, out_plane;
  std::vector<SlidingAxis> axes;
};
// For every channel of `values` and every output, what join makes of the window's elements, `none` where there are none.
template <class T, class Join>
std::vector<T> fold_planes(const PoolPlan& plan, std::vector<T> values, const T& none, Join join) {
  Dims dims = plan.in;
  for (const size_t i : folding_order(plan.axes)) {
    const SlidingAxis& axis = plan.axes[i];
    const int64_t outer = plan.channels * product(dims, 0, i), inner = product(dims, i + 1, dims.size());
    std::vector<T> folded(static_cast<size_t>(outer * axis.out * inner)), scratch(static_cast<size_t>(2 * axis.in));
    for (int64_t line = 0; line < outer * inner; ++line) {
      count_rounds(axis.in + axis.out);
      const int64_t o = line / inner, at = line % inner;
      fold_windows(axis, values.data() + o * axis.in * inner + at, folded.data() + o * axis.out * inner + at, inner,
                   none, join, scratch.data());
    }
    dims[i] = axis.out;
    values = std::move(folded);
  }
  return values;
}
// The sums of the windows of `values`.
std::vector<double> sum_planes(const PoolPlan& plan, std::vector<double> values);

// Reduces each channel of x by `reduce(first, count)`.
void reduce_channels(RefCall& c, const std::function<double(const double*, int64_t)>& reduce);

}  // namespace kiln::ops
