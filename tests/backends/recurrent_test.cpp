// LSTM, GRU and RNN.
#include <gtest/gtest.h>

#include <limits>

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
        expect_case(make(rng, {op, gates, 5, 19, 7, 3, direction, layout, true, true}, outputs), "recurrent");
        expect_case(make(rng, {op, gates, 8, 16, 4, 1, direction, layout, false, false}, outputs), "recurrent");
      }
}

TEST(Recurrent, WeightsKeptIn16Bits) {
  std::mt19937 rng(9);
  const std::pair<const char*, int64_t> cells[] = {{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}};
  for (const DType type : {DType::kF16, DType::kBF16})
    for (const auto& [op, gates] : cells)
      for (const char* direction : {"forward", "reverse", "bidirectional"})
        for (const int64_t batch : {0, 1, 3, 11})
          for (const int64_t hidden : {19, 150}) {
            Case c = make(rng, {op, gates, 37, hidden, 7, batch, direction, batch % 2, true, true}, gates == 4 ? 3 : 2);
            for (const size_t weights : {1, 2})
              c.inputs[weights].tensor = c.inputs[weights].tensor.cast(type).cast(DType::kF32);
            expect_no_case(c, "recurrent_narrow");
            c.keeps = type;
            c.tolerance = 2e-4;
            expect_case(c, "recurrent_narrow");
          }
}

TEST(Recurrent, LargeLayersOnAllThreadsAndOneResult) {
  std::mt19937 rng(2);
  expect_case(make(rng, {"LSTM", 4, 33, 130, 9, 1}, 1), "recurrent");
  expect_case(make(rng, {"GRU", 3, 33, 130, 9, 4}, 1), "recurrent");
}

// Lengths of 0 to all steps.
Tensor lengths(const Layer& l) {
  std::vector<int32_t> values;
  for (int64_t n = 0; n < l.batch; ++n) values.push_back(static_cast<int32_t>((n * 3 + 1) % (l.steps + 1)));
  return Tensor::of<int32_t>({l.batch}, values);
}

TEST(RecurrentSteps, LengthsDirectionsAndLayouts) {
  std::mt19937 rng(4);
  const std::pair<const char*, int64_t> cells[] = {{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}};
  for (const auto& [op, gates] : cells)
    for (const char* direction : {"forward", "reverse", "bidirectional"})
      for (int64_t layout : {0, 1}) {
        const int outputs = gates == 4 ? 3 : 2;
        const Layer l{op, gates, 5, 19, 6, 4, direction, layout, true, true};
        Case c = make(rng, l, outputs);
        expect_case(c, "recurrent_any");
        c.inputs[4] = lengths(l);
        expect_case(c, "recurrent_any");
        expect_case(make(rng, {op, gates, 3, 33, 2, 0, direction, layout}, outputs), "recurrent_any");
        expect_case(make(rng, {op, gates, 3, 33, 0, 2, direction, layout}, outputs), "recurrent_any");
      }
}

TEST(RecurrentSteps, ResetBeforeTheProductPeepholesClippingAndCoupling) {
  std::mt19937 rng(5);
  for (const char* direction : {"forward", "bidirectional"}) {
    Case gru = make(rng, {"GRU", 3, 7, 20, 5, 3, direction, 0, true, true}, 2);
    gru.attributes.set("linear_before_reset", int64_t{0});
    expect_case(gru, "recurrent_any");
    gru.attributes.set("clip", 0.2);
    expect_case(gru, "recurrent_any");
    Case lstm = make(rng, {"LSTM", 4, 7, 20, 5, 3, direction, 0, true, true}, 3);
    lstm.inputs.push_back(random_tensor(rng, DType::kF32, {lstm.inputs[1].tensor.dims()[0], 60}));
    expect_case(lstm, "recurrent_any");
    lstm.attributes.set("input_forget", int64_t{1});
    lstm.attributes.set("clip", 0.5);
    expect_case(lstm, "recurrent_any");
  }
}

