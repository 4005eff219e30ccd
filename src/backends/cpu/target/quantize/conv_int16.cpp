// Tactic: convolutions of int16 or uint16 by constant bytes, channels last, and what follows them.
#include "backends/cpu/device/compute/integer_product.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/words.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "base/error.h"
#include "target/epilogue.h"

namespace kiln::cpu::tactics {
namespace {

Refusal read_conv_int16(const Problem& p, ByteProblem& words) {
  if (const Refusal r = read_conv_int8(p, words); r.refused()) return r;
  return fixes_zero(words);
}

Tensor packed_weights_of_words(const Problem& p, const ByteProblem& words) {
  const GroupWeights w(p);
  const int64_t group = packed_int16(w.terms(), w.columns);
  Tensor packed = Tensor::allocate(DType::kI16, {w.groups * group});
  if (packed.size() == 0) return packed;
  for (int64_t g = 0; g < w.groups; ++g)
    pack_int16(
        w.terms(), w.columns,
        [&](int64_t t, int64_t j) { return words.weights[static_cast<size_t>(w.place(g, t, j))]; },
        packed.as_mutable<int16_t>().data() + g * group);
  return packed;
}

}  // namespace

const Tactic conv_int16{
    .name = "conv_int16",
    .version = 1,
    .ops = {"ConvInteger"},
    .accepts =
        [](const Problem& p) {
          ByteProblem words = word_problem();
          return read_conv_int16(p, words);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ByteProblem words = word_problem();
          if (const Refusal r = read_conv_int16(p, words); r.refused())
            throw Error(Code::kInternal, "a convolution of 16 bits was not accepted").cause(r.reason);
          const Dims& w = p.input(1).constant->dims();
          const SpatialWindow window = spatial_window_of(p, {w.begin() + 2, w.end()});
          Emitted e = emit_kernel("conv_int16",
                                  kernels::ConvInt16Parameters{
                                      .image = {inner_window(window), p.attributes().integer("group", 1)},
                                      .depth = {depth_of(window)},
                                      .x_zero = words.x_zero,
                                      .sums = stored_sums(words.parameters),
                                  },
                                  {0});
          e.inputs.push_back(add_constant(e, packed_weights_of_words(p, words)));
          emit_sums(words, conv_column_sums(words, w[0]), shift_of_words(p), e);
          return e;
        },
};

}  // namespace kiln::cpu::tactics
