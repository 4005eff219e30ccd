// Parameters of the kernels of every device that compute along axes.
#pragma once
#include "device/movement_parameters.h"
#include "device/reduce_kind.h"

namespace kiln {

struct SoftmaxParameters {
  int64_t axis = 0;
  bool logarithm = false;
  template <class V> void fields(V& v) {
    v("axis", axis, 0, kMostAxis);
    v("logarithm", logarithm);
  }
};

// Of "row_norm": all axes from `axis` on are a row.
struct RowNormParameters {
  int64_t axis = 0;
  double epsilon = 1e-5;
  bool subtract_mean = true;
  template <class V> void fields(V& v) {
    v("axis", axis, 0, kMostAxis);
    v("epsilon", epsilon);
    v("subtract_mean", subtract_mean);
  }
};

struct GroupNormParameters {
  int64_t groups = 0;  // 0: one for each channel
  double epsilon = 1e-5;
  template <class V> void fields(V& v) {
    v("groups", groups, 0, INT32_MAX);
    v("epsilon", epsilon);
  }
};

struct ReduceParameters {
  ReduceKind kind = ReduceKind::kSum;
  Ints axes = {};
  template <class V> void fields(V& v) {
    v("kind", kind, kReduceKindCount);
    v("axes", axes, 0, kMostAxis);
  }
};

struct ArgExtremeParameters {
  int64_t axis = 0;
  bool largest = true;
  bool last = false;  // of several that are equal
  template <class V> void fields(V& v) {
    v("axis", axis, 0, kMostAxis);
    v("largest", largest);
    v("last", last);
  }
};

struct TopKParameters {
  int64_t axis = 0;
  bool largest = true;
  template <class V> void fields(V& v) {
    v("axis", axis, 0, kMostAxis);
    v("largest", largest);
  }
};

// Of running sums and products.
struct CumulativeParameters {
  bool product = false, exclusive = false, reverse = false;
  template <class V> void fields(V& v) {
    v("product", product);
    v("exclusive", exclusive);
    v("reverse", reverse);
  }
};

}  // namespace kiln
