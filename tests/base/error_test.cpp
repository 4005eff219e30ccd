// Errors and their text.
#include "base/error.h"

#include <gtest/gtest.h>

#include "base/require.h"

namespace kiln {
namespace {

TEST(Error, Text) {
  const Error e = Error(Code::kShapeMismatch, "shapes differ").node("'x' (Add)").cause("2 is not 3").remedy("reshape");
  EXPECT_STREQ(e.what(), "error[K2005] node 'x' (Add): shapes differ\n  cause: 2 is not 3\n  remedy: reshape");
  EXPECT_EQ(e.code(), Code::kShapeMismatch);
  EXPECT_STREQ(Error(Code::kIo, "m").what(), "error[K1005] m\n  remedy: check the path and its permissions");
  EXPECT_STREQ(Error(Code::kInvalidState, "m").what(), "error[K1002] m");
}

TEST(Error, InnerFramesNameTheNode) {
  Error e(Code::kInternal, "m");
  e.add_node("inner");
  e.add_node("outer");
  EXPECT_EQ(e.node(), "inner");
}

TEST(Error, StatusBecomesError) {
  EXPECT_NO_THROW(throw_if_error(kOkStatus));
  try {
    throw_if_error({Code::kExecution, ""});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kExecution);
    EXPECT_EQ(e.message(), code_name(Code::kExecution));
  }
}

Status fails_in_the_middle(bool fail, bool& reached) {
  KILN_RETURN_IF_ERROR((fail ? Status{Code::kIo, "detail"} : kOkStatus));
  reached = true;
  return kOkStatus;
}

TEST(Error, ReturnIfError) {
  bool reached = false;
  EXPECT_EQ(fails_in_the_middle(true, reached).code, Code::kIo);
  EXPECT_FALSE(reached);
  EXPECT_TRUE(fails_in_the_middle(false, reached).ok());
  EXPECT_TRUE(reached);
}

TEST(Error, EveryCodeHasAName) {
  for (Code code : {Code::kOk,
                    Code::kInternal,
                    Code::kInvalidArgument,
                    Code::kInvalidState,
                    Code::kOutOfMemory,
                    Code::kNotFound,
                    Code::kIo,
                    Code::kOverflow,
                    Code::kMalformedModel,
                    Code::kInvalidGraph,
                    Code::kUnsupported,
                    Code::kTypeMismatch,
                    Code::kShapeMismatch,
                    Code::kMalformedPlan,
                    Code::kPlanVersion,
                    Code::kPlanDevice,
                    Code::kMalformedCache,
                    Code::kExecution,
                    Code::kShapeNotSet,
                    Code::kShapeOutOfProfile})
    EXPECT_NE(code_name(code), "unknown");
}

TEST(Error, IsRequired) {
  EXPECT_NO_THROW(require(true, Code::kShapeMismatch, "it fits"));
  try {
    require(false, Code::kShapeMismatch, "it does not fit");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kShapeMismatch);
    EXPECT_EQ(error.message(), "it does not fit");
  }
}

}  // namespace
}  // namespace kiln
