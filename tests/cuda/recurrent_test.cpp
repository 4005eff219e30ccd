// Recurrent layers on NVIDIA GPUs.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "backends/cuda/target/chip.h"
#include "cuda/node_check.h"
#include "target/target.h"

namespace kiln::cuda::testing {
namespace {

Operand values(Dims dims, DType type) { return {.dims = std::move(dims), .type = type}; }
const Operand kAbsent{.dims = {}, .present = false};
constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16};

struct Layer {
  const char* op = "LSTM";
  int64_t gates = 4, steps = 5, batch = 3, input = 7, hidden = 9, directions = 1;
  bool bias = true, state = false, batch_first = false, lengths = false, peepholes = false;
};
constexpr Layer kGru{.op = "GRU", .gates = 3}, kRnn{.op = "RNN", .gates = 1};

// Small enough for states that forget what they were.
Operand weights(const Layer& l, Dims dims, DType type) {
  Tensor t = random_tensor(DType::kF32, dims, static_cast<unsigned>(l.hidden + l.steps));
  const float factor = 1 / std::sqrt(static_cast<float>(std::max<int64_t>(l.hidden, 1)));
  for (float& v : t.as_mutable<float>()) v *= factor;
  return {.dims = std::move(dims), .type = type, .constant = true, .value = t.cast(type)};
}

// None, some and all of the steps.
Operand lengths(const Layer& l) {
  Tensor t = Tensor::allocate(DType::kI32, {l.batch});
  for (int64_t i = 0; i < l.batch; ++i)
    t.set_int(i, i % 2 == 0 ? l.steps - l.steps * (i % 3) / 2 : i * 5 % (l.steps + 1));
  return {.dims = {l.batch}, .type = DType::kI32, .value = t};
}

void add_operands(const Layer& l, DType type, NodeCase& c) {
  const Dims state = l.batch_first ? Dims{l.batch, l.directions, l.hidden} : Dims{l.directions, l.batch, l.hidden};
  c.inputs.push_back(l.bias ? values({l.directions, 2 * l.gates * l.hidden}, type) : kAbsent);
  c.inputs.push_back(l.lengths ? lengths(l) : kAbsent);
  c.inputs.push_back(l.state ? values(state, type) : kAbsent);
  if (l.gates != 4) return;
  c.inputs.push_back(l.state ? values(state, type) : kAbsent);
  if (l.peepholes) c.inputs.push_back(values({l.directions, 3 * l.hidden}, type));
}

NodeCase layer_case(const Layer& l, DType type, Attributes attributes) {
  NodeCase c{.op = l.op, .attributes = std::move(attributes), .outputs = l.gates == 4 ? 3 : 2};
  c.tolerance = type == DType::kF32 ? 1e-5 : type == DType::kF16 ? 3e-3 : 2e-2;
  if (l.batch_first) c.attributes.set("layout", int64_t{1});
  if (l.directions == 2) c.attributes.set("direction", std::string("bidirectional"));
  return c;
}

Dims in_steps(const Layer& l, int64_t width) {
  return l.batch_first ? Dims{l.batch, l.steps, width} : Dims{l.steps, l.batch, width};
}

NodeCase recurrent(const Layer& l, DType type, Attributes attributes = {}) {
  NodeCase c = layer_case(l, type, std::move(attributes));
  c.inputs = {values(in_steps(l, l.input), type), weights(l, {l.directions, l.gates * l.hidden, l.input}, type),
              weights(l, {l.directions, l.gates * l.hidden, l.hidden}, type)};
  add_operands(l, type, c);
  return c;
}

NodeCase projected(const Layer& l, DType type, Attributes attributes = {}) {
  attributes.set("cell", std::string(l.op));
  NodeCase c = layer_case(l, type, std::move(attributes));
  c.op = "RecurrentProjected";
  c.inputs = {values(in_steps(l, l.directions * l.gates * l.hidden), type),
              weights(l, {l.directions, l.gates * l.hidden, l.hidden}, type)};
  add_operands(l, type, c);
  return c;
}

const std::set<std::string> kDirect{"recurrent"}, kProjected{"recurrent_chip", "recurrent_projected"};

void check_both(const Layer& l, DType type, const Attributes& attributes = {}) {
  EXPECT_EQ(check(recurrent(l, type, attributes)), kDirect);
  EXPECT_EQ(check(projected(l, type, attributes)), kProjected);
}

const Attributes kLinear{{"linear_before_reset", int64_t{1}}};

TEST(CudaRecurrent, CellsDirectionsAndStates) {
  for (DType type : kFloats)
    for (int64_t directions : {1, 2})
      for (bool state : {false, true})
        for (Layer l : {Layer{}, kGru, kRnn}) {
          l.directions = directions;
          l.state = state;
          check_both(l, type);
          if (l.gates == 3) check_both(l, type, kLinear);
        }
}

TEST(CudaRecurrent, SizesAndLayouts) {
  for (DType type : {DType::kF32, DType::kF16}) {
    check_both({.steps = 1, .batch = 1, .input = 64, .hidden = 128}, type);
    check_both({.steps = 20, .batch = 9, .input = 33, .hidden = 70, .bias = false, .state = true, .batch_first = true},
               type);
    check_both({.directions = 2, .batch_first = true}, type);
    check_both({.batch = 0}, type);
    check_both({.steps = 0, .state = true, .lengths = true}, type);
    check_both({.op = "GRU", .gates = 3, .steps = 0, .state = true}, type);
    check_both({}, type, {{"direction", std::string("reverse")}});
  }
}

// States that clusters share, weights that blocks do not hold, more sequences than run at the same time.
TEST(CudaRecurrent, ManyUnitsAndSequences) {
  for (DType type : kFloats) {
    check_both({.steps = 7, .batch = 2, .input = 5, .hidden = 256, .state = true}, type);
    check_both({.op = "GRU", .gates = 3, .steps = 4, .batch = 5, .input = 3, .hidden = 333, .directions = 2}, type);
    check_both({.op = "RNN", .gates = 1, .steps = 9, .batch = 37, .input = 3, .hidden = 100, .lengths = true}, type);
    check_both({.steps = 3, .batch = 70, .input = 3, .hidden = 96, .directions = 2, .batch_first = true}, type);
  }
  EXPECT_EQ(check(projected({.steps = 3, .batch = 2, .hidden = 512}, DType::kF32)), kProjected);
  EXPECT_EQ(check(projected({.steps = 3, .batch = 1, .hidden = 1024}, DType::kF16)), kProjected);
  EXPECT_EQ(check(projected({.op = "GRU", .gates = 3, .steps = 3, .batch = 40, .hidden = 512}, DType::kBF16)),
            kProjected);
}

TEST(CudaRecurrent, LengthsPeepholesClipAndCoupling) {
  for (DType type : kFloats)
    for (int64_t directions : {1, 2})
      for (bool batch_first : {false, true}) {
        Layer l{.steps = 6,
                .batch = 7,
                .hidden = 21,
                .directions = directions,
                .state = true,
                .batch_first = batch_first,
                .lengths = true,
                .peepholes = true};
        check_both(l, type, {{"clip", 0.6}, {"input_forget", int64_t{1}}});
        l.bias = false;
        check_both(l, type);
        l.op = "GRU", l.gates = 3, l.peepholes = false;
        check_both(l, type, {{"clip", 0.4}});
        check_both(l, type, kLinear);
        l.op = "RNN", l.gates = 1;
        check_both(l, type, {{"clip", 0.3}});
      }
  check_both({.steps = 4, .batch = 5, .lengths = true}, DType::kF32, {{"direction", std::string("reverse")}});
}

TEST(CudaRecurrent, Activations) {
  const Strings all{"Affine",  "Elu",      "HardSigmoid", "LeakyRelu", "Relu",           "ScaledTanh",
                    "sigmoid", "Softplus", "Softsign",    "TANH",      "ThresholdedRelu"};
  const Attributes numbers{{"activation_alpha", Floats{0.3, 0.6, 0.4, 0.2}}, {"activation_beta", Floats{0.5, 0.2}}};
  for (DType type : {DType::kF32, DType::kF16})
    for (size_t i = 0; i < all.size(); ++i) {
      const auto next = [&](size_t k) { return all[(i + k) % all.size()]; };
      Attributes one = numbers, two = numbers, three = numbers;
      one.set("activations", Strings{next(0), next(5)});
      two.set("activations", Strings{"Sigmoid", next(0)});
      three.set("activations", Strings{"HardSigmoid", next(0), "Tanh"});
      Layer rnn = kRnn;
      rnn.directions = 2;
      check_both(rnn, type, one);
      check_both(kGru, type, two);
      check_both({}, type, three);
      check_both({}, type, {{"activations", Strings{next(0), "Tanh", "Tanh"}}, {"clip", 0.5}});
    }
}

TEST(CudaRecurrent, RandomShapes) {
  std::minstd_rand random(7);
  const auto draw = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 40; ++i) {
    Layer l = i % 3 == 0 ? Layer{} : i % 3 == 1 ? kGru : kRnn;
    l.steps = draw(0, 12), l.batch = draw(0, 20), l.input = draw(1, 40), l.hidden = draw(1, 150);
    l.directions = draw(1, 2);
    l.bias = draw(0, 1), l.state = draw(0, 1), l.batch_first = draw(0, 1), l.lengths = draw(0, 1);
    l.peepholes = l.gates == 4 && draw(0, 2) == 0;
    Attributes attributes;
    if (l.gates == 3) attributes.set("linear_before_reset", draw(0, 1));
    if (l.directions == 1 && draw(0, 1)) attributes.set("direction", std::string("reverse"));
    check_both(l, kFloats[i % 4 % 3], attributes);
  }
}

