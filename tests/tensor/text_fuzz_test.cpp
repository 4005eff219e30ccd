// Texts of dimensions, layouts and attributes with random damage: each is refused with an error or reads back to
// itself.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "base/error.h"
#include "tensor/attributes.h"
#include "tensor/layout.h"

namespace kiln {
namespace {

std::string damaged(std::string text, std::mt19937& random) {
  static const std::string kBytes = "0123456789 abin,.+-*/:(){}[]'\"\\ev=x";
  for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    const char byte = random() % 20 == 0 ? static_cast<char>(random()) : kBytes[random() % kBytes.size()];
    switch (random() % 4) {
      case 0: text.insert(at, 1, byte); break;
      case 1: text.erase(at, 1 + random() % 3); break;
      case 2: text.insert(at, text.substr(random() % (text.size() + 1), random() % 12)); break;
      default:
        if (!text.empty()) text[at] = byte;
    }
  }
  return text;
}

// `again` reads a text and prints what it read.
void fuzz(const std::vector<std::string>& seeds, int rounds,
          const std::function<std::string(const std::string&)>& again) {
  std::mt19937 random(23);
  int read = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string text = damaged(seeds[static_cast<size_t>(round) % seeds.size()], random);
    std::string printed;
    try {
      printed = again(text);
    } catch (const Error&) {
      continue;
    }
    ++read;
    ASSERT_EQ(again(printed), printed) << "from '" << text << "'";
  }
  EXPECT_GT(read, rounds / 50);
  EXPECT_LT(read, rounds);
}

TEST(TextFuzz, Dimensions) {
  fuzz({"2*batch*seq + 1", "floor_div(h + 1, 2)*max(a, b*c - 3)", "(a + b)*(a - b) - mod(a*a, b)",
        "ceil_div(n - 5, s)*min(n, 'a b', 7)"},
       40000, [](const std::string& text) { return Dim::parse(text).str(); });
}

TEST(TextFuzz, Layouts) {
  fuzz({"row", "0231", "0123/1:32", "0123/1:4/0:16/1:4v4", "0.1.2.10"}, 20000,
       [](const std::string& text) { return to_string(parse_layout(text)); });
}

TEST(TextFuzz, Attributes) {
  fuzz({"{axis=1, mode=\"linear\\n\", pads=[0,-1], alpha=0.5, e=[]i, s=[\"a\",\"b\"]}",
        "{t=float16[2,1]:{1.0,nan}, u=uint4[3]:{1,2,15}}",
        "{c=complex64[1]:{(1.0,-inf)}, n=none, b=bool[]:{1}, x=nan(0x7ff0000000000001), t=string[2]:{\"a\",\"\"}}"},
       40000, [](const std::string& text) {
         size_t position = 0;
         return to_string(parse_attributes(text, position));
       });
}

}  // namespace
}  // namespace kiln
