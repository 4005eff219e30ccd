// RecurrentProjected: LSTM, GRU or RNN (`cell`) whose inputs were multiplied by the weights: x is [steps, batch, directions * gates * hidden], or
// batch first. Kiln's own.
#include "base/require.h"
#include "ops/recurrent/recurrence.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

struct ProjectedCell {
  const char* name;
  int64_t gates;
  void (*run)(RefCall&, Terms);
};
constexpr ProjectedCell kProjectedCells[] = {{"GRU", 3, run_gru}, {"LSTM", 4, run_lstm}, {"RNN", 1, run_rnn}};

const ProjectedCell& projected_cell(const ShapeCall& c) {
  const std::string cell = c.text("cell");
  for (const ProjectedCell& known : kProjectedCells)
    if (cell == known.name) return known;
  throw Error(Code::kInvalidArgument, "RecurrentProjected has no cell '" + cell + "'").remedy("use GRU, LSTM or RNN");
}

std::vector<OutputShape> projected_shapes(ShapeCall& c) {
  const ProjectedCell& cell = projected_cell(c);
  std::vector<OutputShape> shapes = recurrent_shapes(c, cell.gates, Terms::kProducts);
  const bool has_state = cell.run == run_lstm;
  require(has_state || (!c.present("initial_c") && !c.present("p") && c.output_count() < 3), Code::kInvalidArgument,
          "only an LSTM has a state of a cell and peepholes");
  check_cell(c, shapes[2].shape);
  return shapes;
}

}  // namespace

const OpDef recurrent_projected =
    with_recurrence(with_activations(op("RecurrentProjected").input("x", kFloatTypes).input("r", kFloatTypes, "x"), {}),
                    Cell::kWithState)
        .optional_input("p", kFloatTypes, "x")
        .required_attr("cell", std::string())
        .attr("input_forget", int64_t{0})
        .attr("linear_before_reset", int64_t{0})
        .shapes(projected_shapes)
        .reference([](RefCall& call) { projected_cell(call.shapes()).run(call, Terms::kProducts); })
        .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