// What is no number, or infinite, stays in its sequence.
TEST(CudaRecurrent, WhatIsNotFinite) {
  for (DType type : kFloats)
    for (Layer l : {Layer{}, kGru, kRnn}) {
      l.hidden = 40, l.batch = 9;
      NodeCase c = projected(l, type);
      Tensor x = random_tensor(type, c.inputs[0].dims, 3);
      const int64_t width = l.gates * l.hidden;
      x.set(1 * width + 3, std::numeric_limits<double>::quiet_NaN());
      x.set(4 * width + 5, std::numeric_limits<double>::infinity());
      x.set(6 * width + 7, -std::numeric_limits<double>::infinity());
      c.inputs[0].value = x;
      EXPECT_EQ(check(c), kProjected);
    }
}

// Weights in bytes, of which rows have scales and zero points.
NodeCase dequantized(const Layer& l, DType bytes, bool zeros, bool linear = true) {
  const bool lstm = l.gates == 4;
  NodeCase c = recurrent(l, DType::kF32, {{"cell", std::string(lstm ? "LSTM" : "GRU")}});
  c.tolerance = 2e-5;
  c.op = "RecurrentDequantized";
  if (!lstm) c.attributes.set("linear_before_reset", int64_t{linear});
  const Operand scale = [&] {
    Tensor t = random_tensor(DType::kF32, {l.directions, l.gates * l.hidden}, 5);
    for (float& v : t.as_mutable<float>()) v = v / 20;
    return Operand{.dims = t.dims(), .value = t};
  }();
  const Operand zero = zeros ? values({l.directions, l.gates * l.hidden}, bytes) : kAbsent;
  for (size_t i : {1, 2}) c.inputs[i] = values(c.inputs[i].dims, bytes);
  c.inputs.insert(c.inputs.begin() + 3, {scale, scale, zero, zero});
  return c;
}

