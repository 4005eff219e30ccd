// What the poolings share: their window, their shape rule, and the walk over all channels.
#pragma once
#include <functional>

#include "base/work.h"
#include "ops/conv/window.h"

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
  Taps taps;
};
// For every channel and every pair (element of the window, output): visit(input position, output position), both in the whole tensor.
template <class Visit> void for_each_tap(const PoolPlan& plan, Visit visit) {
  for (int64_t k = 0; k < plan.channels; ++k)
    for (const Tap& tap : plan.taps.taps)
      for (const Tap::Row& row : tap.rows) {
        poll_work();
        for (int64_t i = 0; i < row.count; ++i)
          visit(static_cast<size_t>(k * plan.in_plane + row.big + i * plan.taps.step),
                static_cast<size_t>(k * plan.out_plane + row.small + i));
      }
}

// Reduces each channel of x by `reduce(first, count)`.
void reduce_channels(RefCall& c, const std::function<double(const double*, int64_t)>& reduce);

}  // namespace kiln::ops
