// LSTM: gates in the order input, output, forget, cell; peepholes p in the order input, output, forget.
#include "ops/recurrent/recurrence.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

std::vector<OutputShape> lstm_shapes(ShapeCall& c) {
  std::vector<OutputShape> shapes = recurrent_shapes(c, 4);
  check_cell(c, shapes[2].shape);
  return shapes;
}

}  // namespace

void run_lstm(RefCall& call, Terms terms) {
  const Recurrence recurrence(call, 4, {"Sigmoid", "Tanh", "Tanh"}, terms);
  const auto hidden = static_cast<size_t>(recurrence.hidden());
  const std::vector<double> peepholes = call.present("p") ? doubles(call.input("p")) : std::vector<double>();
  const bool coupled = call.integer("input_forget") != 0;
  const auto step = [&](int64_t d, const std::vector<double>& x, std::vector<double>& h, std::vector<double>& c) {
    const std::vector<double> r = recurrence.recurrent_part(d, h, 0, 4);
    const auto peephole = [&](size_t g, size_t i) {  // zero times infinity is no number
      return peepholes.empty() ? 0 : peepholes[(static_cast<size_t>(d) * 3 + g) * hidden + i] * c[i];
    };
    for (size_t i = 0; i < hidden; ++i) {
      const auto gate = [&](size_t g) { return x[g * hidden + i] + r[g * hidden + i]; };
      const double input = recurrence.activate(d, 0, gate(0) + peephole(0, i));
      const double forget = coupled ? 1 - input : recurrence.activate(d, 0, gate(2) + peephole(2, i));
      c[i] = forget * c[i] + input * recurrence.activate(d, 1, gate(3));
      h[i] = recurrence.activate(d, 0, gate(1) + peephole(1, i)) * recurrence.activate(d, 2, c[i]);
    }
  };
  recurrence.run(call, step, true);
}

const OpDef lstm =
    with_recurrence(
        with_activations(op("LSTM").input("x", kFloatTypes).input("w", kFloatTypes, "x").input("r", kFloatTypes, "x"),
                         {}),
        Cell::kWithState)
        .optional_input("p", kFloatTypes, "x")
        .attr("input_forget", int64_t{0})
        .shapes(lstm_shapes)
        .reference([](RefCall& call) { run_lstm(call, Terms::kInputs); })
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
