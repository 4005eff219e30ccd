// Tactic: images of dequantized bytes resized by weights and quantized again, channels last.
#include <algorithm>

#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "target/region_parameters.h"

namespace kiln::cpu::tactics {
namespace {

constexpr TypeSet kBytesOfImages{DType::kI8, DType::kU8};
enum Place : int { kFromScale = 4, kToScale, kFromZero, kToZero };

Refusal accept_one(const Argument& a, const char* what) {
  if (!a.present || (a.constant && a.constant->size() == 1)) return accept();
  return refuse(std::string(what) + " is not one constant");
}

double one_of(const Problem& p, int input, double absent) {
  return p.input(input).present ? p.input(input).constant->at(0) : absent;
}

Refusal read_resize_bytes(const Problem& p, kernels::ResizeBytesParameters& to) {
  for (const Refusal& r :
       {accept_channels_last(p.input(0), "x", kBytesOfImages), accept_channels_last(p.outputs[0], "y", kBytesOfImages),
        accept_one(p.input(kFromScale), "x_scale"), accept_one(p.input(kToScale), "y_scale"),
        accept_one(p.input(kFromZero), "x_zero_point"), accept_one(p.input(kToZero), "y_zero_point")})
    if (r.refused()) return r;
  if (!p.post().empty()) return refuse("there are post-operations");
  if (const Refusal r = read_resize(p, to.resize); r.refused()) return r;
  const ResampleParameters& how = to.resize.resample;
  if (how.rule.mode == "nearest" || how.crops()) return refuse("it does not weigh what lies inside");
  if (!std::is_sorted(how.axes.begin(), how.axes.end()) || (!how.axes.empty() && how.axes[0] < 2))
    return refuse("it resizes channels, or columns before rows");
  to.x_scale = one_of(p, kFromScale, 1);
  to.y_scale = one_of(p, kToScale, 1);
  if (!(to.y_scale > 0)) return refuse("y_scale is not positive");
  to.x_zero = static_cast<int32_t>(one_of(p, kFromZero, 0));
  to.y_zero = static_cast<int32_t>(one_of(p, kToZero, 0));
  return accept();
}

}  // namespace

const Tactic resize_bytes{
    .name = "resize_bytes",
    .version = 1,
    .ops = {"QuantizedResize"},
    .accepts = [](const Problem& p) -> Refusal {
      kernels::ResizeBytesParameters ignored;
      return read_resize_bytes(p, ignored);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          kernels::ResizeBytesParameters to;
          (void)read_resize_bytes(p, to);
          return emit_kernel("resize_bytes", to, {0});
        },
};

}  // namespace kiln::cpu::tactics
