// Limits of long work.
#include "base/work.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <thread>

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

TEST(Work, SecondsLeftAreThoseOfTheFirstDeadline) {
  EXPECT_TRUE(std::isinf(seconds_of_work_left()));
  const WorkScope outer({.name = "outer", .deadline = deadline_after(50)});
  const WorkScope middle({.name = "middle"});
  EXPECT_NEAR(seconds_of_work_left(), 50, 10);
  {
    const WorkScope inner({.name = "inner", .deadline = deadline_after(-5)});
    EXPECT_LT(seconds_of_work_left(), 0);
  }
  EXPECT_GT(seconds_of_work_left(), 0);
}

// Those who cannot throw ask; so do threads that help.
TEST(Work, ToldToThreadsThatHelp) {
  EXPECT_FALSE(current_work().ended());
  std::atomic<bool> flag = false;
  int asked = 0;
  const WorkScope outer({.name = "outer", .stop = &flag, .stopped = [&] { return ++asked > 1000; }});
  const WorkScope inner({.name = "inner"});
  const Work work = current_work();
  EXPECT_FALSE(work.ended());
  EXPECT_GT(asked, 0);
  const auto seen_by_helper = [&] {
    bool ended = false;
    std::thread([&] {
      EXPECT_FALSE(current_work().ended());
      const LentWork lent(work);
      ended = current_work().ended();
    }).join();
    return ended;
  };
  const int before = asked;
  EXPECT_FALSE(seen_by_helper());
  EXPECT_EQ(asked, before) << "a function of the user belongs to the thread that works";
  flag = true;
  EXPECT_TRUE(seen_by_helper());
  EXPECT_TRUE(work.ended());
  flag = false;
  EXPECT_TRUE(work.ended()) << "for good";
}

TEST(Work, AFunctionThatThrowsEndsIt) {
  const WorkScope scope({.stopped = []() -> bool { throw std::runtime_error("no"); }});
  EXPECT_TRUE(current_work().ended());
}

// Kernels of another copy of this library ask the program's.
Work work_of_program() noexcept {
  static char scope;
  return {&scope, [](void*) noexcept { return true; }};
}

TEST(Work, OfAnotherCopy) {
  kiln_adopt_work(&current_work);  // its own: changes nothing
  EXPECT_FALSE(current_work().ended());
  kiln_adopt_work(&work_of_program);
  EXPECT_TRUE(current_work().ended());
  EXPECT_EQ(outcome(check_work), Code::kInvalidState);
  {
    const WorkScope own({.name = "own"});
    EXPECT_FALSE(current_work().ended());
    EXPECT_EQ(outcome(check_work), Code::kOk);
  }
  kiln_adopt_work(nullptr);
  EXPECT_FALSE(current_work().ended());
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
  std::atomic<bool> stop = true;
  const WorkScope other({.stop = &stop});
  EXPECT_EQ(outcome([] { poll_work(int64_t{1} << 30); }), Code::kInvalidState) << "a long round is asked about at once";
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
