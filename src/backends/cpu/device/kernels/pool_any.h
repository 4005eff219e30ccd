// Parameters of the kernel "pool_any".
#pragma once
#include "backends/cpu/device/kernels/spatial_window.h"

namespace kiln::cpu::kernels {

struct PoolAnyParameters {
  enum class Kind : uint8_t { kMax, kMean, kMeanWithPadding, kNorm };
  Kind kind = Kind::kMax;
  int64_t p = 2;              // of the norm
  bool column_major = false;  // of the positions of maxima
  SpatialWindow window = {};
  template <class V> void fields(V& v) {
    v("kind", kind, static_cast<int>(Kind::kNorm) + 1);
    v("p", p, 1);
    v("column_major", column_major);
    v(window);
  }
};

}  // namespace kiln::cpu::kernels
