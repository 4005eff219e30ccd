// Sections in pieces: the file is that of the joined bytes.
#include "plan/container.h"

#include <gtest/gtest.h>

#include <random>

#include "plan/plan.h"

namespace kiln::plan {
namespace {

using Bytes = std::vector<std::byte>;

Bytes random_bytes(size_t size, uint32_t seed) {
  std::minstd_rand random(seed);
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

TEST(Container, PiecesAreOneSection) {
  constexpr size_t kMany = size_t{9} << 20;  // more than one chunk of the checksum
  for (const std::vector<size_t>& sizes :
       {std::vector<size_t>{}, {0}, {1}, {1, 0, 65}, {100, kMany, 3}, {kMany, 64, kMany}}) {
    Constants constants;
    std::vector<Bytes> parts;
    for (size_t i = 0; i < sizes.size(); ++i) parts.push_back(random_bytes(sizes[i], static_cast<uint32_t>(i + 1)));
    Section pieces{SectionKind::kConstants, false, {}};
    for (const Bytes& part : parts) pieces.pieces.push_back({constants.add(part, nullptr), part});
    Bytes joined(constants.size());
    for (const Piece& p : pieces.pieces)
      std::copy(p.bytes.begin(), p.bytes.end(), joined.begin() + static_cast<ptrdiff_t>(p.offset));
    const Container one{"0.1.0", {{SectionKind::kConstants, false, {{0, joined}}}}};
    EXPECT_EQ(pack({"0.1.0", {pieces}}), pack(one));
  }
}

TEST(Constants, BytesOfOnePartOnly) {
  const Bytes a = random_bytes(70, 1), b = random_bytes(10, 2);
  Constants c;
  EXPECT_EQ(c.at(0, 0), nullptr);
  EXPECT_EQ(c.add(a, nullptr), 0u);
  EXPECT_EQ(c.add(b, nullptr), 128u);
  EXPECT_EQ(c.size(), 138u);
  EXPECT_EQ(c.at(0, 70), a.data());
  EXPECT_EQ(c.at(69, 1), a.data() + 69);
  EXPECT_EQ(c.at(69, 2), nullptr);
  EXPECT_EQ(c.at(100, 1), nullptr);
  EXPECT_EQ(c.at(128, 10), b.data());
  EXPECT_EQ(c.at(128, 11), nullptr);
  EXPECT_EQ(c.at(130, UINT64_MAX), nullptr);
  EXPECT_EQ(c.at(UINT64_MAX, 1), nullptr);
}

}  // namespace
}  // namespace kiln::plan
