// Pieces of work on all cores.
#include "base/in_parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace kiln {
namespace {

TEST(InParallel, EachPieceOnce) {
  for (size_t count : {0, 1, 2, 1000}) {
    std::vector<std::atomic<int>> times(count);
    in_parallel(count, [&](size_t i) { ++times[i]; });
    for (const auto& t : times) EXPECT_EQ(t, 1);
  }
}

TEST(InParallel, WithinItselfItTakesNoMoreThreads) {
  std::atomic<int> others = 0;
  in_parallel(4, [&](size_t) {
    const auto own = std::this_thread::get_id();
    in_parallel(100, [&](size_t) { others += std::this_thread::get_id() != own; });
  });
  EXPECT_EQ(others, 0);
}

TEST(InParallel, RangesAreOneAfterTheOther) {
  for (int64_t count : {0, 1, 7, 100, 1001})
    for (int64_t least : {0, 1, 10, 5000}) {
      std::vector<std::atomic<int>> times(static_cast<size_t>(count));
      std::atomic<int> calls = 0;
      in_parallel_ranges(count, least, [&](int64_t begin, int64_t end) {
        ++calls;
        EXPECT_TRUE(end - begin >= std::min(least, count) && begin < end);
        for (int64_t i = begin; i < end; ++i) ++times[static_cast<size_t>(i)];
      });
      for (const auto& t : times) EXPECT_EQ(t, 1);
      EXPECT_TRUE(calls <= 1 || least <= count / 2);
    }
  EXPECT_THROW(in_parallel_ranges(100, 1, [](int64_t, int64_t) { throw std::runtime_error("range"); }),
               std::runtime_error);
}

TEST(InParallel, TheFirstFailureEndsIt) {
  std::atomic<int> begun = 0;
  EXPECT_THROW(in_parallel(100000,
                           [&](size_t i) {
                             ++begun;
                             if (i == 3) throw std::runtime_error("three");
                           }),
               std::runtime_error);
  EXPECT_GE(begun, 1);
  EXPECT_THROW(in_parallel(1, [](size_t) { throw std::runtime_error("alone"); }), std::runtime_error);
}

}  // namespace
}  // namespace kiln
