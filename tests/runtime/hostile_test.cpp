// Plans that verify and still ask for what must not be done: refused when loaded, prepared or run.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <limits>
#include <thread>

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

plan::StepInfo& step_with(plan::Plan& plan, const std::string& kernel) {
  for (plan::Program& p : plan.programs)
    for (plan::StepInfo& s : p.steps)
      if (s.kernel == kernel) return s;
  throw Error(Code::kInternal, "no step has the kernel '" + kernel + "'");
}

// The code with which running refuses; kOk when it does not.
Code outcome(const plan::Plan& plan, const std::vector<Tensor>& inputs) {
  try {
    auto context = reload(plan)->create_context();
    run(*context, inputs);
    return Code::kOk;
  } catch (const Error& e) {
    return e.code();
  }
}

constexpr const char* kLoop = R"(graph main(%x: float32[2]) {
  %count = constant int64[]:{3}
  %y, %all = Loop(%count, _, %x) regions {
    graph body(%i: int64[], %c: bool[], %s: float32[2]) {
      %c2 = Identity(%c)
      %t = Add(%s, %s)
      return %c2, %t, %t
    }
  }
  return %y, %all
})";

// Each on the host's memory, and on a device with memory of its own.
class Hostile : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { pretend::register_pretend(); }
};
INSTANTIATE_TEST_SUITE_P(Devices, Hostile, ::testing::Values("cpu", "pretend"),
                         [](const auto& device) { return std::string(device.param); });

TEST_P(Hostile, CountsOfALoop) {
  const std::vector<Tensor> inputs{random_f32({2}, 1)};
  const plan::Plan plan = build(kLoop, options_of(GetParam(), 0));
  EXPECT_EQ(outcome(plan, inputs), Code::kOk);
  for (int64_t captures : {int64_t{-1}, int64_t{2}, int64_t{100}, std::numeric_limits<int64_t>::max(),
                           std::numeric_limits<int64_t>::min()}) {
    plan::Plan damaged = plan;
    step_with(damaged, "loop").parameters.set("captures", captures);
    EXPECT_NE(outcome(damaged, inputs), Code::kOk) << captures;
  }
}

// The count is an input: none, one or two integers.
TEST_P(Hostile, ALoopCountsWithOneNumber) {
  std::string text = kLoop;
  text.replace(text.find("graph main("), 11, "graph main(%count: int64[k], ");
  text.erase(text.find("  %count = constant"), text.find("%y, %all") - text.find("  %count = constant") - 2);
  const plan::Plan plan = build(text, options_of(GetParam(), 0, {{{"count", {{0}, {1}, {2}}}}}));
  const Tensor x = random_f32({2}, 1);
  EXPECT_EQ(outcome(plan, {Tensor::of<int64_t>({1}, {3}), x}), Code::kOk);
  EXPECT_EQ(outcome(plan, {Tensor::of<int64_t>({2}, {3, 3}), x}), Code::kExecution);
  EXPECT_EQ(outcome(plan, {Tensor::of<int64_t>({0}, {}), x}), Code::kExecution);
}

// A loop whose condition never ends it.
TEST_P(Hostile, AnEndlessLoopCanBeStopped) {
  const plan::Plan plan = build(R"(graph main(%x: float32[2]) {
    %y = Loop(_, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %s: float32[2]) {
        %c2 = Identity(%c)
        %t = Neg(%s)
        return %c2, %t
      }
    }
    return %y
  })",
                                options_of(GetParam(), 0));
  auto context = reload(plan)->create_context();
  std::atomic<bool> done = false;
  std::thread stopper([&] {
    while (!done) {
      context->stop();
      std::this_thread::yield();
    }
  });
  try {
    run(*context, {random_f32({2}, 1)});
    ADD_FAILURE() << "it ended";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidState);
    EXPECT_NE(e.message().find("stopped"), std::string::npos) << e.message();
  }
  done = true;
  stopper.join();
}

// Layers that would take very long: three million boxes of which none hides another, and a transform of a million steps by its
// definition.
struct HugeLayer {
  const char *device, *text;
  std::vector<Dims> inputs;
};
const HugeLayer kHugeLayers[] = {{"cpu",
                                  R"(graph main(%boxes: float32[1,3000000,4], %scores: float32[1,1,3000000]) {
    %most = constant int64[]:{3000000}
    %overlap = constant float32[]:{1.0}
    %y = NonMaxSuppression(%boxes, %scores, %most, %overlap)
    return %y
  })",
                                  {{1, 3000000, 4}, {1, 1, 3000000}}},
                                 {"ref",
                                  R"(graph main(%x: float32[1,1048576,1]) {
    %y = DFT(%x)
    return %y
  })",
                                  {{1, 1048576, 1}}}};

