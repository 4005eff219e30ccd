// When a tuning run says that its times are doubtful.
#include <gtest/gtest.h>

#include "tuner/tuner.h"

namespace kiln {
namespace {

TEST(Noise, WarnsWhenManyMeasurementsDidNotSettle) {
  EXPECT_EQ((Noise{0, 0}.warning()), "");
  EXPECT_EQ((Noise{100, 9}.warning()), "");
  const std::string warning = Noise{100, 10}.warning();
  EXPECT_NE(warning.find("10 of 100 measurements"), std::string::npos) << warning;
  EXPECT_NE(warning.find("remedy:"), std::string::npos);
}

TEST(Noise, ConcludesNothingFromAFew) { EXPECT_EQ((Noise{7, 7}.warning()), ""); }

}  // namespace
}  // namespace kiln
