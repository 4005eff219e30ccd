// Kept code: what was put is found, and all together stays within its bound.
#include "base/kept_code.h"

#include <gtest/gtest.h>

#include <thread>

namespace kiln {
namespace {

KeptCode::Binary code(size_t size, int value = 1) {
  return std::make_shared<const std::vector<std::byte>>(size, static_cast<std::byte>(value));
}

constexpr Hash128 kOne{1, 2}, kTwo{1, 3}, kThree{2, 2};

TEST(KeptCode, WhatWasPutIsFound) {
  KeptCode kept;
  EXPECT_EQ(kept.find(kOne), nullptr);
  const auto first = code(10), second = code(20);
  kept.put(kOne, first);
  kept.put(kTwo, second);
  EXPECT_EQ(kept.find(kOne), first);
  EXPECT_EQ(kept.find(kTwo), second);
  EXPECT_FALSE(kept.add(kTwo, first));
  EXPECT_EQ(kept.find(kTwo), second);
  kept.put(kTwo, first);
  EXPECT_EQ(kept.find(kTwo), first);
}

TEST(KeptCode, CopiesGoTheirOwnWays) {
  KeptCode kept;
  kept.put(kOne, code(1));
  KeptCode copy(kept);
  copy.put(kTwo, code(2));
  EXPECT_EQ(kept.all().size(), 1u);
  EXPECT_EQ(copy.all().size(), 2u);
  kept = copy;
  EXPECT_EQ(kept.all(), copy.all());
}

TEST(KeptCode, OthersGoWhereThereIsNoRoom) {
  KeptCode kept;
  const size_t half = KeptCode::kMostBytes / 2;
  kept.put(kOne, code(half));
  kept.put(kTwo, code(half));
  EXPECT_EQ(kept.all().size(), 2u);
  EXPECT_FALSE(kept.add(kThree, code(1)));
  kept.put(kTwo, code(half, 2));  // in the place of what was there
  EXPECT_EQ(kept.all().size(), 2u);
  kept.put(kThree, code(1));
  EXPECT_EQ(kept.all().size(), 1u);
  EXPECT_NE(kept.find(kThree), nullptr);
  EXPECT_TRUE(kept.add(kOne, code(2 * half - 1)));
  kept.put(kTwo, code(2 * half + 1));
  EXPECT_EQ(kept.find(kTwo), nullptr);
}

TEST(KeptCode, ThreadsPutAndFind) {
  KeptCode kept;
  {
    std::vector<std::jthread> threads;
    for (uint64_t t = 0; t < 4; ++t)
      threads.emplace_back([&kept, t] {
        for (uint64_t i = 0; i < 200; ++i) {
          kept.put({t, i}, code(i + 1));
          EXPECT_NE(kept.find({t, i}), nullptr);
          (void)kept.find({(t + 1) % 4, i});
        }
      });
  }
  EXPECT_EQ(kept.all().size(), 800u);
}

}  // namespace
}  // namespace kiln
