// Steps that run side by side: their order, and plans in which they would meet.
#include "plan/lanes.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kiln::plan {
namespace {

StepInfo step(uint32_t lane, std::vector<uint32_t> after, std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
  StepInfo s;
  s.name = "step";
  s.device = "gpu";
  s.kernel = "kernel";
  s.lane = lane;
  s.after = std::move(after);
  s.inputs = std::move(inputs);
  s.outputs = std::move(outputs);
  return s;
}

TEST(StepOrder, FollowsLanesAndWaits) {
  // 0 forks to 1 and 2; 1 goes on in lane 1 to 3; 4 joins 3, which knows of 1.
  const std::vector<StepInfo> steps{step(0, {}, {}, {}), step(1, {0}, {}, {}), step(0, {}, {}, {}),
                                    step(1, {}, {}, {}), step(0, {3}, {}, {}), step(2, {1}, {}, {})};
  const StepOrder order(steps);
  EXPECT_EQ(lane_count(steps), 3u);
  for (size_t i = 0; i < steps.size(); ++i) EXPECT_FALSE(order.ends_before(i, i));
  EXPECT_TRUE(order.ends_before(0, 1));
  EXPECT_TRUE(order.ends_before(0, 3));
  EXPECT_TRUE(order.ends_before(0, 5));
  EXPECT_FALSE(order.ends_before(1, 2));
  EXPECT_FALSE(order.ends_before(2, 1));
  EXPECT_FALSE(order.ends_before(2, 3));
  EXPECT_TRUE(order.ends_before(1, 4));
  EXPECT_TRUE(order.ends_before(2, 4));
  EXPECT_FALSE(order.ends_before(3, 5));
  StepSpan fork, one, other, join;
  fork.add(order, 0);
  one.add(order, 1);
  one.add(order, 3);
  other.add(order, 2);
  join.add(order, 4);
  EXPECT_TRUE(fork.ends_before(one));
  EXPECT_TRUE(one.meets(other));
  EXPECT_TRUE(one.ends_before(join));
  EXPECT_TRUE(other.ends_before(join));
  EXPECT_FALSE(join.ends_before(fork));
  one.add(other);
  EXPECT_TRUE(one.is_over(order.behind(4)));
  EXPECT_FALSE(one.is_over(order.behind(2)));
}

enum Tensors { kX, kA, kB, kC, kY, kWhole, kFirst, kSecond, kSlot };

TensorInfo tensor(const char* name, uint32_t dim, Storage storage, uint64_t offset = 0, uint64_t size = 0) {
  TensorInfo t;
  t.name = name;
  t.dtype = DType::kF32;
  t.dims = {dim};
  t.storage = storage;
  t.offset = offset;
  t.size = size;
  return t;
}

TensorInfo half(const char* name, uint32_t start) {
  TensorInfo t = tensor(name, 0, Storage::kArena);
  t.view_of = kWhole;
  t.view_start = start;
  return t;
}

// x -> a; a -> b beside a -> c, both with parts of a whole; b, c and the whole -> y.
Plan sound() {
  Plan plan;
  plan.built_by = "0.1.0";
  plan.device = "gpu";
  plan.device_memory = true;
  plan.dims = {Dim(16).program(), Dim(32).program(), Dim(0).program()};
  Program main;
  main.tensors = {tensor("x", 0, Storage::kInput),
                  tensor("a", 0, Storage::kArena, 0, 64),
                  tensor("b", 0, Storage::kArena, 64, 64),
                  tensor("c", 0, Storage::kArena, 128, 64),
                  tensor("y", 0, Storage::kOutput),
                  tensor("whole", 1, Storage::kArena, 192, 128),
                  half("first", 2),
                  half("second", 0),
                  tensor("slot", 0, Storage::kSlot)};
  main.inputs = {kX};
  main.outputs = {kY};
  main.steps = {step(0, {}, {kX}, {kA}), step(1, {0}, {kA}, {kB, kFirst}), step(0, {}, {kA}, {kC, kSecond}),
                step(0, {1}, {kB, kC, kFirst, kSecond}, {kY})};
  for (StepInfo& s : main.steps) s.workspace_offset = 320;
  main.steps[1].workspace_size = 64;
  plan.programs = {main};
  plan.profiles = {{{{{16}, {16}, {16}}}, {}}};
  plan.arena_size = 448;
  return plan;
}

struct Case {
  const char* cause;  // part of the error's cause
  void (*damage)(Plan&);
};
std::vector<StepInfo>& steps(Plan& p) { return p.programs[0].steps; }
std::vector<TensorInfo>& tensors(Plan& p) { return p.programs[0].tensors; }

// clang-format off
const Case kDamage[] = {
    {"too many lanes", [](Plan& p) { steps(p)[1].lane = kMostLanes; }},
    {"too many lanes", [](Plan& p) { steps(p)[1].lane = UINT32_MAX; }},
    {"too many lanes", [](Plan& p) { steps(p)[1].after.assign(kMostLanes, 0); }},
    {"none of another lane before it", [](Plan& p) { steps(p)[1].after = {1}; }},
    {"none of another lane before it", [](Plan& p) { steps(p)[1].after = {3}; }},
    {"none of another lane before it", [](Plan& p) { steps(p)[1].after = {UINT32_MAX}; }},
    {"none of another lane before it", [](Plan& p) { steps(p)[1].after = {0, 0}; }},
    {"none of another lane before it", [](Plan& p) { steps(p)[3].after = {1, 0}; }},
    {"none of another lane before it", [](Plan& p) { steps(p)[3].after = {2}; }},
    {"takes the host", [](Plan& p) { steps(p)[1].waits = true; }},
    {"memory that is not its device's", [](Plan& p) { steps(p)[1].inputs.push_back(kSlot); }},
    {"is not of the device's main program", [](Plan& p) { p.device_memory = false; }},
    {"is not of the device's main program", [](Plan& p) {
       StepInfo control = step(0, {}, {}, {});
       control.bodies = {1};
       steps(p).push_back(control);
       p.programs.emplace_back();
       p.programs[1].steps = {step(1, {}, {}, {})};
     }},
    {"has bodies, beside lanes", [](Plan& p) {
       StepInfo control = step(0, {}, {}, {});
       control.bodies = {1};
       steps(p).push_back(control);
       p.programs.emplace_back();
     }},
    {"other lanes in some profiles", [](Plan& p) {
       StepVariant variant{{0}, steps(p)[1]};
       steps(p)[1].variants = {variant};
     }},
    {"too many steps for lanes", [](Plan& p) { steps(p).resize(kMostStepsInLanes + 1, step(0, {}, {kX}, {})); }},
    // What meets.
    {"may run at the same time", [](Plan& p) { steps(p)[1].after = {}; }},
    {"may run at the same time", [](Plan& p) { steps(p)[3].after = {}; }},
    {"may run at the same time", [](Plan& p) { tensors(p)[kC].offset = 64; }},
    {"may run at the same time", [](Plan& p) { tensors(p)[kC].offset = 0; steps(p)[2].sharing = Sharing::kInPlace; steps(p)[2].outputs = {kC}; }},
    {"may run at the same time", [](Plan& p) { steps(p)[2].workspace_size = 128; }},
    {"may run at the same time", [](Plan& p) { steps(p)[2].workspace_size = 64; steps(p)[2].workspace_offset = 64; }},
    {"may run at the same time", [](Plan& p) { steps(p)[2].inputs = {kB}; }},
    {"another part of the same bytes", [](Plan& p) { tensors(p)[kSecond].view_start = 2; }},
    {"another part of the same bytes", [](Plan& p) { steps(p)[2].inputs.push_back(kWhole); steps(p)[2].outputs = {kC}; }},
};
// clang-format on

TEST(Lanes, ASoundPlanPasses) {
  verify(sound());
  const std::vector<std::byte> bytes = write(sound());
  const Plan again = read(bytes, nullptr);
  for (size_t i = 0; i < again.programs[0].steps.size(); ++i) {
    EXPECT_EQ(again.programs[0].steps[i].lane, sound().programs[0].steps[i].lane);
    EXPECT_EQ(again.programs[0].steps[i].after, sound().programs[0].steps[i].after);
  }
  EXPECT_EQ(check_lanes(again.programs[0]).size(), 1u);  // the halves
}

TEST(Lanes, PlansInWhichStepsMeetAreRefused) {
  for (size_t i = 0; i < std::size(kDamage); ++i) {
    Plan plan = sound();
    kDamage[i].damage(plan);
    try {
      verify(plan);
      ADD_FAILURE() << "case " << i << " (" << kDamage[i].cause << ") passes";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kMalformedPlan);
      EXPECT_NE((e.message() + e.cause()).find(kDamage[i].cause), std::string::npos) << i << ": " << e.what();
    }
  }
}

// What one lane may do one after another.
TEST(Lanes, OneLaneIsInOrder) {
  Plan plan = sound();
  for (StepInfo& s : steps(plan)) s.lane = 0, s.after = {};
  tensors(plan)[kC].offset = 192;
  tensors(plan)[kFirst].view_start = 0;
  steps(plan)[2].outputs = {kC};
  verify(plan);
}

// Many steps that use the same bytes: the check ends.
TEST(Lanes, ManyStepsAreCheckedInTime) {
  Plan plan = sound();
  std::vector<StepInfo> many;
  for (uint32_t i = 0; i < kMostStepsInLanes; ++i) {
    many.push_back(step(i % kMostLanes, {}, {kX}, {static_cast<int32_t>(tensors(plan).size())}));
    if (i % kMostLanes > 0) many.back().after = {i - 1};
    else if (i > 0) many.back().after = {i - 1};
    tensors(plan).push_back(tensor("t", 0, Storage::kArena, 0, 64));
  }
  steps(plan) = many;
  verify(plan);
}

}  // namespace
}  // namespace kiln::plan
