// LSTM, GRU and RNN.
#include <gtest/gtest.h>

#include "backends/harness.h"

namespace kiln::testing {
namespace {

struct Layer {
  std::string op;
  int64_t gates, input, hidden, steps, batch;
  std::string direction = "forward";
  int64_t layout = 0;
  bool bias = true, states = false;
};

Case make(std::mt19937& rng, const Layer& l, int outputs) {
  const int64_t d = l.direction == "bidirectional" ? 2 : 1;
  const auto x = [&](Dims dims, double scale) {
    Tensor t = random_tensor(rng, DType::kF32, std::move(dims));
    for (float& v : t.as_mutable<float>()) v *= static_cast<float>(scale);
    return t;
  };
  Case c{l.op,
         {x(l.layout ? Dims{l.batch, l.steps, l.input} : Dims{l.steps, l.batch, l.input}, 1),
          constant(x({d, l.gates * l.hidden, l.input}, 0.2)), constant(x({d, l.gates * l.hidden, l.hidden}, 0.2))}};
  if (l.bias || l.states) c.inputs.push_back(l.bias ? constant(x({d, 2 * l.gates * l.hidden}, 0.5)) : absent());
  if (l.states) {
    const Dims state = l.layout ? Dims{l.batch, d, l.hidden} : Dims{d, l.batch, l.hidden};
    c.inputs.push_back(absent());
    for (int i = 0; i < (l.op == "LSTM" ? 2 : 1); ++i) c.inputs.push_back(x(state, 1));
  }
  c.attributes = {{"direction", l.direction}, {"layout", l.layout}, {"hidden_size", l.hidden}};
  if (l.op == "GRU") c.attributes.set("linear_before_reset", int64_t{1});
  c.outputs = outputs;
  c.tolerance = 5e-5;
  return c;
}

TEST(Recurrent, CellsDirectionsAndLayouts) {
  std::mt19937 rng(1);
  const std::pair<const char*, int64_t> cells[] = {{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}};
  for (const auto& [op, gates] : cells)
    for (const char* direction : {"forward", "reverse", "bidirectional"})
      for (int64_t layout : {0, 1}) {
        const int outputs = gates == 4 ? 3 : 2;
        expect_case(make(rng, {op, gates, 5, 19, 7, 3, direction, layout, true, true}, outputs), "recurrent_panels");
        expect_case(make(rng, {op, gates, 8, 16, 4, 1, direction, layout, false, false}, outputs), "recurrent_panels");
      }
}

TEST(Recurrent, LargeLayersOnAllThreadsAndOneResult) {
  std::mt19937 rng(2);
  expect_case(make(rng, {"LSTM", 4, 33, 130, 9, 1}, 1), "recurrent_panels");
  expect_case(make(rng, {"GRU", 3, 33, 130, 9, 4}, 1), "recurrent_panels");
}

TEST(Recurrent, RefusesWhatItDoesNotKnow) {
  std::mt19937 rng(3);
  Case gru = make(rng, {"GRU", 3, 5, 8, 3, 1}, 1);
  gru.attributes.set("linear_before_reset", int64_t{0});
  EXPECT_TRUE(check_case(gru, "recurrent_panels").empty());
  Case clipped = make(rng, {"LSTM", 4, 5, 8, 3, 1}, 1);
  clipped.attributes.set("clip", 1.0);
  EXPECT_TRUE(check_case(clipped, "recurrent_panels").empty());
}

}  // namespace
}  // namespace kiln::testing
