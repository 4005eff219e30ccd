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

const OpDef rnn = op("RNN")
                      .input("x", kFloatTypes)
                      .input("w", kFloatTypes, "x")
                      .input("r", kFloatTypes, "x")
                      .optional_input("b", kFloatTypes, "x")
                      .optional_input("sequence_lens", DType::kI32)
                      .optional_input("initial_h", kFloatTypes, "x")
                      .attr("activation_alpha", Floats{})
                      .attr("activation_beta", Floats{})
                      .attr("activations", Strings{"Tanh", "Tanh"})
                      .attr("clip", 0.0)
                      .attr("direction", std::string("forward"))
                      .attr("hidden_size", int64_t{0})
                      .attr("layout", int64_t{0})
                      .optional_output("y", same_type("x"))
                      .optional_output("y_h", same_type("x"))
                      .shapes([](ShapeCall& c) { return recurrent_shapes(c, 1); })
                      .reference([](RefCall& call) { run_rnn(call, Terms::kInputs); })
                      .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
