// Shapes of results that broadcast their operands.
#include "ops/broadcasting.h"

#include <algorithm>

namespace kiln::ops {

Shape broadcast_shapes(const Shape& a, const Shape& b) {
  Shape result = broadcast(a, b);
  for (size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
    const Dim &x = a[a.size() - i], &y = b[b.size() - i];
    if (x == y || x.is_constant() || y.is_constant() || !has_run_time_symbol({x, y})) continue;
    result[result.size() - i] = max(x, y) * min(min(x, y), Dim(1));  // the larger one, unless one is 0
  }
  return result;
}

}  // namespace kiln::ops