TEST(RecurrentSteps, EveryActivation) {
  std::mt19937 rng(6);
  for (const char* f : {"Affine", "Elu", "HardSigmoid", "LeakyRelu", "Relu", "ScaledTanh", "Sigmoid", "Softplus",
                        "Softsign", "Tanh", "ThresholdedRelu"}) {
    Case rnn = make(rng, {"RNN", 1, 6, 11, 3, 2}, 2);
    rnn.attributes.set("activations", Strings{f});
    expect_case(rnn, "recurrent_any");
    Case lstm = make(rng, {"LSTM", 4, 6, 11, 3, 2, "bidirectional"}, 3);
    lstm.attributes.set("activations", Strings{"Sigmoid", f, "Tanh", "HardSigmoid", "Tanh", f});
    lstm.attributes.set("activation_alpha", Floats{0.7, 0.3});
    lstm.attributes.set("activation_beta", Floats{0.4});
    expect_case(lstm, "recurrent_any");
  }
}

TEST(RecurrentSteps, LengthsThatCannotBe) {
  std::mt19937 rng(7);
  const Layer l{"RNN", 1, 4, 8, 3, 2, "forward", 0, true, true};
  const Attributes p{{"cell", int64_t{2}},   {"directions", int64_t{1}}, {"reverse", int64_t{0}},
                     {"hidden", int64_t{8}}, {"input", int64_t{4}},      {"batch_first", int64_t{0}},
                     {"linear", int64_t{0}}, {"coupled", int64_t{0}},    {"packs", int64_t{0}},
                     {"clip", 0.0},          {"kinds", Ints{9}},         {"alphas", Floats{0}},
                     {"betas", Floats{0}}};
  std::vector<Tensor> out{Tensor::allocate(DType::kF32, {3, 1, 2, 8})};
  const Tensor x = Tensor::allocate(DType::kF32, {3, 2, 4}), small = Tensor::allocate(DType::kF32, {1, 5});
  EXPECT_EQ(launch_kernel("recurrent_any", p, {x, small, lengths(l), Tensor(), Tensor(), Tensor()}, out).code,
            Code::kShapeMismatch);
}

TEST(Recurrent, RefusesWhatItDoesNotKnow) {
  std::mt19937 rng(3);
  Case gru = make(rng, {"GRU", 3, 5, 8, 3, 1}, 1);
  gru.attributes.set("linear_before_reset", int64_t{0});
  EXPECT_TRUE(check_case(gru, "recurrent").empty());
  Case clipped = make(rng, {"LSTM", 4, 5, 8, 3, 1}, 1);
  clipped.attributes.set("clip", 1.0);
  EXPECT_TRUE(check_case(clipped, "recurrent").empty());
}

Case byte_case(std::mt19937& rng, const char* cell, DType w, DType r, int64_t input, int64_t hidden, int64_t steps,
               int64_t batch, const char* direction, int64_t layout, bool whole) {
  const bool lstm = std::string(cell) == "LSTM";
  const int64_t d = std::string(direction) == "bidirectional" ? 2 : 1, rows = hidden * (lstm ? 4 : 3);
  const auto numbers = [&](Dims dims, double low, double high) {
    Tensor t = Tensor::allocate(DType::kF32, std::move(dims));
    std::uniform_real_distribution<double> uniform(low, high);
    for (int64_t i = 0; i < t.size(); ++i) t.set(i, uniform(rng));
    return t;
  };
  const auto bytes = [&](DType type, Dims dims) {
    Tensor t = Tensor::allocate(type, std::move(dims));
    for (int64_t i = 0; i < t.size(); ++i)
      t.set_int(i, static_cast<int64_t>(rng() % 256) - (type == DType::kI8 ? 128 : 0));
    return t;
  };
  const Dims state = layout ? Dims{batch, d, hidden} : Dims{d, batch, hidden};
  Case c{"RecurrentDequantized",
         {numbers(layout ? Dims{batch, steps, input} : Dims{steps, batch, input}, -1, 1),
          constant(bytes(w, {d, rows, input})), constant(bytes(r, {d, rows, hidden})),
          constant(numbers({d, rows}, 0.0005, 0.002)), constant(numbers({d, rows}, 0.0005, 0.002))},
         {{"cell", std::string(cell)}, {"direction", std::string(direction)}, {"layout", layout}}};
  if (!lstm) c.attributes.set("linear_before_reset", int64_t{1});
  c.outputs = lstm ? 3 : 2;
  c.tolerance = 5e-5;
  if (!whole) return c;
  c.inputs.insert(c.inputs.end(), {constant(bytes(w, {d, rows})), constant(bytes(r, {d, rows})),
                                   constant(numbers({d, 2 * rows}, -0.5, 0.5)), absent(), numbers(state, -1, 1)});
  if (lstm) c.inputs.push_back(numbers(state, -1, 1));
  return c;
}

