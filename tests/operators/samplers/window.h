// Attributes of sliding windows.
#pragma once
#include "operators/sample.h"

namespace kiln::operators {

// strides, dilations and one of pads and auto_pad, each left out now and then.
inline void draw_window(Draw& draw, Sample& sample, const Ints& kernel, bool has_auto_pad = true) {
  const size_t rank = kernel.size();
  Ints strides(rank), dilations(rank, 1), pads(2 * rank);
  for (int64_t& s : strides) s = draw.integer(1, 3);
  if (draw.chance(0.5)) sample.set("strides", strides);
  if (draw.chance(0.3)) {
    for (int64_t& d : dilations) d = draw.integer(1, 3);
    sample.set("dilations", dilations);
  }
  for (size_t i = 0; i < 2 * rank; ++i) pads[i] = draw.integer(0, (kernel[i % rank] - 1) * dilations[i % rank]);
  if (draw.chance(0.6)) sample.set("pads", pads);
  else if (has_auto_pad && draw.chance(0.6))
    sample.set("auto_pad", draw.word({"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}));
}

// Spatial dimensions and a kernel that mostly fits.
struct WindowDims {
  Ints spatial, kernel;
  WindowDims(Draw& draw, int64_t rank) {
    const int64_t most = rank == 1 ? 40 : rank == 2 ? 17 : 7;
    for (int64_t i = 0; i < rank; ++i) {
      spatial.push_back(std::min(draw.size() + draw.integer(0, 4), most));
      kernel.push_back(draw.chance(0.4) ? 3 : draw.integer(1, 5));
    }
  }
};

}  // namespace kiln::operators
