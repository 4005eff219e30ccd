// Parameters of the kernels "pool" and "pool_any" of every device.
#pragma once
#include "device/parameters.h"
#include "device/spatial_window.h"

namespace kiln {

// Numbers are stored in engine files: append only.
enum class Pooling : uint8_t { kMaximum, kMean, kMeanWithPadding, kNorm };

// Of "pool", which makes no norms.
struct PoolParameters {
  Pooling kind = Pooling::kMaximum;
  SlidingWindow window = {};
  template <class V> void fields(V& v) {
    v("kind", kind, static_cast<int>(Pooling::kMeanWithPadding) + 1);
    v(window);
  }
};

struct PoolAnyParameters {
  Pooling kind = Pooling::kMaximum;
  int64_t p = 2;              // of the norm
  bool column_major = false;  // of the positions of maxima
  SpatialWindow window = {};
  template <class V> void fields(V& v) {
    v("kind", kind, static_cast<int>(Pooling::kNorm) + 1);
    v("p", p, 1);
    v("column_major", column_major);
    v(window);
  }
};

}  // namespace kiln