std::vector<Tensor> inputs_of(const HugeLayer& layer) {
  std::vector<Tensor> inputs;
  for (const Dims& dims : layer.inputs) inputs.push_back(random_f32(dims, inputs.size()));
  return inputs;
}

std::string refusal(Context& context, const std::vector<Tensor>& inputs) {
  try {
    run(context, inputs);
    return "it ended";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidState);
    return e.message();
  }
}

TEST(Hostile, AHugeLayerEndsWithin) {
  for (const HugeLayer& layer : kHugeLayers) {
    const std::vector<Tensor> inputs = inputs_of(layer);
    auto context = reload(build(layer.text, options_of(layer.device, 0)))->create_context();
    context->set_time_limit(0.3);
    const std::string late = refusal(*context, inputs);
    EXPECT_NE(late.find("longer than its limit of time"), std::string::npos) << layer.device << ": " << late;
    context->set_time_limit(0);
    std::atomic<bool> done = false;
    std::thread stopper([&] {
      while (!done) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        context->stop();
      }
    });
    const std::string stopped = refusal(*context, inputs);
    EXPECT_NE(stopped.find("the inference was stopped"), std::string::npos) << layer.device << ": " << stopped;
    done = true;
    stopper.join();
  }
}

// Of what is around it.
TEST(Hostile, AHugeLayerEndsWithTheWorkThatItIsAPartOf) {
  auto context = reload(build(kHugeLayers[0].text, options_of("cpu", 0)))->create_context();
  const WorkScope scope({.name = "the whole", .deadline = deadline_after(0.3), .seconds = 0.3});
  EXPECT_NE(refusal(*context, inputs_of(kHugeLayers[0])).find("was ended"), std::string::npos);
  EXPECT_THROW(check_work(), Error);
}

constexpr const char* kScan = R"(graph main(%s: float32[2], %x: float32[3,2]) {
  %y, %all = Scan(%s, %x) {num_scan_inputs=1} regions {
    graph body(%a: float32[2], %b: float32[2]) {
      %t = Add(%a, %b)
      %u = Mul(%t, %b)
      return %t, %u
    }
  }
  return %y, %all
})";

TEST_P(Hostile, CountsOfAScan) {
  const std::vector<Tensor> inputs{random_f32({2}, 1), random_f32({3, 2}, 2)};
  const plan::Plan plan = build(kScan, options_of(GetParam(), 0));
  EXPECT_EQ(outcome(plan, inputs), Code::kOk);
  for (const char* name : {"captures", "num_scan_inputs"})
    for (int64_t count : {int64_t{-1}, int64_t{5}, std::numeric_limits<int64_t>::min()}) {
      plan::Plan damaged = plan;
      step_with(damaged, "scan").parameters.set(name, count);
      EXPECT_NE(outcome(damaged, inputs), Code::kOk) << name << " " << count;
    }
}

// A step has the parameters of its kernel, no fewer and no more; the error names both.
TEST_P(Hostile, ParametersOfAStep) {
  constexpr const char* kSoftmax = R"(graph main(%x: float32[2,3]) {
    %y = Softmax "soft"(%x) {axis=1}
    return %y
  })";
  const plan::Plan plan = build(kSoftmax, options_of(GetParam(), 0));
  EXPECT_EQ(outcome(plan, {random_f32({2, 3}, 1)}), Code::kOk);
  const auto refused = [&](const std::function<void(Attributes&)>& damage, const std::string& text) {
    plan::Plan damaged = plan;
    damage(step_with(damaged, "softmax").parameters);
    try {
      reload(damaged)->create_context();
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kMalformedPlan) << e.what();
      EXPECT_NE(e.node().find("'soft'"), std::string::npos) << e.what();
      EXPECT_NE(e.message().find(text), std::string::npos) << e.what();
    }
  };
  refused([](Attributes& p) { p.erase("axis"); }, "'axis' is missing");
  refused([](Attributes& p) { p.set("axis", std::string("1")); }, "'axis' has another type");
  refused([](Attributes& p) { p.set("axis", int64_t{64}); }, "'axis' is 64");
  refused([](Attributes& p) { p.set("stranger", int64_t{1}); }, "'stranger' is none of the step's");
}

// A kernel of a loop's body that takes tensors of known shape, and a slot that holds another type than the plan says.
TEST_P(Hostile, SlotsOfAnotherType) {
  const std::vector<Tensor> inputs{random_f32({2}, 1)};
  plan::Plan plan = build(kLoop, options_of(GetParam(), 0));
  plan::Program& body = plan.programs.at(1);
  ASSERT_EQ(body.inputs.size(), 3u);
  plan::TensorInfo& state = body.tensors[static_cast<size_t>(body.inputs[2])];
  ASSERT_EQ(state.dtype, DType::kF32);
  state.dtype = DType::kC128;
  EXPECT_NE(outcome(plan, inputs), Code::kOk);
}

