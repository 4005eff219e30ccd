// Devices that are another, absent, full, or lost in the middle of an inference: errors that say so, and contexts that work afterwards.
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// On the pretend device the sum runs on the host.
constexpr const char* kSmallNetwork = R"(graph main(%x: float32[4,8]) {
  %axis = constant int64[]:{0}
  %w = random float32[8,8] seed 1
  %a = MatMul(%x, %w)
  %s = CumSum "sum"(%a, %axis)
  %y = Softmax(%s)
  return %y
})";

plan::Plan plan_for(const char* target) {
  pretend::register_pretend();
  return build(kSmallNetwork, options_of(target, 0));
}

Tensor input() { return random_f32({4, 8}, 2); }

void expect_right(Context& context, const std::string& where) {
  std::vector<Tensor> got;
  ASSERT_NO_THROW(got = run(context, {input()})) << where;
  expect_close(got[0], reference(kSmallNetwork, {input()})[0], where);
}

// The plan's step ran on that device, too.
void name_device(plan::Plan& plan, const std::string& name, const std::string& fingerprint) {
  plan.others.push_back({name, fingerprint});
  std::sort(plan.others.begin(), plan.others.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
}

template <class F> void expect_error(F&& make, Code code, const std::vector<std::string>& parts) {
  try {
    make();
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    for (const std::string& part : parts)
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << part << "\n" << e.what();
  }
}

TEST(BadDevices, APlanForAnotherArchitecture) {
  for (const char* target : {"cpu", "pretend"}) {
    plan::Plan plan = plan_for(target);
    const std::string here = plan.fingerprint;
    plan.fingerprint = "another chip";
    expect_error([&] { reload(plan); }, Code::kPlanDevice, {"built for another chip", here, "remedy"});
  }
}

TEST(BadDevices, APlanForADeviceThatIsAbsent) {
  plan::Plan plan = plan_for("pretend");
  plan.device = "absent";
  for (plan::Program& program : plan.programs)
    for (plan::StepInfo& step : program.steps)
      if (step.device == "pretend") step.device = "absent";
  expect_error([&] { reload(plan); }, Code::kNotFound, {"'absent'", "libkiln_absent.so", "kiln list devices"});
}

TEST(BadDevices, AStepOfADeviceThatIsAbsent) {
  plan::Plan plan = plan_for("cpu");
  plan.programs[0].steps.back().device = "absent";
  expect_error([&] { reload(plan); }, Code::kMalformedPlan,
               {plan.programs[0].steps.back().op});  // the plan does not name it
  name_device(plan, "absent", "any");
  expect_error([&] { reload(plan); }, Code::kNotFound, {"'absent'", "kiln list devices"});
}

TEST(BadDevices, AStepOfADeviceThatWasAnother) {
  plan::Plan plan = plan_for("pretend");
  ASSERT_FALSE(plan.others.empty());
  plan.others[0].fingerprint = "another processor";
  expect_error([&] { reload(plan); }, Code::kPlanDevice, {"built for another processor", "remedy"});
}

TEST(BadDevices, APlanForADeviceWithOtherMemory) {
  plan::Plan plan = plan_for("cpu");
  name_device(plan, "cpu", plan.fingerprint);
  plan.device = "pretend";
  plan.fingerprint = open_device("pretend").fingerprint();
  expect_error([&] { Engine::from_plan(plan); }, Code::kPlanDevice, {"another kind of memory", "remedy"});
}

TEST(BadDevices, AStepOfASecondDeviceWithMemoryOfItsOwn) {
  plan::Plan plan = plan_for("cpu");
  plan.programs[0].steps.back().device = "pretend";
  name_device(plan, "pretend", open_device("pretend").fingerprint());
  expect_error([&] { reload(plan); }, Code::kMalformedPlan, {"second device, 'pretend'"});
}

TEST(BadDevices, AKernelThatTheDeviceLacks) {
  plan::Plan plan = plan_for("pretend");
  plan::StepInfo* own = nullptr;
  for (plan::StepInfo& step : plan.programs[0].steps)
    if (step.device == "pretend") own = &step;
  ASSERT_TRUE(own);
  own->kernel = "nothing";
  expect_error([&] { reload(plan); }, Code::kMalformedPlan, {"'nothing'", "'pretend'", own->name});
}

TEST(BadDevices, AFullDeviceIsAnErrorWhereverItFillsUp) {
  const plan::Plan plan = plan_for("pretend");
  const int64_t before = pretend::memory_in_use();
  int refused = 0;
  for (int allocations = 0;; ++allocations) {
    ASSERT_LT(allocations, 100);
    pretend::fail_allocations_after(allocations);
    Code code = Code::kOk;
    try {
      run(*reload(plan)->create_context(), {input()});
    } catch (const Error& e) {
      code = e.code();
      EXPECT_EQ(code, Code::kOutOfMemory) << e.what();
    }
    pretend::fail_allocations_after(-1);
    EXPECT_EQ(pretend::memory_in_use(), before) << allocations;
    if (code == Code::kOk) break;
    ++refused;
  }
  EXPECT_GE(refused, 3);  // weights, the context, an input
  expect_right(*reload(plan)->create_context(), "afterwards");
}

TEST(BadDevices, ADeviceThatIsLostInTheMiddle) {
  const auto engine = reload(plan_for("pretend"));
  const auto context = engine->create_context();
  Bound bound = bind(*context, {input()});
  const auto stream = engine->device().create_stream();
  const auto infer = [&] {
    const Status status = context->enqueue(*stream), late = stream->synchronize();
    return status.ok() ? late : status;
  };
  const int64_t start = pretend::work_done();
  ASSERT_TRUE(infer().ok());
  const int64_t pieces = pretend::work_done() - start;
  ASSERT_GE(pieces, 4);  // two kernels and two copies
  int named = 0;
  for (int64_t n = 0; n < pieces; ++n) {
    pretend::lose_device_after(n);
    const Status status = infer();
    EXPECT_EQ(status.code, Code::kExecution) << n;
    EXPECT_NE(std::string(status.detail).find("lost"), std::string::npos) << status.detail;
    named += std::string(context->error_text()).find("step '") != std::string::npos;
    pretend::lose_device(false);
    ASSERT_TRUE(infer().ok()) << n;
    expect_close(bound.results[0]->fetch(), reference(kSmallNetwork, {input()})[0], "lost after " + std::to_string(n));
  }
  EXPECT_GE(named, 1);  // what the host waits for fails in a step
  expect_right(*context, "bound anew");
}

TEST(BadDevices, ADeviceThatIsLostBeforehand) {
  const plan::Plan plan = plan_for("pretend");
  const auto engine = reload(plan);
  const auto context = engine->create_context();
  const Bound bound = bind(*context, {input()});
  const auto stream = engine->device().create_stream();
  const int64_t before = pretend::memory_in_use();
  pretend::lose_device(true);
  expect_error([&] { reload(plan); }, Code::kExecution, {"lost"});
  expect_error([&] { engine->create_context(); }, Code::kExecution, {"lost"});
  EXPECT_EQ(context->enqueue(*stream).code, Code::kExecution);
  EXPECT_NE(std::string(context->error_text()).find("lost"), std::string::npos) << context->error_text();
  pretend::lose_device(false);
  EXPECT_EQ(pretend::memory_in_use(), before);
  expect_right(*context, "found again");
}

}  // namespace
}  // namespace kiln::testing
