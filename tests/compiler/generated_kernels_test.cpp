// Generated kernels in plans: each once, run as they stand or made again, and what becomes of damaged ones. On the pretend device, whose
// machine code is text (pretend/program_text.h).
#include "base/error.h"
#include "compiler/engine_testing.h"
#include "plan/container.h"

namespace kiln::testing {
namespace {

// Two steps of one program, and one of another.
constexpr const char* kText = R"(graph main(%x: float32[3,4]) {
  %w = random float32[4,4] seed 1
  %half = constant float32[]:{0.5}
  %a = Mul(%x, %half)
  %b = MatMul(%a, %w)
  %s = Softmax(%b)
  %c = Mul(%s, %half)
  %d = MatMul(%c, %w)
  %t = Softmax(%d)
  %y = Exp(%t)
  return %y
})";

class GeneratedKernels : public ::testing::Test {
 protected:
  void TearDown() override { pretend::let_generate(true); }

  // The results, or the code with which loading refuses; what is refused names its step and a remedy.
  Code outcome(bool trusts, Tensor* result = nullptr) const {
    try {
      const Tensor got = run(*reload(plan_, {.trusts_kernels = trusts})->create_context(), {x_})[0];
      if (result) *result = got;
      return Code::kOk;
    } catch (const Error& e) {
      EXPECT_FALSE(e.node().empty()) << e.what();
      EXPECT_FALSE(e.remedy().empty()) << e.what();
      return e.code();
    }
  }
  void expect_right(bool trusts) const {
    Tensor got;
    ASSERT_EQ(outcome(trusts, &got), Code::kOk);
    expect_close(got, reference(kText, {x_})[0], trusts ? "trusted" : "made again");
  }
  void set_binary(std::string text) {
    auto owner = std::make_shared<std::string>(std::move(text));
    plan_.kernels[0].binary = std::as_bytes(std::span(*owner));
    plan_.kernels[0].owner = owner;
  }
  std::string binary() const {
    const auto bytes = plan_.kernels[0].binary;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  plan::StepInfo& step_of(int32_t code) {
    for (plan::StepInfo& s : plan_.programs[0].steps)
      if (s.code == code) return s;
    throw Error(Code::kInternal, "no step has that code");
  }

  plan::Plan plan_ = [] {
    pretend::register_pretend();
    return build(kText, options_of("pretend", 0));
  }();
  Tensor x_ = random_f32({3, 4}, 2);
};

TEST_F(GeneratedKernels, StandOnceInThePlan) {
  size_t users = 0;
  for (const plan::StepInfo& s : plan_.programs[0].steps) users += s.code >= 0;
  EXPECT_EQ(users, 3u);
  EXPECT_EQ(plan_.kernels.size(), 2u);
  const std::vector<std::byte> file = plan::write(plan_);
  size_t sections = 0;
  for (const plan::Section& s : plan::unpack(file).sections) sections += s.kind == plan::SectionKind::kKernels;
  EXPECT_EQ(sections, 1u);
  EXPECT_EQ(plan::write(build(kText, options_of("pretend", 0))), file);
  EXPECT_EQ(plan::unpack(plan::write(build(kText, options_of("cpu", 0)))).sections.size(), 2u);
}

TEST_F(GeneratedKernels, RunAsTheyStandOrAreMadeAgain) {
  for (bool trusts : {true, false}) expect_right(trusts);
}

// What the file says is run when it is trusted, and only then.
TEST_F(GeneratedKernels, OtherCodeIsRunOnlyWhenItIsTrusted) {
  std::string text = binary();
  const size_t mul = text.find(",35,");
  ASSERT_EQ(static_cast<int>(ScalarOp::kMul), 35);
  ASSERT_NE(mul, std::string::npos) << text;
  text[mul + 2] = '3';  // an addition
  set_binary(text);
  Tensor got;
  ASSERT_EQ(outcome(true, &got), Code::kOk);
  EXPECT_NE(got.at(0), reference(kText, {x_})[0].at(0));
  expect_right(false);
}

TEST_F(GeneratedKernels, DamagedCodeIsRefusedOrMadeAgain) {
  for (const std::string& text : {std::string("x"), binary().substr(0, 40), binary() + "}"}) {
    set_binary(text);
    EXPECT_EQ(outcome(true), Code::kMalformedPlan) << text;
    expect_right(false);
  }
}

TEST_F(GeneratedKernels, AreOfOneArchitectureGeneratorAndVersion) {
  const GeneratedKernel good = plan_.kernels[0];
  plan_.kernels[0].architecture = "pretend_2";
  for (bool trusts : {true, false}) EXPECT_EQ(outcome(trusts), Code::kPlanDevice);
  plan_.kernels[0] = good;
  plan_.kernels[0].version = 7;
  for (bool trusts : {true, false}) EXPECT_EQ(outcome(trusts), Code::kPlanVersion);
  plan_.kernels[0] = good;
  plan_.kernels[0].generator = "another";
  for (bool trusts : {true, false}) EXPECT_EQ(outcome(trusts), Code::kMalformedPlan);
}

TEST_F(GeneratedKernels, ParametersThatDoNotParseCannotBeMadeAgain) {
  plan_.kernels[0].parameters.set("program.inputs", int64_t{0});
  EXPECT_EQ(outcome(true), Code::kOk);
  EXPECT_THROW((void)reload(plan_, {.trusts_kernels = false}), Error);
}

TEST_F(GeneratedKernels, WithoutAGeneratorTrustIsNeeded) {
  pretend::let_generate(false);
  EXPECT_EQ(outcome(true), Code::kOk);
  EXPECT_EQ(outcome(false), Code::kUnsupported);
}

TEST_F(GeneratedKernels, GoWithKernelsThatTakeThem) {
  step_of(0).code = -1;
  EXPECT_EQ(outcome(true), Code::kMalformedPlan);
  for (plan::StepInfo& s : plan_.programs[0].steps)
    if (s.op == "MatMul") s.code = 1;
  EXPECT_THROW((void)reload(plan_), Error);
}

}  // namespace
}  // namespace kiln::testing
