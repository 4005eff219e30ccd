// Tactics: LSTM, GRU and RNN with constant weights, packed by blocks of units, in float32 or kept in 16 bits; those with weights in bytes.
#include "backends/cpu/device/compute/recurrent.h"

#include "backends/cpu/device/compute/product_blocks.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/kept_weights.h"
#include "backends/cpu/target/recurrent/layer_parameters.h"
#include "backends/cpu/target/tactics.h"
#include "base/index.h"
#include "target/epilogue.h"

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

// Weights, kept in that type, and biases of all directions.
void emit_weights(const Problem& p, Cell cell, DType type, Emitted& e) {
  const Tensor &w = *p.input(1).constant, &r = *p.input(2).constant;
  const Tensor* b = p.input(3).constant;
  const int64_t directions = w.dims()[0], input = w.dims()[2], hidden = r.dims()[2], gates = cell_gates(cell),
                weight_count = packed_recurrent_weights(cell, input, hidden),
                bias_count = packed_recurrent_biases(cell, hidden);
  Tensor weights = Tensor::allocate(DType::kF32, {directions, weight_count}),
         biases = Tensor::allocate(DType::kF32, {directions, bias_count});
  for (int64_t d = 0; d < directions; ++d)
    pack_recurrent(cell, input, hidden, static_cast<const float*>(w.data()) + d * gates * hidden * input,
                   static_cast<const float*>(r.data()) + d * gates * hidden * hidden,
                   b ? static_cast<const float*>(b->data()) + d * 2 * gates * hidden : nullptr,
                   weights.as_mutable<float>().data() + d * weight_count,
                   biases.as_mutable<float>().data() + d * bias_count);
  e.inputs.push_back(add_constant(e, weights.cast(type)));
  e.inputs.push_back(add_constant(e, std::move(biases)));
}

// Without the weights, which come last. The states are these inputs of the problem.
Emitted emit_recurrence(const Problem& p, Cell cell, int initial_h, int initial_c) {
  const auto present = [&](int i) { return p.input(i).present ? i : Emitted::kAbsent; };
  return emit_kernel("recurrent", kernels::RecurrentParameters{layer_parameters(p), cell},
                     {0, present(initial_h), present(initial_c)});
}

// Inputs of RecurrentDequantized.
enum ByteInput : int { kX, kW, kR, kWScale, kRScale, kWZero, kRZero, kBias, kLengths, kInitialH, kInitialC };

Refusal accepts_bytes(const Problem& p) {
  if (Refusal r = needs_f32(p); r.refused()) return r;
  for (int i = kW; i <= kBias; ++i)
    if (p.input(i).present && !p.input(i).constant) return refuse("the weights are not constant");
  if (p.input(kLengths).present) return refuse("the sequences have lengths of their own");
  if (p.attributes().text("cell") == "GRU" && p.attributes().integer("linear_before_reset", 0) == 0)
    return refuse("the reset comes before the product");
  const Dims& w = p.input(kW).opt;
  return w[1] == 0 || w[2] == 0 ? refuse("there are no units or no inputs") : accept();
}

// What signed bytes are less than those without sign.
int64_t byte_shift(const Tensor& bytes) { return bytes.dtype() == DType::kI8 ? 128 : 0; }

// The rows of w or r, [directions, gates * hidden, terms], in the order of the kernel's columns; -1 where a column stands for no unit.
std::vector<int64_t> rows_by_column(Cell cell, int64_t hidden) {
  std::vector<int64_t> rows(static_cast<size_t>(packed_recurrent_columns(cell, hidden)), -1);
  for (int64_t gate = 0; gate < cell_gates(cell); ++gate)
    for (int64_t unit = 0; unit < hidden; ++unit)
      nth(rows, packed_recurrent_column(cell, gate, unit)) = gate * hidden + unit;
  return rows;
}

