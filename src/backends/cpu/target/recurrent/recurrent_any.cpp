// Tactic: LSTM, GRU and RNN with lengths, peepholes, clipping and any activations; weights that are not constant are packed at each run.
#include "backends/cpu/device/kernels/recurrent_any.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/recurrent/layer_parameters.h"
#include "backends/cpu/target/tactics.h"
#include "target/cell_functions.h"

namespace kiln::cpu::tactics {
namespace {

using kernels::AnyCell;

AnyCell any_cell_of(const Problem& p) {
  return p.op() == "LSTM" ? AnyCell::kLstm : p.op() == "GRU" ? AnyCell::kGru : AnyCell::kRnn;
}

Refusal accepts_steps(const Problem& p) {
  if (Refusal r = needs_f32(p); r.refused()) return r;
  if (!p.input(1).is_static || !p.input(2).is_static) return refuse("the sizes of the weights are not known");
  const Dims& w = p.input(1).opt;
  if (w[1] == 0 || w[2] == 0) return refuse("there are no units or no inputs");
  CellFunctions ignored;
  return read_cell_functions(p.op(), p.attributes(), w[0], ignored);
}

bool has_constant_weights(const Problem& p) {
  return p.input(1).constant && p.input(2).constant && (!p.input(3).present || p.input(3).constant);
}

Tensor packed_weights(const Problem& p) {
  const AnyCell cell = any_cell_of(p);
  const Tensor &w = *p.input(1).constant, &r = *p.input(2).constant;
  const int64_t directions = w.dims()[0], input = w.dims()[2], hidden = r.dims()[2],
                rows = kernels::gates_of(cell) * hidden, floats = kernels::PackedCell(cell, input, hidden).total;
  Tensor packed = Tensor::allocate(DType::kF32, {directions, floats});
  auto* to = static_cast<float*>(packed.mutable_data());
  const auto* bias = p.input(3).present ? static_cast<const float*>(p.input(3).constant->data()) : nullptr;
  for (int64_t d = 0; d < directions; ++d)
    kernels::pack_cell(cell, input, hidden, static_cast<const float*>(w.data()) + d * rows * input,
                       static_cast<const float*>(r.data()) + d * rows * hidden, bias ? bias + d * 2 * rows : nullptr,
                       to + d * floats);
  return packed;
}

}  // namespace

const Tactic recurrent_any{
    .name = "recurrent_any",
    .version = 1,
    .ops = {"LSTM", "GRU", "RNN"},
    .accepts = accepts_steps,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Attributes& a = p.attributes();
          CellFunctions functions;
          (void)read_cell_functions(p.op(), a, p.input(1).opt[0], functions);
          kernels::RecurrentAnyParameters to{.layer = layer_parameters(p),
                                             .cell = any_cell_of(p),
                                             .linear = a.integer("linear_before_reset", 0) != 0,
                                             .coupled = a.integer("input_forget", 0) != 0,
                                             .packs = !has_constant_weights(p),
                                             .clip = a.real("clip", 0),
                                             .kinds = functions.kinds,
                                             .alphas = functions.alphas,
                                             .betas = functions.betas};
          const auto present = [&](int i) { return p.input(i).present ? i : Emitted::kAbsent; };
          if (to.packs)
            return emit_kernel("recurrent_any", to,
                               {0, 1, present(4), present(5), present(6), present(7), 2, present(3)});
          Emitted e = emit_kernel("recurrent_any", to,
                                  {0, Emitted::from_constant(0), present(4), present(5), present(6), present(7)});
          e.constants.push_back(packed_weights(p));
          return e;
        },
};

}  // namespace kiln::cpu::tactics
