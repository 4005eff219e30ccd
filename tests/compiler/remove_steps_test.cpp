// Steps whose results nobody reads are no steps.
#include "compiler/remove_steps.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// The operators of the main program's steps, transfers aside, and what was warned of.
struct Remaining {
  std::string ops, warnings;
};

Remaining built(const std::string& text, const std::string& target, std::vector<ProfileBounds> profiles) {
  pretend::register_pretend();
  Warnings warnings;
  CompileOptions options = options_of(target, 0, std::move(profiles));
  options.logger = &warnings;
  const plan::Plan plan = build(text, options);
  Remaining result{"", warnings.text};
  for (const plan::StepInfo& step : plan.programs[0].steps)
    if (!step.is_transfer()) result.ops += (result.ops.empty() ? "" : " ") + step.op;
  return result;
}

const std::vector<ProfileBounds> kRows{{{"x", {{1, 6}, {4, 6}, {9, 6}}}}};

// The kernel finds the size in its operand and its result.
constexpr const char* kLateSizes = R"(graph main(%x: float32[n,6], %c: float32[1,6]) {
    %s = Shape(%x)
    %e = Expand(%c, %s)
    %a = Softmax(%e)
    %b = Softmax(%x)
    %y = Sub(%a, %b)
    return %y
  })";

TEST(RemoveSteps, SizesThatNoKernelReads) {
  for (const char* target : {"cpu", "pretend"}) {
    const Remaining b = built(kLateSizes, target, kRows);
    EXPECT_EQ(b.ops, "Expand Softmax Softmax Sub") << target;
    EXPECT_EQ(b.warnings, "") << target;
  }
  expect_same_as_reference(kLateSizes, {{{random_f32({4, 6}, 1), random_f32({1, 6}, 2)}}}, kRows);
}

// A program of steps that read and make tensors, of which those left are told by their names.
class Steps : public ::testing::Test {
 protected:
  Steps() : program_(plan_.programs.emplace_back()) {
    program_.tensors.resize(8);
    program_.inputs = {0};
    program_.outputs = {7};
  }
  plan::StepInfo& step(const std::string& name, std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
    plan::StepInfo& s = program_.steps.emplace_back();
    s.name = name;
    s.inputs = std::move(inputs);
    s.outputs = std::move(outputs);
    details_.emplace_back();
    details_.back().milliseconds = static_cast<double>(details_.size());
    return s;
  }
  std::string left() {
    const std::map<const ir::Value*, int32_t> tensors;
    remove_unread_steps({program_, details_, shares_, tensors, nullptr}, plan_);
    EXPECT_EQ(program_.steps.size(), details_.size());
    std::string names;
    for (const plan::StepInfo& s : program_.steps) names += s.name;
    return names;
  }
  plan::Plan plan_;
  plan::Program& program_;
  std::vector<StepDetail> details_;
  std::map<int32_t, int32_t> shares_;
};

TEST_F(Steps, LeaveWithThoseThatOnlyTheyRead) {
  step("a", {0}, {1});
  step("b", {1}, {2});
  step("c", {0, -1}, {3, -1});
  step("d", {3, 2}, {4});
  step("e", {3}, {7});
  EXPECT_EQ(left(), "ce");
  EXPECT_EQ(details_[0].milliseconds, 3);
  EXPECT_EQ(details_[1].milliseconds, 5);
}

TEST_F(Steps, StayWhereOneOfTheirResultsIsRead) {
  step("a", {0}, {1, 2});
  step("b", {2}, {7});
  EXPECT_EQ(left(), "ab");
}

TEST_F(Steps, StayWhereTheirBytesAreReadUnderAnotherName) {
  step("a", {0}, {1});
  step("b", {0}, {3});
  step("c", {5}, {7});
  shares_ = {{5, 4}, {4, 1}};
  EXPECT_EQ(left(), "ac");
}

TEST_F(Steps, StayWhereAnotherProfileReadsThem) {
  step("a", {0}, {1});
  plan::StepInfo& reader = step("b", {0}, {7});
  plan::StepInfo other = reader;
  other.inputs = {0, 1};
  reader.variants.push_back({{1}, other});
  EXPECT_EQ(left(), "ab");
}

TEST_F(Steps, StayWhereAContextLooksAtThem) {
  step("a", {0}, {1});
  step("b", {0}, {2});
  step("c", {0}, {7});
  plan_.watches.push_back({1, plan::Watch::kRequired, ""});
  EXPECT_EQ(left(), "ac");
}

}  // namespace
}  // namespace kiln::testing
