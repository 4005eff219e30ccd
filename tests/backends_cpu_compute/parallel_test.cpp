// The pool: every part once, whatever the number of parts, callers and levels.
#include "backends/cpu/device/compute/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "backends/cpu/device/compute/thread_limit.h"

namespace kiln::cpu {
namespace {

std::vector<std::atomic<int>> counters(int n) { return std::vector<std::atomic<int>>(static_cast<size_t>(n)); }

void expect_once(const std::vector<std::atomic<int>>& counts) {
  for (size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(counts[i].load(), 1) << "part " << i;
}

TEST(Parallel, EachPartOnce) {
  for (int parts : {0, 1, 2, 3, 7, 64, 1000, 70'000}) {
    auto counts = counters(parts);
    parallel(parts, [&](int part) { ++counts[static_cast<size_t>(part)]; });
    expect_once(counts);
  }
}

TEST(Parallel, FirstPartInTheCaller) {
  const auto caller = std::this_thread::get_id();
  for (int i = 0; i < 100; ++i)
    parallel(3, [&](int part) { EXPECT_TRUE(part != 0 || std::this_thread::get_id() == caller); });
}

TEST(Parallel, PartsSeeWhatTheCallerWroteAndTheCallerWhatTheyWrote) {
  std::vector<int> in(4096), out(4096);
  for (int round = 0; round < 2000; ++round) {
    std::fill(in.begin(), in.end(), round);
    parallel_ranges(4, 4096, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) out[i] = in[i] + 1;
    });
    ASSERT_EQ(std::count(out.begin(), out.end(), round + 1), 4096);
  }
}

TEST(Parallel, ManyCallersAndLevels) {
  std::vector<std::thread> callers;
  std::atomic<int> sum{0};
  for (int t = 0; t < 40; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 50; ++i) parallel(3, [&](int) { parallel(4, [&](int part) { sum += part; }); });
    });
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(sum.load(), 40 * 50 * 3 * (0 + 1 + 2 + 3));
}

TEST(Parallel, NoMoreThreadsThanTheLimit) {
  for (int most : {1, 2, 3}) {
    limit_threads(most);
    for (int round = 0; round < 50; ++round) {
      std::vector<std::thread::id> by(64);
      auto counts = counters(64);
      parallel(64, [&](int part) {
        by[static_cast<size_t>(part)] = std::this_thread::get_id();
        ++counts[static_cast<size_t>(part)];
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      });
      expect_once(counts);
      EXPECT_LE(std::set<std::thread::id>(by.begin(), by.end()).size(), static_cast<size_t>(most));
    }
    limit_threads(0);
  }
}

TEST(Parallel, RangesCoverAndDoNotOverlap) {
  for (int64_t count : {0, 1, 2, 5, 100})
    for (int parts : {1, 2, 3, 8}) {
      auto counts = counters(static_cast<int>(count));
      std::atomic<int> most{-1};
      parallel_ranges(parts, count, [&](int64_t begin, int64_t end, int part) {
        EXPECT_LT(begin, end);
        for (int64_t i = begin; i < end; ++i) ++counts[static_cast<size_t>(i)];
        int seen = most;
        while (seen < part && !most.compare_exchange_weak(seen, part)) {
        }
      });
      expect_once(counts);
      EXPECT_LT(most.load(), std::max(parts, 1));
    }
}

}  // namespace
}  // namespace kiln::cpu