Tensor packed_byte_matrices(const Tensor& bytes, const std::vector<int64_t>& rows) {
  const int64_t directions = bytes.dims()[0], count = bytes.dims()[1], terms = bytes.dims()[2];
  const auto columns = static_cast<int64_t>(rows.size());
  const BlockWeights w{.terms = terms, .columns = columns, .block = terms, .bits = 8};
  Tensor packed = Tensor::allocate(DType::kI32, {directions * w.words() * columns});
  for (int64_t d = 0; d < directions; ++d)
    pack_blocks(
        w,
        [&](int64_t t, int64_t j) {
          return nth(rows, j) < 0 ? 0 : bytes.int_at((d * count + nth(rows, j)) * terms + t) + byte_shift(bytes);
        },
        packed.as_mutable<int32_t>().data() + d * w.words() * columns);
  return packed;
}

// RecurrentBytes::columns of all directions.
Tensor numbers_by_column(const Problem& p, Cell cell, const std::vector<int64_t>& rows) {
  const int64_t directions = p.input(kW).opt[0], count = p.input(kW).opt[1];
  const auto parameter = [&](int input, int64_t at, int64_t shift) {
    const Tensor* t = p.input(input).constant;
    return static_cast<float>((t ? t->at(at) : 0) + static_cast<double>(shift));
  };
  return packed_floats(directions * 6 * static_cast<int64_t>(rows.size()), [&](float* to) {
    for (int64_t d = 0; d < directions; ++d)
      for (int kind = 0; kind < 6; ++kind)
        for (int64_t row : rows) {
          const int64_t at = d * count + row, bias = d * 2 * count + row;
          float& number = *to++;
          number = 0;
          if (row < 0) continue;
          switch (kind) {
            case 0: number = parameter(kWScale, at, 0); break;
            case 1: number = parameter(kWZero, at, byte_shift(*p.input(kW).constant)); break;
            case 2: number = parameter(kRScale, at, 0); break;
            case 3: number = parameter(kRZero, at, byte_shift(*p.input(kR).constant)); break;
            case 4:
              number = parameter(kBias, bias, 0);
              if (cell == Cell::kLstm) number += parameter(kBias, bias + count, 0);
              break;
            default: number = parameter(kBias, bias + count, 0);
          }
        }
  });
}

}  // namespace

const Tactic recurrent_int8{
    .name = "recurrent_int8",
    .version = 1,
    .ops = {"RecurrentDequantized"},
    .accepts = accepts_bytes,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Cell cell = p.attributes().text("cell") == "LSTM" ? Cell::kLstm : Cell::kGruLinearBeforeReset;
          const std::vector<int64_t> rows = rows_by_column(cell, p.input(kR).opt[2]);
          Emitted e = emit_recurrence(p, cell, kInitialH, kInitialC);
          e.inputs.push_back(add_constant(e, packed_byte_matrices(*p.input(kW).constant, rows)));
          e.inputs.push_back(add_constant(e, packed_byte_matrices(*p.input(kR).constant, rows)));
          e.inputs.push_back(add_constant(e, numbers_by_column(p, cell, rows)));
          return e;
        },
};

const Tactic recurrent_narrow{
    .name = "recurrent_narrow",
    .version = 1,
    .ops = {"LSTM", "GRU", "RNN"},
    .accepts = [](const Problem& p) -> Refusal {
      if (const Refusal r = keeps_narrow_weights(p); r.refused()) return r;
      return accepts_recurrence(p);
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Cell cell = *cell_of(p);
          Emitted e = emit_recurrence(p, cell, 5, 6);
          emit_weights(p, cell, p.node->keeps, e);
          e.computes = p.node->keeps;
          return e;
        },
};

const Tactic recurrent{
    .name = "recurrent",
    .version = 3,
    .ops = {"LSTM", "GRU", "RNN"},
    .accepts = accepts_recurrence,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const Cell cell = *cell_of(p);
          Emitted e = emit_recurrence(p, cell, 5, 6);
          emit_weights(p, cell, DType::kF32, e);
          return e;
        },
};

}  // namespace kiln::cpu::tactics
