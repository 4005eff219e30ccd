// GRU: gates in the order update, reset, hidden.
#include "ops/recurrent/recurrence.h"
#include "ops/registry.h"

namespace kiln::ops {

void run_gru(RefCall& call, Terms terms) {
  const Recurrence recurrence(call, 3, {"Sigmoid", "Tanh"}, terms);
  const auto hidden = static_cast<size_t>(recurrence.hidden());
  const bool linear_before_reset = call.integer("linear_before_reset") != 0;
  const auto step = [&](int64_t d, const std::vector<double>& x, std::vector<double>& h, std::vector<double>&) {
    const std::vector<double> zr = recurrence.recurrent_part(d, h, 0, 2);
    std::vector<double> update(hidden), reset(hidden), gated(hidden);
    for (size_t i = 0; i < hidden; ++i) {
      update[i] = recurrence.activate(d, 0, x[i] + zr[i]);
      reset[i] = recurrence.activate(d, 0, x[hidden + i] + zr[hidden + i]);
      gated[i] = reset[i] * h[i];
    }
    const std::vector<double> candidate = recurrence.recurrent_part(d, linear_before_reset ? h : gated, 2, 3);
    for (size_t i = 0; i < hidden; ++i) {
      const double n =
          recurrence.activate(d, 1, x[2 * hidden + i] + (linear_before_reset ? reset[i] * candidate[i] : candidate[i]));
      h[i] = (1 - update[i]) * n + update[i] * h[i];
    }
  };
  recurrence.run(call, step, false);
}

const OpDef gru =
    with_recurrence(
        with_activations(op("GRU").input("x", kFloatTypes).input("w", kFloatTypes, "x").input("r", kFloatTypes, "x"),
                         {}),
        Cell::kPlain)
        .attr("linear_before_reset", int64_t{0})
        .shapes([](ShapeCall& c) { return recurrent_shapes(c, 3); })
        .reference([](RefCall& call) { run_gru(call, Terms::kInputs); })
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
