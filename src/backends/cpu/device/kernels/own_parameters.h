// Parameters of kernels that only this device has.
#pragma once
#include "base/require.h"
#include "device/axis_parameters.h"
#include "device/pool_parameters.h"
#include "device/region_parameters.h"

namespace kiln::cpu::kernels {

struct SplitParameters {
  AxisParameters along = {};
  Ints sizes = {};  // of the parts, -1 of those that follow from the others
  template <class V> void fields(V& v) {
    v(along);
    v("sizes", sizes, -1);
  }
};

struct CompressParameters {
  int64_t axis = -1;  // negative: the flattened data
  template <class V> void fields(V& v) { v("axis", axis, -1, kMostAxis); }
};

// The dimensions [first, last) of the operand.
struct ShapeParameters {
  int64_t first = 0, last = 0;
  template <class V> void fields(V& v) {
    v("first", first, 0, kMostAxis + 1);
    v("last", last, 0, kMostAxis + 1);
  }
};

// Axes that follow each other.
struct ReduceAnyParameters {
  ReduceKind kind = ReduceKind::kSum;
  int64_t first = 0, count = 1;
  template <class V> void fields(V& v) {
    v("kind", kind, kReduceKindCount);
    v("first", first, 0, kMostAxis);
    v("count", count, 1, kMostAxis + 1);
  }
};

struct DftParameters {
  int64_t axis = 0;
  int64_t length = 0;  // 0: that of the input
  bool inverse = false, onesided = false;
  template <class V> void fields(V& v) {
    v("axis", axis, 0, kMostAxis);
    v("length", length, 0);
    v("inverse", inverse);
    v("onesided", onesided);
  }
};

struct ByteQuantizeParameters {
  double scale = 1;
  int32_t zero_point = 0;
  template <class V> void fields(V& v) {
    v("scale", scale);
    v("zero_point", zero_point, -128, 255);
  }
};

// Of maxima over three dimensions.
struct PoolVolumesParameters {
  SpatialWindow window = {};
  template <class V> void fields(V& v) { v(window); }
  void check() const {
    require(window.rank() == 3, Code::kMalformedPlan, "parameter 'kernel' has not three dimensions");
  }
};

// Operators whose other operands, known only when they run, say what the result's shape is.
struct LateShapeParameters {
  enum class What : uint8_t { kReshape, kExpand, kTile, kSlice, kPad, kResize };
  static constexpr std::string_view kWhat[] = {"reshape", "expand", "tile", "slice", "pad", "resize"};
  What what = What::kReshape;
  bool allowzero = false;                // of a reshape
  Padding padding = Padding::kConstant;  // of a pad
  ResampleParameters resample = {};      // of a resize
  template <class V> void fields(V& v) {
    v("what", what, kWhat);
    if (what == What::kReshape) v("allowzero", allowzero);
    if (what == What::kPad) v("mode", padding, kPaddings);
    if (what == What::kResize) v(resample);
  }
};

}  // namespace kiln::cpu::kernels
