// A kernel with operands of its own on a device.
#include "tuner/placed_step.h"

#include <gtest/gtest.h>

#include "tuner/pretend_step.h"

namespace kiln {
namespace {

TEST(PlacedStep, RunsWithEachCopyOfItsConstants) {
  const PretendStep s;
  const auto stream = s.device().create_stream();
  const PlacedStep step(s.problem(), s.emitted, s.device(), *stream);
  for (int index : {0, 1, 15, 16, 100}) EXPECT_TRUE(step.launch(*stream, index).ok()) << index;
  EXPECT_TRUE(stream->synchronize().ok());
}

TEST(PlacedStep, GivesItsMemoryBack) {
  const PretendStep s;
  const int64_t before = pretend::memory_in_use();
  {
    const auto stream = s.device().create_stream();
    const PlacedStep step(s.problem(), s.emitted, s.device(), *stream);
    EXPECT_GT(pretend::memory_in_use(), before);
    EXPECT_TRUE(stream->synchronize().ok());
  }
  EXPECT_EQ(pretend::memory_in_use(), before);
}

TEST(PlacedStep, IsRefusedWhereMemoryIsShort) {
  const PretendStep s;
  const int64_t before = pretend::memory_in_use();
  for (int count : {0, 1, 2}) {
    const auto stream = s.device().create_stream();
    pretend::fail_allocations_after(count);
    try {
      const PlacedStep step(s.problem(), s.emitted, s.device(), *stream);
      ADD_FAILURE() << "there was memory after " << count;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kOutOfMemory);
    }
    pretend::fail_allocations_after(-1);
    EXPECT_TRUE(stream->synchronize().ok());
  }
  EXPECT_EQ(pretend::memory_in_use(), before);
}

}  // namespace
}  // namespace kiln
