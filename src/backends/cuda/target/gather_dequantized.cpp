// Tactic: slices of a constant table of integers of 2, 4 or 8 bits, dequantized as they are taken.
#include "target/gather_dequantized.h"

#include "backends/cuda/device/cu/gather_dequantized.h"
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {

const Tactic gather_dequantized{
    .name = "gather_dequantized",
    .version = 1,
    .ops = {"GatherDequantized"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = accept_gather_dequantized(p); r.refused()) return r;
      const Dims& dims = p.input(0).constant->dims();
      if (dims.size() > kMaxAxes) return refuse("the table has more than eight axes");
      return *std::max_element(dims.begin(), dims.end()) <= INT32_MAX ? accept()
                                                                      : refuse("an axis of the table is too long");
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Emitted e = emit_kernel("gather_dequantized", {}, {});
          emit_gather_dequantized(p, e);
          return e;
        },
};

}  // namespace kiln::cuda::tactics
