// Limits of long work.
#include "base/work.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kiln {
namespace {

Code outcome(const std::function<void()>& action) {
  try {
    action();
    return Code::kOk;
  } catch (const Error& e) {
    return e.code();
  }
}

TEST(Work, EndsWhenItIsToldTo) {
  EXPECT_EQ(outcome(check_work), Code::kOk);
  std::atomic<bool> flag = false;
  const WorkScope outer({.name = "outer", .stop = &flag});
  {
    int asked = 0;
    const WorkScope inner({.name = "inner", .stopped = [&] { return ++asked == 2; }});
    EXPECT_EQ(outcome(check_work), Code::kOk);
    EXPECT_EQ(outcome(check_work), Code::kInvalidState);
    EXPECT_EQ(outcome(check_work), Code::kInvalidState) << "it is not asked again";
  }
  EXPECT_EQ(outcome(check_work), Code::kOk);
  flag = true;
  const WorkScope inner({.name = "inner"});
  EXPECT_EQ(outcome(check_work), Code::kInvalidState);
}

TEST(Work, TakesNoLongerThanItsLimits) {
  {
    const WorkScope scope({.deadline = deadline_after(-1)});
    EXPECT_EQ(outcome(check_work), Code::kInvalidState);
  }
  {
    const WorkScope scope({.deadline = deadline_after(1e300)});
    EXPECT_EQ(outcome(check_work), Code::kOk);
  }
  const WorkScope scope({.most_rounds = 100000});
  const auto loop = [](int rounds) {
    for (int i = 0; i < rounds; ++i) poll_work();
  };
  EXPECT_EQ(outcome([&] { loop(90000); }), Code::kOk);
  EXPECT_EQ(outcome([&] { loop(20000); }), Code::kInvalidState);
}

TEST(Work, BytesThatLiveAtTheSameTime) {
  const WorkScope scope({.most_bytes = 100});
  {
    const WorkBytes first(60);
    EXPECT_EQ(outcome([] { const WorkBytes second(41); }), Code::kOutOfMemory);
    EXPECT_EQ(outcome([] { const WorkBytes second(40); }), Code::kOk);
    const WorkScope inner({.name = "inner"});
    EXPECT_EQ(outcome([] { const WorkBytes second(41); }), Code::kOutOfMemory);
  }
  EXPECT_EQ(outcome([] { const WorkBytes all(100); }), Code::kOk);
}

TEST(Work, BytesOutliveTheirScope) {
  std::unique_ptr<WorkBytes> held;
  {
    const WorkScope scope({.most_bytes = 100});
    held = std::make_unique<WorkBytes>(60);
  }
  held.reset();
  EXPECT_GT(machine_bytes(), int64_t{1} << 20);
}

}  // namespace
}  // namespace kiln
