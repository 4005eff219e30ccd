// What every recurrent layer asks of its kernel.
#pragma once
#include "backends/cpu/device/kernels/recurrent_parameters.h"
#include "target/target.h"

namespace kiln::cpu {

inline kernels::LayerParameters layer_parameters(const Problem& p) {
  return {.directions = p.input(1).opt[0],
          .hidden = p.input(2).opt[2],
          .input = p.input(1).opt[2],
          .reverse = p.attributes().text("direction", "forward") == "reverse",
          .batch_first = p.attributes().integer("layout", 0) != 0};
}

}  // namespace kiln::cpu
