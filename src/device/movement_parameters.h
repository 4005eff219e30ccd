// Parameters of the kernels of every device that move elements.
#pragma once
#include "device/parameter_fields.h"
#include "tensor/shape.h"

namespace kiln {

inline constexpr int64_t kMostAxis = static_cast<int64_t>(kMostRank) - 1;

// Of "gather", "gather_elements", "concat" and others that know no more than an axis.
struct AxisParameters {
  int64_t axis = 0;
  template <class V> void fields(V& v) { v("axis", axis, 0, kMostAxis); }
};

// Of "gather_nd".
struct GatherNdParameters {
  int64_t batch_axes = 0;
  template <class V> void fields(V& v) { v("batch_axes", batch_axes, 0, kMostAxis); }
};

// How updates join the elements of "scatter_elements" and "scatter_nd".
enum class Scattering : uint8_t { kReplace, kAdd, kMultiply, kMaximum, kMinimum };
inline constexpr std::string_view kScatterings[] = {"none", "add", "mul", "max", "min"};

struct ScatterNdParameters {
  Scattering reduction = Scattering::kReplace;
  template <class V> void fields(V& v) { v("reduction", reduction, kScatterings); }
};
struct ScatterElementsParameters {
  int64_t axis = 0;
  Scattering reduction = Scattering::kReplace;
  template <class V> void fields(V& v) {
    v("axis", axis, 0, kMostAxis);
    v("reduction", reduction, kScatterings);
  }
};

// Of "pad": elements before each axis, fewer than none where it cuts.
enum class Padding : uint8_t { kConstant, kEdge, kReflect, kWrap };
inline constexpr std::string_view kPaddings[] = {"constant", "edge", "reflect", "wrap"};

struct PadParameters {
  static constexpr int64_t kMost = int64_t{1} << 40;
  Padding mode = Padding::kConstant;
  Ints before = {};
  template <class V> void fields(V& v) {
    v("mode", mode, kPaddings);
    v("before", before, -kMost, kMost);
  }
};

// Of "eye".
struct EyeParameters {
  int64_t k = 0;  // which diagonal
  template <class V> void fields(V& v) { v("k", k); }
};

struct TriluParameters {
  bool upper = true;
  template <class V> void fields(V& v) { v("upper", upper); }
};

struct ReverseSequenceParameters {
  bool time_first = true;  // the axes are time, batch and not batch, time
  template <class V> void fields(V& v) { v("time_first", time_first); }
};

}  // namespace kiln
