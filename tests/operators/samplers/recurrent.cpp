// Samples of recurrent operators.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

// Functions without parameters and with them.
Strings draw_activations(Draw& draw, int64_t count) {
  Strings names;
  for (int64_t i = 0; i < count; ++i)
    names.push_back(draw.word({"Tanh", "Sigmoid", "Relu", "Affine", "LeakyRelu", "ScaledTanh", "HardSigmoid", "Elu",
                               "Softsign", "Softplus"}));
  return names;
}

// `gates` matrices in one and `functions` activations for each direction. Of products of the inputs there are no weights.
Sample sample_recurrent(Draw& draw, int64_t gates, int64_t functions, bool of_products = false) {
  Sample s;
  draw.tame();
  const DType type = draw.type(kFloatTypes);
  const std::string direction = draw.word({"forward", "reverse", "bidirectional"});
  const int64_t directions = direction == "bidirectional" ? 2 : 1, batch_first = draw.chance(0.3) ? 1 : 0;
  // Functions without bounds let the states of many steps leave float32.
  const bool named = draw.chance(0.3) || (gates == 1 && directions == 1);
  const int64_t steps = draw.size() % (named ? 4 : 9), batch = draw.size() % 5, in = draw.integer(1, 9),
                hidden = draw.integer(1, 9), width = of_products ? directions * gates * hidden : in;
  const Dims state = batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  s.data(draw.values(type, batch_first ? Dims{batch, steps, width} : Dims{steps, batch, width}));
  if (!of_products) s.weight(draw.numbers(type, {directions, gates * hidden, in}, -1, 1));
  s.weight(draw.numbers(type, {directions, gates * hidden, hidden}, -1, 1));
  draw.chance(0.6) ? s.weight(draw.numbers(type, {directions, 2 * gates * hidden}, -1, 1)) : s.absent();
  draw.chance(0.3) ? s.data(draw.integers(DType::kI32, {batch}, 0, steps)) : s.absent();
  draw.chance(0.4) ? s.data(draw.values(type, state)) : s.absent();
  if (gates == 4) {
    draw.chance(0.4) ? s.data(draw.values(type, state)) : s.absent();
    if (draw.chance(0.3)) s.weight(draw.numbers(type, {directions, 3 * hidden}, -1, 1));
  }
  if (direction != "forward" || draw.chance(0.3)) s.set("direction", direction);
  if (batch_first || draw.chance(0.2)) s.set("layout", batch_first);
  if (draw.chance(0.7)) s.set("hidden_size", hidden);
  if (draw.chance(0.2)) s.set("clip", draw.real(0.5, 2));
  if (named) s.set("activations", draw_activations(draw, functions * directions));
  if (draw.chance(0.2)) s.set("activation_alpha", Floats{draw.real(0, 1), draw.real(0, 1)});
  if (draw.chance(0.2)) s.set("activation_beta", Floats{draw.real(0, 1)});
  s.outputs = static_cast<int>(draw.integer(1, gates == 4 ? 3 : 2));
  return s;
}

Sample sample_gru(Draw& draw) {
  Sample s = sample_recurrent(draw, 3, 2);
  if (draw.chance(0.5)) s.set("linear_before_reset", draw.flag());
  return s;
}

Sample sample_lstm(Draw& draw) {
  Sample s = sample_recurrent(draw, 4, 3);
  if (draw.chance(0.3)) s.set("input_forget", draw.flag());
  return s;
}

Sample sample_rnn(Draw& draw) { return sample_recurrent(draw, 1, 1); }

Sample sample_recurrent_projected(Draw& draw) {
  struct Kind {
    const char* cell;
    int64_t gates, functions;
  };
  static constexpr Kind kKinds[] = {{"GRU", 3, 2}, {"LSTM", 4, 3}, {"RNN", 1, 1}};
  const Kind& kind = kKinds[draw.integer(0, 2)];
  Sample s = sample_recurrent(draw, kind.gates, kind.functions, true);
  s.set("cell", std::string(kind.cell));
  if (draw.chance(0.5)) s.set("linear_before_reset", draw.flag());
  if (draw.chance(0.3)) s.set("input_forget", draw.flag());
  return s;
}

Sample sample_recurrent_dequantized(Draw& draw) {
  Sample s;
  draw.tame();
  const bool lstm = draw.chance(0.5);
  const std::string direction = draw.word({"forward", "reverse", "bidirectional"});
  const int64_t directions = direction == "bidirectional" ? 2 : 1, batch_first = draw.flag();
  const int64_t steps = draw.size() % 9, batch = draw.size() % 5, in = draw.integer(1, 9), hidden = draw.integer(1, 70),
                rows = hidden * (lstm ? 4 : 3);
  const Dims state = batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  const DType w = draw.type({DType::kI8, DType::kU8}), r = draw.type({DType::kI8, DType::kU8});
  s.data(draw.values(DType::kF32, batch_first ? Dims{batch, steps, in} : Dims{steps, batch, in}));
  s.weight(draw.values(w, {directions, rows, in})).weight(draw.values(r, {directions, rows, hidden}));
  for (int i = 0; i < 2; ++i) s.weight(draw.numbers(DType::kF32, {directions, rows}, 0.001, 0.01));
  for (DType type : {w, r}) draw.chance(0.6) ? s.weight(draw.integers(type, {directions, rows}, 0, 100)) : s.absent();
  draw.chance(0.6) ? s.weight(draw.numbers(DType::kF32, {directions, 2 * rows}, -1, 1)) : s.absent();
  draw.chance(0.1) ? s.data(draw.integers(DType::kI32, {batch}, 0, steps)) : s.absent();
  draw.chance(0.4) ? s.data(draw.values(DType::kF32, state)) : s.absent();
  if (lstm && draw.chance(0.4)) s.data(draw.values(DType::kF32, state));
  s.set("cell", std::string(lstm ? "LSTM" : "GRU")).set("direction", direction).set("layout", batch_first);
  if (!lstm) s.set("linear_before_reset", int64_t{draw.chance(0.8)});
  s.outputs = static_cast<int>(draw.integer(1, lstm ? 3 : 2));
  return s;
}

}  // namespace

Entries recurrent_samplers() {
  return {{"GRU", sample_gru},
          {"LSTM", sample_lstm},
          {"RNN", sample_rnn},
          {"RecurrentDequantized", sample_recurrent_dequantized},
          {"RecurrentProjected", sample_recurrent_projected}};
}

}  // namespace kiln::operators
