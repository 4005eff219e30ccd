// What is said of an unknown name.
#include "base/names.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "base/version.h"

namespace kiln {
namespace {

TEST(Names, TheNearestIsSuggested) {
  const std::vector<std::string> known{"image", "mask", "tokens"};
  EXPECT_EQ(nearest_name("imgae", known), "image");
  EXPECT_EQ(nearest_name("token", known), "tokens");
  EXPECT_EQ(nearest_name("image", known), "image");
  EXPECT_EQ(nearest_name("something else", known), "");
  EXPECT_EQ(nearest_name("x", {}), "");
  EXPECT_EQ(nearest_name("y", {"x"}), "x");
}

TEST(Names, AllAreListedUnlessThereAreMany) {
  EXPECT_EQ(name_hint("imgae", {"image", "mask"}), "; did you mean 'image'? There are: image, mask");
  EXPECT_EQ(name_hint("zzzzzzzz", {"image", "mask"}), "; there are: image, mask");
  EXPECT_EQ(name_hint("a", {}), "");
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back("value" + std::to_string(i));
  const std::string hint = name_hint("nothing like it", many);
  EXPECT_NE(hint.find("value0, value1"), std::string::npos);
  EXPECT_NE(hint.find("(and 88 more)"), std::string::npos) << hint;
}

TEST(Names, LongWordsAreNotCompared) {
  EXPECT_EQ(nearest_name(std::string(1 << 20, 'a'), {std::string(1 << 20, 'a')}), "");
}

TEST(Version, IsThreeNumbers) {
  const std::string text(version());
  int a = -1, b = -1, c = -1, end = 0;
  ASSERT_EQ(std::sscanf(text.c_str(), "%d.%d.%d%n", &a, &b, &c, &end), 3);
  EXPECT_EQ(static_cast<size_t>(end), text.size());
}

}  // namespace
}  // namespace kiln
