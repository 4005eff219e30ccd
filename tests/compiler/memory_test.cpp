// Where buffers are placed: those that live at one time lie apart.
#include "compiler/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/error.h"

namespace kiln::testing {
namespace {

constexpr size_t kSteps = 32;

// From one step to another, both included, which run one after another.
plan::StepSpan life(size_t first, size_t last) {
  static const plan::StepOrder order{std::vector<plan::StepInfo>(kSteps)};
  plan::StepSpan span;
  span.add(order, first);
  span.add(order, last);
  return span;
}

// The most bytes that live at one step: no arena is smaller.
int64_t least(const std::vector<Buffer>& buffers) {
  int64_t most = 0;
  for (size_t step = 0; step < kSteps; ++step) {
    int64_t sum = 0;
    for (const Buffer& b : buffers) sum += b.life.meets(life(step, step)) ? b.size : 0;
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
      const auto first = static_cast<size_t>(draw(20));
      b.life = life(first, first + static_cast<size_t>(draw(6)));
    }
    const int64_t arena = place_buffers(buffers, alignment);
    EXPECT_GE(arena, least(buffers));
    for (const Buffer& a : buffers) {
      EXPECT_EQ(a.offset % alignment, 0);
      EXPECT_GE(a.offset, 0);
      EXPECT_LE(a.offset + a.size, arena);
      for (const Buffer& b : buffers) {
        if (&a >= &b || !a.life.meets(b.life) || a.size == 0 || b.size == 0) continue;
        EXPECT_TRUE(a.offset + a.size <= b.offset || b.offset + b.size <= a.offset) << trial;
      }
    }
  }
}

TEST(PlaceBuffers, ShareBytesWhenTheirTimesDoNotMeet) {
  std::vector<Buffer> chain;
  for (size_t i = 0; i < 10; ++i) chain.push_back({.size = 1000, .life = life(i, i + 1)});
  EXPECT_EQ(place_buffers(chain, 64), 2 * 1024);
  std::vector<Buffer> one{{.size = 1, .life = life(3, 3)}};
  EXPECT_EQ(place_buffers(one, 256), 256);
  std::vector<Buffer> none;
  EXPECT_EQ(place_buffers(none, 64), 0);
}

TEST(PlaceBuffers, FillTheGapBelow) {
  std::vector<Buffer> buffers{
      {.size = 300, .life = life(0, 1)}, {.size = 200, .life = life(0, 4)}, {.size = 100, .life = life(2, 4)}};
  EXPECT_EQ(place_buffers(buffers, 1), 500);
  EXPECT_EQ(buffers[2].offset, 0);  // where the first one was
}

TEST(PlaceBuffers, SizesThatDoNotFitAreErrors) {
  std::vector<Buffer> buffers{{.size = INT64_MAX - 100, .life = life(0, 1)},
                              {.size = INT64_MAX - 100, .life = life(1, 2)}};
  EXPECT_THROW(place_buffers(buffers, 64), Error);
}

}  // namespace
}  // namespace kiln::testing
