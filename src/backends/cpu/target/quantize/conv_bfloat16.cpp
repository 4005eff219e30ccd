// Tactic: convolutions of bfloat16, or of float32 that may compute in it, channels last, by constant weights, and what follows them.
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/rounded_rows.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/bfloat16.h"
#include "backends/cpu/target/quantize/sum_form.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "base/error.h"
#include "target/epilogue.h"

namespace kiln::cpu::tactics {
namespace {

Refusal read_conv_bfloat16(const Problem& p, ByteProblem& steps) {
  const Argument &x = p.input(0), &w = p.input(1), &y = p.outputs[0];
  constexpr TypeSet kTypes{DType::kF32, DType::kBF16};
  for (const Refusal& r :
       {multiplies_in_bfloat16(p), accept_channels_last(x, "x", kTypes), accept_channels_last(y, "y", kTypes)})
    if (r.refused()) return r;
  if (!w.constant || !kTypes.has(w.dtype)) return refuse("the weights are not constants");
  const int64_t groups = p.attributes().integer("group", 1);
  if (groups > 1 && w.opt[0] == groups)
    return refuse("each group has one column, the kernel multiplies by whole panels");
  if (!x.is_fixed(1)) return refuse("the number of channels is not constant");
  return read_real_steps(p, 1, steps, p.node->base_input_count() > 2 ? 2 : Emitted::kAbsent);
}

// Windows of an odd number of channels end within words, which tiles read: the image has one more.
bool makes_even(const Problem& p, bool in_tiles) {
  const Dims& w = p.input(1).constant->dims();
  return in_tiles && p.attributes().integer("group", 1) == 1 && w[1] % 2 == 1 &&
         element_count(Dims(w.begin() + 2, w.end())) > 1;
}

// OIHW to rows of kernel elements, then so many channels, two of them beside one another, group by group.
Tensor packed_bfloats(const Tensor& weights, int64_t groups, int64_t channels) {
  const Dims& w = weights.dims();
  const int64_t columns = w[0] / groups, given = w[1], taps = element_count(Dims(w.begin() + 2, w.end()));
  const int64_t terms = channels * taps, bytes = terms * kernels::kBfloat16Bytes;
  const int64_t group = packed_int8_bytes(bytes, columns);
  Tensor packed = Tensor::allocate(DType::kBF16, {groups * group / kernels::kBfloat16Bytes});
  if (packed.size() == 0) return packed;
  const Tensor rounded = weights.cast(DType::kBF16);
  const auto* from = static_cast<const int8_t*>(rounded.data());
  auto* to = static_cast<int8_t*>(packed.mutable_data());
  for (int64_t g = 0; g < groups; ++g, to += group) {
    const auto weight = [&](int64_t t, int64_t j) {
      const int64_t term = t / kernels::kBfloat16Bytes, half = t % kernels::kBfloat16Bytes;
      if (term % channels >= given) return int8_t{0};
      const int64_t own = ((g * columns + j) * given + term % channels) * taps + term / channels;
      return from[own * kernels::kBfloat16Bytes + half];
    };
    pack_int8(bytes, columns, weight, to);
  }
  return packed;
}

Refusal accept_conv_bfloat16(const Problem& p) {
  ByteProblem steps(kSumForm);
  return read_conv_bfloat16(p, steps);
}

Emitted emit_conv_bfloat16(const Problem& p, bool in_tiles) {
  ByteProblem steps(kSumForm);
  if (const Refusal r = read_conv_bfloat16(p, steps); r.refused())
    throw Error(Code::kInternal, "a convolution of bfloat16 was not accepted").cause(r.reason);
  const Tensor& w = *p.input(1).constant;
  const int64_t groups = p.attributes().integer("group", 1);
  const bool even = makes_even(p, in_tiles);
  Emitted e = emit_kernel("conv_bfloat16",
                          kernels::ConvBfloat16Parameters{
                              .image = {window_of(p, {w.dims().begin() + 2, w.dims().end()}), groups},
                              .tiles = stored_tiles(in_tiles),
                              .even = even ? std::optional(true) : std::nullopt,
                              .sums = stored_sums(steps.parameters),
                          },
                          {0});
  e.inputs.push_back(add_constant(e, packed_bfloats(w, groups, w.dims()[1] + even)));
  emit_steps(steps, e);
  e.computes = DType::kBF16;
  return e;
}

Estimate estimate_conv_bfloat16(const Problem& p, const DeviceFacts& facts, bool in_tiles) {
  return estimate_bfloat16(p, facts, in_tiles, columns_of_group(p));
}

}  // namespace

const Tactic conv_bfloat16_amx{
    .name = "conv_bfloat16_amx",
    .version = 2,
    .ops = {"Conv"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_conv_bfloat16(p, facts, true); },
    .accepts = [](const Problem& p) { return in_tiles(accept_conv_bfloat16(p)); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_conv_bfloat16(p, true); },
};

const Tactic conv_bfloat16{
    .name = "conv_bfloat16",
    .version = 1,
    .ops = {"Conv"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_conv_bfloat16(p, facts, false); },
    .accepts = accept_conv_bfloat16,
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_conv_bfloat16(p, false); },
};

}  // namespace kiln::cpu::tactics
