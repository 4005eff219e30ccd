// Tactic: LSTM, GRU and RNN with constant weights, packed by blocks of units.
#include "backends/cpu/device/compute/recurrent.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/recurrent/layer_parameters.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {
namespace {

std::optional<Cell> cell_of(const Problem& p) {
  const bool two = p.attributes().text("direction", "forward") == "bidirectional";
  const Strings given = p.attributes().texts("activations", {});
  const auto is = [&](Strings one) {
    const size_t n = one.size();
    for (size_t i = 0; two && i < n; ++i) one.push_back(one[i]);
    return given == one;
  };
  if (p.op() == "LSTM" && (given.empty() || is({"Sigmoid", "Tanh", "Tanh"}))) return Cell::kLstm;
  if (p.op() == "GRU" && p.attributes().integer("linear_before_reset", 0) != 0 &&
      (given.empty() || is({"Sigmoid", "Tanh"})))
    return Cell::kGruLinearBeforeReset;
  if (p.op() == "RNN" && (given.empty() || is({"Tanh"}))) return Cell::kRnnTanh;
  if (p.op() == "RNN" && is({"Relu"})) return Cell::kRnnRelu;
  return std::nullopt;
}

Refusal accepts_recurrence(const Problem& p) {
  if (Refusal r = needs_f32(p); r.refused()) return r;
  if (!cell_of(p)) return refuse("the cell has activations or a reset that the kernel does not know");
  if (!p.input(1).constant || !p.input(2).constant || (p.input(3).present && !p.input(3).constant))
    return refuse("the weights are not constant");
  if (p.input(4).present) return refuse("the sequences have lengths of their own");
  if (p.input(7).present) return refuse("the cell has peepholes");
  if (p.attributes().real("clip", 0) != 0) return refuse("the cell clips");
  if (p.attributes().integer("input_forget", 0) != 0) return refuse("input and forget gate are coupled");
  const Dims& w = p.input(1).opt;
  if (w[1] == 0 || w[2] == 0) return refuse("there are no units or no inputs");
  return accept();
}

Tensor packed_weights(const Problem& p, Cell cell) {
  const Tensor &w = *p.input(1).constant, &r = *p.input(2).constant;
  const Tensor* b = p.input(3).constant;
  const int64_t directions = w.dims()[0], input = w.dims()[2], hidden = r.dims()[2], gates = cell_gates(cell),
                floats = packed_recurrent_floats(cell, input, hidden);
  Tensor packed = Tensor::allocate(DType::kF32, {directions, floats});
  auto* to = static_cast<float*>(packed.mutable_data());
  for (int64_t d = 0; d < directions; ++d)
    pack_recurrent(cell, input, hidden, static_cast<const float*>(w.data()) + d * gates * hidden * input,
                   static_cast<const float*>(r.data()) + d * gates * hidden * hidden,
                   b ? static_cast<const float*>(b->data()) + d * 2 * gates * hidden : nullptr, to + d * floats);
  return packed;
}

}  // namespace

const Tactic recurrent{
    .name = "recurrent",
    .version = 1,
    .ops = {"LSTM", "GRU", "RNN"},
    .accepts = accepts_recurrence,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Cell cell = *cell_of(p);
          Emitted e = emit_kernel("recurrent", kernels::RecurrentParameters{layer_parameters(p), cell},
                                  {0, Emitted::from_constant(0), p.input(5).present ? 5 : Emitted::kAbsent,
                                   p.input(6).present ? 6 : Emitted::kAbsent});
          e.constants.push_back(packed_weights(p, cell));
          return e;
        },
};

}  // namespace kiln::cpu::tactics
