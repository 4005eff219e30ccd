// Recurrent layers on NVIDIA GPUs.
#include <gtest/gtest.h>

#include "cuda/node_check.h"

namespace kiln::cuda::testing {
namespace {

Operand values(Dims dims, DType type) { return {.dims = std::move(dims), .type = type}; }
const Operand kAbsent{.dims = {}, .present = false};

struct Layer {
  const char* op = "LSTM";
  int64_t gates = 4, steps = 5, batch = 3, input = 7, hidden = 9, directions = 1;
  bool bias = true, state = false, batch_first = false;
};

NodeCase recurrent(const Layer& l, DType type, Attributes attributes = {}) {
  NodeCase c{.op = l.op, .attributes = std::move(attributes), .outputs = l.gates == 4 ? 3 : 2};
  c.tolerance = type == DType::kF32 ? 2e-5 : type == DType::kF16 ? 3e-3 : 2e-2;
  if (l.batch_first) c.attributes.set("layout", int64_t{1});
  if (l.directions == 2) c.attributes.set("direction", std::string("bidirectional"));
  const Dims state = l.batch_first ? Dims{l.batch, l.directions, l.hidden} : Dims{l.directions, l.batch, l.hidden};
  c.inputs = {values(l.batch_first ? Dims{l.batch, l.steps, l.input} : Dims{l.steps, l.batch, l.input}, type),
              values({l.directions, l.gates * l.hidden, l.input}, type),
              values({l.directions, l.gates * l.hidden, l.hidden}, type)};
  c.inputs.push_back(l.bias ? values({l.directions, 2 * l.gates * l.hidden}, type) : kAbsent);
  c.inputs.push_back(kAbsent);
  c.inputs.push_back(l.state ? values(state, type) : kAbsent);
  if (l.gates == 4) c.inputs.push_back(l.state ? values(state, type) : kAbsent);
  return c;
}

const std::set<std::string> kTaken{"recurrent"};

TEST(CudaRecurrent, CellsDirectionsAndStates) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16})
    for (int64_t directions : {1, 2})
      for (bool state : {false, true}) {
        EXPECT_EQ(check(recurrent({.directions = directions, .state = state}, type)), kTaken);
        EXPECT_EQ(check(recurrent({.op = "GRU", .gates = 3, .directions = directions, .state = state}, type,
                                  {{"linear_before_reset", int64_t{1}}})),
                  kTaken);
        EXPECT_EQ(check(recurrent({.op = "RNN", .gates = 1, .directions = directions, .state = state}, type)), kTaken);
      }
}

TEST(CudaRecurrent, SizesAndLayouts) {
  check(recurrent({.steps = 1, .batch = 1, .input = 64, .hidden = 128}, DType::kF32));
  check(
      recurrent({.steps = 20, .batch = 9, .input = 33, .hidden = 70, .bias = false, .state = true, .batch_first = true},
                DType::kF32));
  check(recurrent({.directions = 2, .batch_first = true}, DType::kF32));
  check(recurrent({.batch = 0}, DType::kF32));
  check(recurrent({}, DType::kF32, {{"direction", std::string("reverse")}}));
  check(recurrent({.op = "RNN", .gates = 1}, DType::kF32, {{"activations", Strings{"Relu"}}}));
}

// Weights in bytes, of which rows have scales and zero points.
NodeCase dequantized(const Layer& l, DType bytes, bool zeros) {
  const bool lstm = l.gates == 4;
  NodeCase c = recurrent(l, DType::kF32, {{"cell", std::string(lstm ? "LSTM" : "GRU")}});
  c.op = "RecurrentDequantized";
  if (!lstm) c.attributes.set("linear_before_reset", int64_t{1});
  const Operand scale = [&] {
    Tensor t = random_tensor(DType::kF32, {l.directions, l.gates * l.hidden}, 5);
    for (float& v : t.as_mutable<float>()) v = v / 20;
    return Operand{.dims = t.dims(), .value = t};
  }();
  const Operand zero = zeros ? values({l.directions, l.gates * l.hidden}, bytes) : kAbsent;
  c.inputs[1].type = c.inputs[2].type = bytes;
  c.inputs.insert(c.inputs.begin() + 3, {scale, scale, zero, zero});
  return c;
}

TEST(CudaRecurrent, WeightsInBytes) {
  for (DType bytes : {DType::kI8, DType::kU8})
    for (bool zeros : {false, true})
      for (int64_t directions : {1, 2})
        for (const Layer& l :
             {Layer{.directions = directions, .state = true},
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
              Layer{.batch = 0, .directions = directions}})
          EXPECT_EQ(check(dequantized(l, bytes, zeros)), std::set<std::string>{"recurrent_bytes"});
  NodeCase c = dequantized({}, DType::kI8, false);
  c.inputs[2].type = DType::kU8;
  EXPECT_EQ(refusal(c, "recurrent_bytes"), "the weights are of two types");
}

TEST(CudaRecurrent, RefusesWithAReason) {
  EXPECT_EQ(refusal(recurrent({.op = "GRU", .gates = 3}, DType::kF32), "recurrent"), "it resets before the product");
  EXPECT_EQ(refusal(recurrent({}, DType::kF32, {{"clip", 1.0}}), "recurrent"), "it clips");
  EXPECT_EQ(refusal(recurrent({}, DType::kF32, {{"activations", Strings{"Tanh", "Tanh", "Tanh"}}}), "recurrent"),
            "it has other activations than usual");
}

}  // namespace
}  // namespace kiln::cuda::testing
