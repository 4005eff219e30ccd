// ImageDecoder: formats without a library in full, the others by their signatures and damage.
#include "ops/nn_testing.h"

namespace kiln::nn_testing {
namespace {

Tensor decoded(const std::string& file, const char* format = "RGB") {
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  return run("ImageDecoder", {{"pixel_format", std::string(format)}},
             {Tensor::of<uint8_t>({static_cast<int64_t>(bytes.size())}, bytes)})[0];
}

std::string number(uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value /= 256) text += static_cast<char>(value % 256);
  return text;
}

std::string bmp(int32_t width, int32_t height, uint32_t depth, const std::string& palette, const std::string& rows) {
  const auto start = static_cast<uint32_t>(54 + palette.size());
  return "BM" + number(0, 8) + number(start, 4) + number(40, 4) + number(static_cast<uint32_t>(width), 4) +
         number(static_cast<uint32_t>(height), 4) + number(1, 2) + number(depth, 2) + number(0, 16) +
         number(static_cast<uint32_t>(palette.size() / 4), 4) + number(0, 4) + palette + rows;
}

TEST(ImageDecoder, Bitmaps) {
  const std::string rows = std::string("\1\2\3\4\5\6\0\0", 8) + std::string("\7\x8\x9\xa\xb\xc\0\0", 8);
  expect_values(decoded(bmp(2, 2, 24, "", rows)), {2, 2, 3}, {9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4});
  expect_values(decoded(bmp(2, -2, 24, "", rows), "BGR"), {2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const std::string palette("\1\2\3\0\4\5\6\0", 8);
  expect_values(decoded(bmp(3, 1, 1, palette, std::string("\xa0\0\0\0", 4))), {1, 3, 3}, {6, 5, 4, 3, 2, 1, 6, 5, 4});
  expect_values(decoded(bmp(1, 1, 32, "", std::string("\x10\x20\x30\0", 4)), "Grayscale"), {1, 1, 1}, {35});
}

TEST(ImageDecoder, PortableMaps) {
  expect_values(decoded("P2 # a comment\n2 1\n10\n0 5"), {1, 2, 3}, {0, 0, 0, 128, 128, 128});
  expect_values(decoded("P3\n1 1\n255\n1 2 3\n"), {1, 1, 3}, {1, 2, 3});
  expect_values(decoded("P1\n3 1\n101"), {1, 3, 3}, {0, 0, 0, 255, 255, 255, 0, 0, 0});
  expect_values(decoded("P4\n3 1\n\xa0"), {1, 3, 3}, {0, 0, 0, 255, 255, 255, 0, 0, 0});
  expect_values(decoded("P6\n1 1\n255\nabc"), {1, 1, 3}, {97, 98, 99});
  expect_values(decoded(std::string("P5\n1 1\n65535\n\x80\0", 15)), {1, 1, 3}, {128, 128, 128});
}

// Nothing comes out of what is damaged.
TEST(ImageDecoder, DamagedFiles) {
  const std::string good[] = {bmp(2, 2, 24, "", std::string(16, 'x')), "P6\n2 1\n255\nabcdef", "P3\n1 1\n255\n1 2 3",
                              bmp(3, 1, 8, std::string(8, 'p'), std::string(4, '\1'))};
  for (const std::string& file : good) {
    EXPECT_GT(decoded(file).size(), 0);
    for (size_t length = 0; length + 1 < file.size(); ++length)
      EXPECT_EQ(decoded(file.substr(0, length)).size(), 0) << length;
    for (size_t i = 2; i < std::min<size_t>(file.size(), 54); ++i) {
      std::string damaged = file;
      damaged[i] = static_cast<char>(0xff);
      decoded(damaged);
    }
  }
  for (const char* start :
       {"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "II*", "RIFF\1\1\1\1WEBP", "\xff\x4f\xff\x51", "GIF89a", ""})
    try {
      EXPECT_EQ(decoded(start).size(), 0) << start;
      EXPECT_EQ(decoded(std::string(start) + std::string(500, '\x7f')).size(), 0) << start;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kUnsupported) << e.what();  // built without the library
    }
  EXPECT_THROW(decoded("", "CMYK"), Error);
}

}  // namespace
}  // namespace kiln::nn_testing