TEST(RecurrentBytes, CellsTypesDirectionsAndLayouts) {
  std::mt19937 rng(11);
  for (const char* cell : {"LSTM", "GRU"})
    for (DType type : {DType::kI8, DType::kU8})
      for (const char* direction : {"forward", "reverse", "bidirectional"})
        for (int64_t layout : {0, 1}) {
          const DType other = layout ? DType::kI8 : DType::kU8;
          expect_case(byte_case(rng, cell, type, other, 5, 19, 7, 3, direction, layout, true), "recurrent_int8");
          expect_case(byte_case(rng, cell, type, type, 8, 16, 4, 1, direction, layout, false), "recurrent_int8");
        }
}

TEST(RecurrentBytes, SizesOfAllThreadsNoStepsAndNoSequences) {
  std::mt19937 rng(12);
  for (const char* cell : {"LSTM", "GRU"}) {
    expect_case(byte_case(rng, cell, DType::kI8, DType::kI8, 33, 130, 9, 1, "forward", 0, true), "recurrent_int8");
    expect_case(byte_case(rng, cell, DType::kU8, DType::kI8, 33, 200, 3, 4, "reverse", 1, true), "recurrent_int8");
    expect_case(byte_case(rng, cell, DType::kI8, DType::kI8, 3, 33, 0, 2, "forward", 0, true), "recurrent_int8");
    expect_case(byte_case(rng, cell, DType::kI8, DType::kI8, 3, 33, 2, 0, "forward", 0, true), "recurrent_int8");
    expect_case(byte_case(rng, cell, DType::kI8, DType::kI8, 1, 1, 2, 1, "forward", 0, false), "recurrent_int8");
  }
}

TEST(RecurrentBytes, NotANumberStaysInItsSequence) {
  std::mt19937 rng(13);
  Case c = byte_case(rng, "LSTM", DType::kI8, DType::kI8, 5, 19, 4, 3, "forward", 0, true);
  c.inputs[0].tensor.set(7, std::numeric_limits<double>::quiet_NaN());
  expect_case(c, "recurrent_int8");
}

TEST(RecurrentBytes, RefusesWhatTheKernelDoesNotKnow) {
  std::mt19937 rng(14);
  Case late = byte_case(rng, "LSTM", DType::kI8, DType::kI8, 5, 9, 4, 3, "forward", 0, true);
  late.inputs[1].constant = false;
  expect_no_case(late, "recurrent_int8");
  Case lengths = byte_case(rng, "LSTM", DType::kI8, DType::kI8, 5, 9, 4, 3, "forward", 0, true);
  lengths.inputs[8] = Tensor::of<int32_t>({3}, {1, 2, 4});
  expect_no_case(lengths, "recurrent_int8");
  Case reset = byte_case(rng, "GRU", DType::kI8, DType::kI8, 5, 9, 4, 3, "forward", 0, true);
  reset.attributes.set("linear_before_reset", int64_t{0});
  expect_no_case(reset, "recurrent_int8");
}

}  // namespace
}  // namespace kiln::testing
