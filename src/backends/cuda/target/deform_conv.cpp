// Tactic: convolutions with moved taps.
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"

namespace kiln::cuda::tactics {
namespace {

Ints numbers_of(const Problem& p, const char* attribute, size_t count, int64_t fallback) {
  const Ints values = p.attributes().ints(attribute, {});
  return values.size() == count ? values : Ints(count, fallback);
}

}  // namespace

const Tactic deform_conv{
    .name = "deform_conv",
    .version = 1,
    .ops = {"DeformConv"},
    .accepts = [](const Problem& p) -> Refusal { return needs_one_float(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Ints pads = numbers_of(p, "pads", 4, 0);
          std::vector<int> inputs = all_inputs(p);
          inputs.resize(5, Emitted::kAbsent);
          return emit_kernel("deform_conv",
                             {{"groups", p.attributes().integer("group", 1)},
                              {"offset_groups", p.attributes().integer("offset_group", 1)},
                              {"strides", numbers_of(p, "strides", 2, 1)},
                              {"dilations", numbers_of(p, "dilations", 2, 1)},
                              {"pads", Ints{pads[0], pads[1]}}},
                             std::move(inputs));
        },
};

}  // namespace kiln::cuda::tactics
