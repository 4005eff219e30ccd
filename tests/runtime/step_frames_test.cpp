// Names of layers for perf: the code calls on and changes nothing, and the file names it.
#include "runtime/step_frames.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace kiln {
namespace {

TEST(StepFrames, OnlyWhenAskedFor) {
  unsetenv("KILN_PERF_MAP");
  EXPECT_EQ(StepFrames::make({"a"}), nullptr);
  setenv("KILN_PERF_MAP", "0", 1);
  EXPECT_EQ(StepFrames::make({"a"}), nullptr);
}

#ifdef __x86_64__
TEST(StepFrames, CallOnAndAreNamed) {
  setenv("KILN_PERF_MAP", "1", 1);
  EXPECT_EQ(StepFrames::make({}), nullptr);
  const auto frames = StepFrames::make({"first [Conv, winograd]", "second\n0 0 lie"});
  ASSERT_NE(frames, nullptr);
  int calls = 0;
  const StepFrames::Body body = [](void* data) noexcept {
    return Status{Code::kOverflow, ++*static_cast<int*>(data) == 1 ? "one" : "two"};
  };
  for (const size_t step : {size_t{0}, size_t{1}}) {
    const Status status = frames->call(step, body, &calls);
    EXPECT_EQ(status.code, Code::kOverflow);
    EXPECT_STREQ(status.detail, step == 0 ? "one" : "two");
  }
  EXPECT_EQ(calls, 2);
  const std::string path = "/tmp/perf-" + std::to_string(getpid()) + ".map";
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find(" 10 first [Conv, winograd]"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find(" 10 second 0 0 lie"), std::string::npos) << lines[1];
  unlink(path.c_str());
  unsetenv("KILN_PERF_MAP");
}
#endif

}  // namespace
}  // namespace kiln
