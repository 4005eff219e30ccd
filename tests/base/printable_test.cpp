// Text from files as people see it.
#include "base/printable.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kiln {
namespace {

TEST(Printable, ControlCharactersAreShownAsNumbers) {
  EXPECT_EQ(printable("plain text, \xc3\xa9, a\ttab\nand a line"), "plain text, \xc3\xa9, a\ttab\nand a line");
  EXPECT_EQ(printable(std::string_view("\x1b[31mred\0end\r\x7f", 14)), "\\x1b[31mred\\x00end\\x0d\\x7f");
  EXPECT_EQ(printable("a\xff"
                      "b\x80"
                      "c\xc3"),
            "a\\xff"
            "b\\x80"
            "c\\xc3");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m \xc2\xa0"),
            "\\xc2\\x9b31m \xc2\xa0")
      << "CSI is a control character, too";
  EXPECT_EQ(printable("\xe2\x82\xac \xf0\x9f\x98\x80"), "\xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable("\xe0\x80\x80\xed\xa0\x80\xf4\x90\x80\x80"),
            "\\xe0\\x80\\x80\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("\n"), "\n");
}

TEST(Printable, LongLinesKeepBothEnds) {
  const std::string line = "begin" + std::string(5000, 'x') + "end";
  const std::string shown = printable("short\n" + line + "\nshort");
  EXPECT_LT(shown.size(), 1100u);
  EXPECT_TRUE(shown.starts_with("short\nbegin"));
  EXPECT_TRUE(shown.ends_with("end\nshort"));
  EXPECT_NE(shown.find("[5008 bytes]"), std::string::npos);
}

TEST(Printable, NoCharacterIsCut) {
  std::string umlauts;
  for (int i = 0; i < 400; ++i) umlauts += "\xc3\xa4";
  for (size_t most = 100; most < 108; ++most) {
    const std::string cut = shortened(umlauts, most);
    EXPECT_LE(cut.size(), most);
    for (size_t i = 0; i < cut.size(); ++i)
      if (cut[i] == '\xc3') EXPECT_EQ(cut[++i], '\xa4');
      else EXPECT_NE(cut[i], '\xa4') << most << " " << i;
  }
}

TEST(Printable, ShortenedNamesStayApart) {
  const std::string a(1000, 'a');
  std::string b = a;
  b[500] = 'b';
  EXPECT_EQ(shortened("name", 64), "name");
  EXPECT_NE(shortened(a, 64), shortened(b, 64));
  EXPECT_LE(shortened(a, 64).size(), 64u);
}

TEST(Printable, ErrorsAreFitToBeShown) {
  const Error e = Error(Code::kNotFound, "no input '\x1b]0;title\a'").node(std::string(100000, 'n'));
  EXPECT_EQ(std::string(e.what()).find('\x1b'), std::string::npos);
  EXPECT_LT(std::string(e.what()).size(), 1200u);
}

}  // namespace
}  // namespace kiln