plan::TensorInfo& operand(plan::Plan& plan, const std::vector<int32_t>& operands) {
  return plan.programs[0].tensors.at(static_cast<size_t>(operands.at(0)));
}

// A Pad that writes over its own input, as a fuzzer once found it.
TEST_P(Hostile, APadOverItsOwnInput) {
  const std::vector<Tensor> inputs{random_f32({2, 8}, 1)};
  plan::Plan plan = build(R"(graph main(%x: float32[2,8]) {
    %a = Tanh(%x)
    %pads = constant int64[4]:{0, 0, 0, 8}
    %b = Pad(%a, %pads)
    %y = Neg(%b)
    return %y
  })",
                          options_of(GetParam(), 0));
  EXPECT_EQ(outcome(plan, inputs), Code::kOk);
  plan::StepInfo& pad = step_with(plan, "pad");
  ASSERT_EQ(operand(plan, pad.outputs).storage, plan::Storage::kArena);
  operand(plan, pad.outputs).offset = operand(plan, pad.inputs).offset;
  for (Sharing sharing : {Sharing::kNothing, Sharing::kInPlace, Sharing::kParts}) {
    pad.sharing = sharing;
    EXPECT_EQ(outcome(plan, inputs), Code::kMalformedPlan);
  }
}

// Preparing takes work and memory by the stretches of the result, not by its elements.
TEST_P(Hostile, PadsOfBillions) {
  for (const char* mode : {"edge", "wrap", "reflect", "constant"}) {
    const plan::Plan plan = build(std::string(R"(graph main(%x: float32[3]) {
      %pads = constant int64[2]:{4294967296, 4294967296}
      %y = Pad(%x, %pads) {mode=")") + mode +
                                      "\"}\n      return %y\n    }",
                                  options_of(GetParam(), 0));
    const auto context = reload(plan)->create_context_without_memory();
    const Status status = context->prepare();
    const bool repeats = std::string(mode) == "wrap" || std::string(mode) == "reflect";
    EXPECT_EQ(status.ok(), !repeats) << mode << ": " << context->error_text();
  }
}

// What the plan lets a step share counts only when its kernel says the same.
TEST_P(Hostile, AKernelThatSharesNothing) {
  const std::vector<Tensor> inputs{random_f32({2, 8}, 1)};
  plan::Plan plan = build(R"(graph main(%x: float32[2,8]) {
    %a = Tanh(%x)
    %axis = constant int64[]:{1}
    %b = CumSum(%a, %axis)
    %y = Neg(%b)
    return %y
  })",
                          options_of(GetParam(), 0));
  EXPECT_EQ(outcome(plan, inputs), Code::kOk);
  plan::StepInfo& sum = step_with(plan, "cumulative");
  ASSERT_EQ(operand(plan, sum.inputs).size, operand(plan, sum.outputs).size);
  operand(plan, sum.outputs).offset = operand(plan, sum.inputs).offset;
  EXPECT_EQ(outcome(plan, inputs), Code::kMalformedPlan);
  sum.sharing = Sharing::kInPlace;
  EXPECT_NO_THROW(plan::verify(plan));
  EXPECT_EQ(outcome(plan, inputs), Code::kMalformedPlan);
}

// A body that writes into what it was given, which may be a constant of the file.
TEST_P(Hostile, ABodyThatWritesItsInput) {
  plan::Plan plan = build(kLoop, options_of(GetParam(), 0));
  plan::Program& body = plan.programs.at(1);
  for (plan::StepInfo& step : body.steps)
    if (step.op == "Add") step.outputs[0] = body.inputs[2];
  EXPECT_EQ(outcome(plan, {random_f32({2}, 1)}), Code::kMalformedPlan);
}

// At n = 3 two parts would meet, though they keep apart at every corner of the profile.
TEST_P(Hostile, PartsThatMeetBetweenTheCorners) {
  plan::Plan plan = build(R"(graph main(%x: float32[n,2]) {
    %a = Relu(%x)
    %b = Neg(%x)
    %c = Concat(%a, %b) {axis=0}
    %y = Tanh(%c)
    return %y
  })",
                          options_of(GetParam(), 0, {{{"x", {{1, 2}, {2, 2}, {4, 2}}}}}));
  plan::StepInfo& concat = step_with(plan, "concat");
  ASSERT_EQ(concat.sharing, Sharing::kParts);
  plan::TensorInfo& second = plan.programs[0].tensors.at(static_cast<size_t>(concat.inputs.at(1)));
  ASSERT_GE(second.view_of, 0);
  const Dim n = Dim::symbol("n");
  plan.dims.push_back((n - max(mod(n, 4) - 2, 0)).program());
  second.view_start = static_cast<uint32_t>(plan.dims.size() - 1);
  EXPECT_EQ(outcome(plan, {random_f32({2, 2}, 1)}), Code::kOk);
  EXPECT_EQ(outcome(plan, {random_f32({3, 2}, 1)}), Code::kShapeOutOfProfile);
}

