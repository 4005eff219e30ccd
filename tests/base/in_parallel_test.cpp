// Pieces of work on all cores.
#include "base/in_parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
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
