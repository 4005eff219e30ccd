// RNN: h = f(x * w^T + wb + h * r^T + rb).
#include "ops/recurrent/recurrence.h"
#include "ops/registry.h"

namespace kiln::ops {

void run_rnn(RefCall& call, Terms terms) {
  const Recurrence recurrence(call, 1, {"Tanh"}, terms);
  const auto step = [&](int64_t d, const std::vector<double>& x, std::vector<double>& h, std::vector<double>&) {
    const std::vector<double> r = recurrence.recurrent_part(d, h, 0, 1);
    for (size_t i = 0; i < h.size(); ++i) h[i] = recurrence.activate(d, 0, x[i] + r[i]);
  };
  recurrence.run(call, step, false);
}

const OpDef rnn =
    with_recurrence(
        with_activations(op("RNN").input("x", kFloatTypes).input("w", kFloatTypes, "x").input("r", kFloatTypes, "x"),
                         {"Tanh", "Tanh"}),
        Cell::kPlain)
        .shapes([](ShapeCall& c) { return recurrent_shapes(c, 1); })
        .reference([](RefCall& call) { run_rnn(call, Terms::kInputs); })
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
