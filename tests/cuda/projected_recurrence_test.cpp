// What the rule for recurrent layers makes of graphs, against what they were.
#include "backends/cuda/target/projected_recurrence.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backends/cuda/target/target.h"
#include "cuda/graphs.h"
#include "passes/pass.h"

namespace kiln::cuda {
namespace {

std::unique_ptr<ir::Graph> after(const std::string& text, const passes::PassOptions& options) {
  auto graph = ir::parse_graph(text);
  passes::run_passes(
      *graph,
      {{"recurrent", [](ir::Graph& g, passes::PassContext& c) { passes::apply_rules(g, target().rules(), c); }}},
      options);
  return graph;
}
std::unique_ptr<ir::Graph> after(const std::string& text) { return after(text, {.limits = target().fusion()}); }

// The operators that are left; they compute the same.
std::string left_of(const std::string& text) {
  const auto graph = after(text);
  const std::vector<Datum> wanted = values_of(*ir::parse_graph(text)), got = values_of(*graph);
  EXPECT_EQ(wanted.size(), got.size());
  for (size_t k = 0; k < std::min(wanted.size(), got.size()); ++k) {
    const Tensor &want = wanted[k].tensor, &have = got[k].tensor;
    EXPECT_EQ(want.dims(), have.dims()) << text;
    for (int64_t i = 0; i < std::min(want.size(), have.size()); ++i)
      EXPECT_NEAR(want.at(i), have.at(i), want.dtype() == DType::kF32 ? 1e-5 : 2e-3) << text;
  }
  return operator_names(*graph);
}

const char* const kProjected = "MatMul RecurrentProjected";

TEST(ProjectedRecurrence, CellsLayoutsAndOperands) {
  EXPECT_EQ(left_of(R"(graph main(%x: float32[3,2,4]) {
  %w = random float32[1,12,4] seed 1
  %r = random float32[1,12,3] seed 2
  %b = random float32[1,24] seed 3
  %y, %h, %c = LSTM "lstm"(%x, %w, %r, %b) {hidden_size = 3}
  return %y, %h, %c
})"),
            kProjected);
  EXPECT_EQ(left_of(R"(graph main(%x: float16[2,3,4], %h0: float16[2,2,3], %c0: float16[2,2,3]) {
  %w = random float16[2,12,4] seed 1
  %r = random float16[2,12,3] seed 2
  %p = random float16[2,9] seed 3
  %l = constant int32[2]:{1,3}
  %y = LSTM(%x, %w, %r, _, %l, %h0, %c0, %p) {clip = 0.5, direction = "bidirectional", input_forget = 1, layout = 1}
  return %y
})"),
            kProjected);
  EXPECT_EQ(left_of(R"(graph main(%x: float32[5,1,2]) {
  %w = random float32[1,9,2] seed 1
  %r = random float32[1,9,3] seed 2
  %y, %h = GRU(%x, %w, %r) {direction = "reverse"}
  return %y, %h
})"),
            kProjected);
  EXPECT_EQ(left_of(R"(graph main(%x: float32[5,1,2], %r: float32[1,3,3]) {
  %w = random float32[1,3,2] seed 1
  %y = RNN(%x, %w, %r) {activations = ["Affine"], activation_alpha = [0.5], activation_beta = [0.25]}
  return %y
})"),
            kProjected);
}

TEST(ProjectedRecurrence, StaysAsItIs) {
  const char* const one_step = R"(graph main(%x: float32[1,2,4]) {
  %w = random float32[1,3,4] seed 1
  %r = random float32[1,3,3] seed 2
  %y = RNN(%x, %w, %r)
  return %y
})";
  EXPECT_EQ(left_of(one_step), "RNN");
  EXPECT_EQ(left_of(R"(graph main(%x: float32[3,2,4], %w: float32[1,3,4]) {
  %r = random float32[1,3,3] seed 2
  %y = RNN(%x, %w, %r)
  return %y
})"),
            "RNN");
  EXPECT_EQ(left_of(R"(graph main(%x: float64[3,2,4]) {
  %w = random float64[1,3,4] seed 1
  %r = random float64[1,3,3] seed 2
  %y = RNN(%x, %w, %r)
  return %y
})"),
            "RNN");
}

TEST(ProjectedRecurrence, CanBeSwitchedOff) {
  const char* const text = R"(graph main(%x: float32[3,2,4]) {
  %w = random float32[1,3,4] seed 1
  %r = random float32[1,3,3] seed 2
  %y = RNN(%x, %w, %r)
  return %y
})";
  EXPECT_EQ(operator_names(*after(text)), kProjected);
  EXPECT_EQ(operator_names(*after(text, {.disabled = {"projected_recurrence"}, .limits = target().fusion()})), "RNN");
}

}  // namespace
}  // namespace kiln::cuda
