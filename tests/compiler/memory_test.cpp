// Where buffers are placed: those that live at one time lie apart.
#include "compiler/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.h"

namespace kiln::testing {
namespace {

bool live_together(const Buffer& a, const Buffer& b) { return a.first <= b.last && b.first <= a.last; }

// The most bytes that live at one step: no arena is smaller.
int64_t least(const std::vector<Buffer>& buffers) {
  int64_t most = 0;
  for (const Buffer& at : buffers) {
    int64_t sum = 0;
    for (const Buffer& b : buffers) sum += b.first <= at.first && at.first <= b.last ? b.size : 0;
    most = std::max(most, sum);
  }
  return most;
}

TEST(PlaceBuffers, LiveOnesDoNotMeet) {
  std::mt19937 rng(1);
  const auto draw = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(0, most)(rng); };
  for (int trial = 0; trial < 200; ++trial) {
    const int64_t alignment = int64_t{1} << draw(8);
    std::vector<Buffer> buffers(static_cast<size_t>(draw(24)));
    for (Buffer& b : buffers) {
      b.size = draw(3) == 0 ? 0 : draw(5000);
      b.first = static_cast<int32_t>(draw(20));
      b.last = b.first + static_cast<int32_t>(draw(6));
    }
    const int64_t arena = place_buffers(buffers, alignment);
    EXPECT_GE(arena, least(buffers));
    for (const Buffer& a : buffers) {
      EXPECT_EQ(a.offset % alignment, 0);
      EXPECT_GE(a.offset, 0);
      EXPECT_LE(a.offset + a.size, arena);
      for (const Buffer& b : buffers) {
        if (&a >= &b || !live_together(a, b) || a.size == 0 || b.size == 0) continue;
        EXPECT_TRUE(a.offset + a.size <= b.offset || b.offset + b.size <= a.offset) << trial;
      }
    }
  }
}

TEST(PlaceBuffers, ShareBytesWhenTheirTimesDoNotMeet) {
  std::vector<Buffer> chain;
  for (int32_t i = 0; i < 10; ++i) chain.push_back({.size = 1000, .first = i, .last = i + 1});
  EXPECT_EQ(place_buffers(chain, 64), 2 * 1024);
  std::vector<Buffer> one{{.size = 1, .first = 3, .last = 3}};
  EXPECT_EQ(place_buffers(one, 256), 256);
  std::vector<Buffer> none;
  EXPECT_EQ(place_buffers(none, 64), 0);
}

TEST(PlaceBuffers, FillTheGapBelow) {
  std::vector<Buffer> buffers{
      {.size = 300, .first = 0, .last = 1}, {.size = 200, .first = 0, .last = 4}, {.size = 100, .first = 2, .last = 4}};
  EXPECT_EQ(place_buffers(buffers, 1), 500);
  EXPECT_EQ(buffers[2].offset, 0);  // where the first one was
}

TEST(PlaceBuffers, SizesThatDoNotFitAreErrors) {
  std::vector<Buffer> buffers{{.size = INT64_MAX - 100, .first = 0, .last = 1},
                              {.size = INT64_MAX - 100, .first = 1, .last = 2}};
  EXPECT_THROW(place_buffers(buffers, 64), Error);
}

}  // namespace
}  // namespace kiln::testing
