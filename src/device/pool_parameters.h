// Parameters of the kernels "pool" of every device.
#pragma once
#include "device/parameters.h"

namespace kiln {

// Numbers are stored in engine files: append only.
enum class Pooling : uint8_t { kMaximum, kMean, kMeanWithPadding };

struct PoolParameters {
  Pooling kind = Pooling::kMaximum;
  SlidingWindow window = {};
  template <class V> void fields(V& v) {
    v("kind", kind, static_cast<int>(Pooling::kMeanWithPadding) + 1);
    v(window);
  }
};

}  // namespace kiln