TEST(CudaRecurrent, WeightsInBytes) {
  for (DType bytes : {DType::kI8, DType::kU8})
    for (bool zeros : {false, true})
      for (int64_t directions : {1, 2})
        for (const Layer& l :
             {Layer{.directions = directions, .state = true, .lengths = true},
              Layer{.op = "GRU", .gates = 3, .directions = directions, .state = true},
              Layer{.steps = 9,
                    .batch = 6,
                    .input = 40,
                    .hidden = 65,
                    .directions = directions,
                    .bias = false,
                    .batch_first = true},
              Layer{
                  .op = "GRU", .gates = 3, .steps = 3, .batch = 1, .input = 1, .hidden = 33, .directions = directions},
              Layer{.batch = 0, .directions = directions}}) {
          EXPECT_EQ(check(dequantized(l, bytes, zeros)), std::set<std::string>{"recurrent_bytes"});
          if (l.gates == 3) {
            EXPECT_EQ(check(dequantized(l, bytes, zeros, false)), std::set<std::string>{"recurrent_bytes"});
          }
        }
  NodeCase c = dequantized({}, DType::kI8, false);
  c.inputs[2].type = DType::kU8;
  EXPECT_EQ(refusal(c, "recurrent_bytes"), "the weights are of two types");
}

TEST(CudaRecurrent, RefusesWithAReason) {
  EXPECT_EQ(refusal(recurrent({}, DType::kF32, {{"activations", Strings{"Tanh", "Tanh"}}}), "recurrent"),
            "there are 2 activations");
  EXPECT_EQ(refusal(recurrent(kRnn, DType::kF32, {{"activations", Strings{"Sine"}}}), "recurrent"),
            "the activation 'sine' is not known");
  EXPECT_EQ(refusal(recurrent({.steps = 5000}, DType::kF32), "recurrent"), "5000 steps are too many launches");
  NodeCase c = projected({}, DType::kF32);
  c.inputs[1].constant = false;
  EXPECT_EQ(refusal(c, "recurrent_chip"), "the recurrent weights are not constant");
  EXPECT_EQ(refusal(projected({.steps = 1, .batch = 1, .hidden = 1024}, DType::kF32), "recurrent_chip"),
            "the weights of 1024 units do not lie in the memory of clusters of " + std::to_string(target_cluster()) +
                " blocks");
  EXPECT_EQ(refusal(projected({.steps = 5000, .hidden = 1}, DType::kF32), "recurrent_chip"), "");
}

// What another chip than the one that an engine was built for says.
TEST(CudaRecurrent, OtherChips) {
  const auto emitted = [](const BuiltNode& node, int64_t blocks) {
    for (const Tactic* tactic : tactic_list().all())
      if (tactic->name == "recurrent_chip") return tactic->emit(node.problem(), {{"blocks", blocks}});
    throw Error(Code::kInternal, "there is no such tactic");
  };
  const BuiltNode wide(projected({.hidden = 64}, DType::kF32)), half(projected({.hidden = 64}, DType::kF16));
  EXPECT_TRUE(prepare_without_gpu(wide, emitted(wide, 1), 75).ok());
  EXPECT_TRUE(prepare_without_gpu(half, emitted(half, 1), 80).ok());
  EXPECT_TRUE(prepare_without_gpu(half, emitted(half, 8), 120).ok());
  EXPECT_EQ(prepare_without_gpu(half, emitted(half, 1), 75).code, Code::kPlanDevice);
  EXPECT_THROW((void)prepare_without_gpu(half, emitted(half, 2), 80), Error);
  EXPECT_THROW((void)prepare_without_gpu(half, emitted(half, 16), 120), Error);
}

}  // namespace
}  // namespace kiln::cuda::testing
