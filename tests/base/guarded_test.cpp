// Exceptions become statuses, whose text is the thread's.
#include "base/guarded.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>
#include <thread>

namespace kiln {
namespace {

template <class Exception> Status thrown(Exception exception) {
  return guarded([&]() -> Status { throw exception; });
}

TEST(Guarded, WhatIsReturnedStays) {
  EXPECT_TRUE(guarded([] { return kOkStatus; }).ok());
  EXPECT_EQ(guarded([] { return Status{Code::kIo, "text"}; }).code, Code::kIo);
}

TEST(Guarded, WhatIsThrownIsAStatus) {
  const Status error = thrown(Error(Code::kShapeMismatch, "shapes differ"));
  EXPECT_EQ(error.code, Code::kShapeMismatch);
  EXPECT_STREQ(error.detail, "shapes differ");
  EXPECT_EQ(thrown(std::bad_alloc()).code, Code::kOutOfMemory);
  const Status foreign = thrown(std::runtime_error("foreign"));
  EXPECT_EQ(foreign.code, Code::kExecution);
  EXPECT_STREQ(foreign.detail, "foreign");
  EXPECT_EQ(thrown(1).code, Code::kInternal);
}

TEST(Guarded, LongTextsAreCut) {
  EXPECT_EQ(std::string(thrown(Error(Code::kIo, std::string(2000, 'x'))).detail), std::string(511, 'x'));
}

TEST(Guarded, ThreadsKeepTextsApart) {
  const Status mine = thrown(Error(Code::kIo, "mine"));
  std::thread([] { EXPECT_STREQ(thrown(Error(Code::kIo, "other")).detail, "other"); }).join();
  EXPECT_STREQ(mine.detail, "mine");
}

}  // namespace
}  // namespace kiln
