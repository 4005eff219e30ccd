// Loop: runs region 0 (iteration, condition, values..., captures...) -> (condition, values..., scan outputs...) up to M times
// while the condition holds; scan outputs of all iterations are stacked.
#include <limits>

#include "base/error.h"
#include "base/index.h"
#include "ops/control/control.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

struct LoopState {
  std::vector<Datum> values;
  std::vector<std::vector<Tensor>> scans;
};

// One run of the body; returns its condition.
bool iterate(RefCall& c, int64_t iteration, LoopState& state) {
  std::vector<Datum> inputs{Tensor::scalar<int64_t>(iteration), Tensor::scalar<bool>(true)};
  inputs.insert(inputs.end(), state.values.begin(), state.values.end());
  for (Datum& d : inputs_between(c, first_capture(c), c.input_count())) inputs.push_back(std::move(d));
  std::vector<Datum> results = c.run_region(0, std::move(inputs));
  if (static_cast<int>(results.size()) != c.output_count() + 1)
    throw Error(Code::kInvalidGraph, "the body of Loop has " + std::to_string(results.size()) + " outputs");
  const size_t count = state.values.size();
  for (size_t i = 0; i < count; ++i) state.values[i] = std::move(results[i + 1]);
  for (size_t i = 0; i < state.scans.size(); ++i) state.scans[i].push_back(std::move(results[i + 1 + count].tensor));
  return truth(results[0]);
}

void loop_reference(RefCall& c) {
  LoopState state;
  state.values = inputs_between(c, 2, first_capture(c));
  const auto carried = static_cast<int>(state.values.size());
  if (carried > c.output_count())
    throw Error(Code::kInvalidGraph, "Loop carries " + std::to_string(carried) + " values and has " +
                                         std::to_string(c.output_count()) + " outputs");
  state.scans.resize(static_cast<size_t>(c.output_count() - carried));
  LoopState probe = state;
  if (c.present(0) && c.input(0).size() != 1)
    throw Error(Code::kExecution, "the trip count of a loop is " + c.input(0).type_string())
        .remedy("give one integer, or none for a loop that its condition ends");
  const int64_t most = c.present(0) ? c.input(0).int_at(0) : std::numeric_limits<int64_t>::max();
  bool go = !c.present(1) || truth(c.datum(1));
  int64_t iteration = 0;
  for (; go && iteration < most; ++iteration) go = iterate(c, iteration, state);
  // Without iterations, one run whose results are dropped tells type and shape of the empty scan outputs.
  if (iteration == 0 && !state.scans.empty()) iterate(c, 0, probe);
  for (int i = 0; i < carried; ++i) c.set_output(i, std::move(nth(state.values, i)));
  for (size_t i = 0; i < state.scans.size(); ++i)
    c.set_output(carried + static_cast<int>(i),
                 iteration > 0 ? stacked(state.scans[i], 0) : section(stacked(probe.scans[i], 0), 0, 0, 0));
}

}  // namespace

const OpDef loop =
    op("Loop")
        .optional_input("M", DType::kI64)
        .optional_input("cond", kBoolType)
        .variadic_input("v_initial", kAnyType, "", true)
        .attr("captures", int64_t{0})
        .variadic_output("v_final_and_scan_outputs", computed_type([](const ShapeCall&) { return DType::kInvalid; }))
        .regions(1)
        .edges(unknown_edges)
        .reference(loop_reference);

}  // namespace kiln::ops
