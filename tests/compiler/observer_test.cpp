// What an observer of a context sees: every result of every step, in row-major order, before its memory is used again.
#include "base/error.h"
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// Values of the graph as it was lowered, by name.
std::map<std::string, Tensor> values_of(const ir::Graph& graph, const std::vector<Tensor>& inputs) {
  std::map<std::string, Tensor> values;
  ir::evaluate(graph, std::vector<Datum>(inputs.begin(), inputs.end()),
               [&](const ir::Value& v, const Datum& d) { values[v.name()] = d.tensor; });
  return values;
}

// Runs an engine twice with an observer and once without; returns how many results the observer saw in one run.
size_t expect_all_results(const std::string& text, const std::vector<Tensor>& inputs, const char* target,
                          const std::vector<ProfileBounds>& profiles = {}) {
  CompileOptions options = options_of(target, 0, profiles);
  std::unique_ptr<ir::Graph> lowered;
  options.after_stage = [&](const std::string& stage, const ir::Graph& g) {
    if (stage == kLastStage) lowered = g.clone();
  };
  const auto engine = Engine::from_plan(build(text, options));
  const auto expected = values_of(*lowered, inputs);
  const auto context = engine->create_context();
  size_t seen = 0, next = 0;
  for (int round = 0; round < 2; ++round) {
    seen = next = 0;
    context->set_observer([&](size_t step, size_t output, const Datum& value) {
      EXPECT_GE(step, next) << "steps in order";
      next = step;
      const plan::StepInfo& info = engine->main().steps[step];
      const std::string& name = engine->main().tensors[static_cast<size_t>(info.outputs[output])].name;
      ASSERT_TRUE(expected.count(name)) << name;
      expect_close(value.tensor, expected.at(name), std::string(target) + " value " + name);
      ++seen;
    });
    run(*context, inputs);
  }
  context->set_observer(nullptr);
  const auto plain = run(*context, inputs), reference_values = reference(text, inputs);
  for (size_t i = 0; i < plain.size(); ++i) expect_close(plain[i], reference_values[i], "output");
  return seen;
}

TEST(Observer, SeesLayoutsViewsAndMemoryThatIsUsedAgain) {
  const char* text = R"(graph main(%x: float32[2,8,6,5]) {
    %w1 = random float32[16,8,3,3] seed 1
    %w2 = random float32[8,8,1,1] seed 2
    %w3 = random float32[8,32,1,1] seed 3
    %s = constant int64[2]:{2,240}
    %a = Conv(%x, %w1) {pads=[1,1,1,1]}
    %b = Conv(%x, %w2)
    %p = MaxPool(%x) {kernel_shape=[3,3],pads=[1,1,1,1]}
    %c = Concat(%a, %b, %p) {axis=1}
    %d = Sigmoid(%c)
    %e = Conv(%d, %w3)
    %f = Softmax(%e) {axis=1}
    %g = Reshape(%f, %s)
    %y = Softmax(%g)
    return %y
  })";
  for (const char* target : {"cpu", "ref"})
    EXPECT_GE(expect_all_results(text, {random_f32({2, 8, 6, 5}, 6)}, target), 7u);
}

TEST(Observer, SeesSizesKnownWhileRunning) {
  const char* text = R"(graph main(%x: float32[n,4]) {
    %r = Relu(%x)
    %i = NonZero(%r)
    %t = Transpose(%i) {perm=[1,0]}
    %v = GatherND(%x, %t)
    %y = Exp(%v)
    return %y, %t
  })";
  EXPECT_GE(expect_all_results(text, {random_f32({3, 4}, 16)}, "cpu", {{{"x", {{1, 4}, {2, 4}, {5, 4}}}}}), 4u);
  EXPECT_GE(
      expect_all_results(text, {Tensor::allocate(DType::kF32, {2, 4})}, "cpu", {{{"x", {{1, 4}, {2, 4}, {5, 4}}}}}),
      4u);
}

TEST(Observer, WhatItThrowsEndsTheEnqueue) {
  const char* text = "graph main(%x: float32[3]) {\n %a = Exp(%x)\n %y = Softmax(%a)\n return %y\n}";
  const auto engine = Engine::from_plan(build(text, options_of("cpu", 0)));
  const auto context = engine->create_context();
  int calls = 0;
  context->set_observer([&](size_t, size_t, const Datum&) {
    ++calls;
    throw Error(Code::kInvalidArgument, "seen enough");
  });
  Bound bound = bind(*context, {random_f32({3}, 1)});
  const auto stream = engine->device().create_stream();
  EXPECT_FALSE(context->enqueue(*stream).ok());
  EXPECT_NE(std::string(context->error_text()).find("seen enough"), std::string::npos);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace kiln::testing
