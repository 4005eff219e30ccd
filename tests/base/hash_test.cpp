// Hashes: fixed values, since files store them.
#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kiln {
namespace {

TEST(Hash, ValuesAreStable) {
  EXPECT_EQ(checksum64("", 0), 0x2d06800538d394c2u);
  EXPECT_EQ(hash128("").hex(), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, EveryBitCounts) {
  std::string text(300, 'a');
  std::set<uint64_t> checksums = {checksum64(text.data(), text.size())};
  std::set<Hash128> hashes = {hash128(text)};
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    EXPECT_TRUE(checksums.insert(checksum64(text.data(), text.size())).second) << bit;
    EXPECT_TRUE(hashes.insert(hash128(text)).second) << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
  }
  EXPECT_TRUE(hashes.insert(hash128(text + '\0')).second);
}

TEST(Hash, HexIsFixedWidth) { EXPECT_EQ((Hash128{1, 0xab}.hex()), "000000000000000100000000000000ab"); }

}  // namespace
}  // namespace kiln
