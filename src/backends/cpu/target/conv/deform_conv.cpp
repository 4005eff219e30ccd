// Tactic: convolution with moved taps.
#include <algorithm>

#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

Ints values_of(const Problem& p, const char* attribute, size_t count, int64_t fallback) {
  const Ints values = p.attributes().ints(attribute, {});
  return values.size() == count ? values : Ints(count, fallback);
}

}  // namespace

const Tactic deform_conv{
    .name = "deform_conv",
    .version = 1,
    .ops = {"DeformConv"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_f32(p); r.refused()) return r;
      if (p.input(0).dtype != DType::kF32) return refuse("it computes in float32");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Ints pads = values_of(p, "pads", 4, 0);
          std::vector<int> inputs = all_inputs(p);
          inputs.resize(5, Emitted::kAbsent);
          kernels::DeformConvParameters to{.groups = p.attributes().integer("group", 1),
                                           .offset_groups = p.attributes().integer("offset_group", 1)};
          std::ranges::copy(values_of(p, "strides", 2, 1), to.strides);
          std::ranges::copy(values_of(p, "dilations", 2, 1), to.dilations);
          std::copy_n(pads.begin(), 2, to.pads);
          return emit_kernel("deform_conv", to, std::move(inputs));
        },
};

}  // namespace kiln::cpu::tactics
