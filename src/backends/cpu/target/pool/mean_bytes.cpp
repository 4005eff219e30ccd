// Tactic: means of windows of dequantized bytes, quantized again, channels last.
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "target/pool_parameters.h"

namespace kiln::cpu::tactics {
namespace {

constexpr TypeSet kBytes{DType::kI8, DType::kU8};
constexpr int kXScale = 1, kYScale = 2, kXZero = 3, kYZero = 4, kFactor = 5;  // inputs

Refusal accept_number(const Argument& a, const char* what) {
  if (!a.present || (a.constant && a.constant->size() == 1)) return accept();
  return refuse(std::string(what) + " is not one constant");
}

double number(const Problem& p, int input, double absent) {
  const Argument& a = p.input(input);
  return a.present ? a.constant->at(0) : absent;
}

}  // namespace

const Tactic mean_bytes{
    .name = "mean_bytes",
    .version = 1,
    .ops = {"QuantizedAveragePool"},
    .accepts = [](const Problem& p) -> Refusal {
      for (const Refusal& r :
           {accept_channels_last(p.input(0), "x", kBytes), accept_channels_last(p.outputs[0], "y", kBytes),
            accept_number(p.input(kXScale), "x_scale"), accept_number(p.input(kYScale), "y_scale"),
            accept_number(p.input(kXZero), "x_zero_point"), accept_number(p.input(kYZero), "y_zero_point"),
            accept_number(p.input(kFactor), "factor")})
        if (r.refused()) return r;
      if (!(number(p, kYScale, 0) > 0)) return refuse("y_scale is not positive");
      if (!p.post().empty()) return refuse("there are post-operations");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const bool global = p.attributes().integer("global", 0) != 0;
          return emit_kernel("mean_bytes",
                             kernels::MeanBytesParameters{
                                 .kind = pooling_of(p),
                                 .global = global,
                                 .window = global ? SlidingWindow() : window_of(p, p.attributes().ints("kernel_shape")),
                                 .x_scale = number(p, kXScale, 1),
                                 .factor = number(p, kFactor, 1),
                                 .y_scale = number(p, kYScale, 1),
                                 .x_zero = static_cast<int32_t>(number(p, kXZero, 0)),
                                 .y_zero = static_cast<int32_t>(number(p, kYZero, 0)),
                             },
                             {0});
        },
};

}  // namespace kiln::cpu::tactics