// At n = 3 a part would begin behind the end of the whole, though it fits at every corner of the profile.
TEST_P(Hostile, ViewsBetweenTheCorners) {
  plan::Plan plan = build(R"(graph main(%x: float32[n,2]) {
    %a = Relu(%x)
    %b = Neg(%x)
    %c = Concat(%a, %b) {axis=0}
    %y = Tanh(%c)
    return %y
  })",
                          options_of(GetParam(), 0, {{{"x", {{1, 2}, {2, 2}, {4, 2}}}}}));
  EXPECT_EQ(outcome(plan, {random_f32({3, 2}, 1)}), Code::kOk);
  std::vector<plan::TensorInfo*> views;
  for (plan::TensorInfo& t : plan.programs[0].tensors)
    if (t.view_of >= 0) views.push_back(&t);
  ASSERT_FALSE(views.empty());
  const Dim n = Dim::symbol("n");
  plan.dims.push_back((max(mod(n, 4) - 2, 0) * 1000000).program());
  views[0]->view_start = static_cast<uint32_t>(plan.dims.size() - 1);
  EXPECT_EQ(outcome(plan, {random_f32({2, 2}, 1)}), Code::kOk);
  EXPECT_EQ(outcome(plan, {random_f32({3, 2}, 1)}), Code::kShapeOutOfProfile);
}

// A shape that no run changes is checked by every run until it has passed.
TEST_P(Hostile, AShapeTooLargeIsRefusedEachTime) {
  plan::Plan plan = build(R"(graph main(%x: float32[2,2]) {
    %a = Softmax(%x)
    %y = Softmax(%a)
    return %y
  })",
                          options_of(GetParam(), 0));
  plan.dims.push_back(Dim(int64_t{1} << 50).program());
  plan.dims.push_back(Dim(0).program());
  const auto last = static_cast<uint32_t>(plan.dims.size() - 1);
  size_t changed = 0;
  for (plan::TensorInfo& t : plan.programs[0].tensors)
    if (t.storage == plan::Storage::kArena) t.dims = {last - 1, last}, ++changed;
  ASSERT_GT(changed, 0U);
  const auto engine = reload(plan);
  const auto context = engine->create_context();
  const int32_t x = engine->main().inputs[0];
  EXPECT_TRUE(context->set_input_dims(x, Dims{2, 2}).ok());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(context->prepare().code, Code::kOverflow) << i;
}

// Copies from and into blocks whose operands or layouts are not what they take.
TEST_P(Hostile, CopiesOfBlocks) {
  auto graph = ir::parse_graph("graph main(%x: float32[1,8,2,3]) {\n  %y = Relu(%x)\n  return %y\n}");
  graph->inputs()[0]->layout = parse_layout("0123/1:4");
  CompileOptions options = options_of(GetParam(), 0);
  options.output_layouts = {parse_layout("0231/1:8")};
  const plan::Plan plan = compile(std::move(graph), options);
  const std::vector<Tensor> inputs{random_f32({1, 8, 2, 3}, 1)};
  EXPECT_EQ(outcome(plan, inputs), Code::kOk);
  ASSERT_EQ(plan.programs[0].steps.size(), 3U);
  const auto expect_refused = [&](const char* what, const std::function<void(plan::Program&)>& damage) {
    plan::Plan damaged = plan;
    damage(damaged.programs[0]);
    EXPECT_NE(outcome(damaged, inputs), Code::kOk) << what;
  };
  const auto layout_of = [](plan::Program& p, int32_t t) -> Layout& {
    return p.tensors[static_cast<size_t>(t)].layout;
  };
  expect_refused("nothing to fill with", [](plan::Program& p) { p.steps[2].inputs.pop_back(); });
  expect_refused("too much to fill with", [](plan::Program& p) { p.steps[2].inputs[1] = p.steps[2].inputs[0]; });
  expect_refused("something to fill with", [](plan::Program& p) { p.steps[0].inputs.push_back(p.steps[2].inputs[1]); });
  expect_refused("blocks on both sides",
                 [&](plan::Program& p) { layout_of(p, p.steps[0].outputs[0]).blocks = {{1, 4}}; });
  expect_refused("a kernel that knows no blocks",
                 [&](plan::Program& p) { layout_of(p, p.steps[1].outputs[0]).blocks = {{1, 4}}; });
  expect_refused("blocks within blocks",
                 [&](plan::Program& p) { layout_of(p, p.inputs[0]).blocks = {{1, 2}, {1, 2}}; });
  expect_refused("another axis", [](plan::Program& p) { p.steps[0].parameters.set("what", std::string("transpose")); });
}

}  // namespace
}  // namespace kiln::testing
