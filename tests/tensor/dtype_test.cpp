// Element types: names, widths, classes, sizes.
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

namespace kiln {
namespace {

TEST(DType, NamesAreDistinctAndReadBack) {
  std::set<std::string_view> names;
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    EXPECT_TRUE(names.insert(name(type)).second);
    EXPECT_EQ(dtype_from_name(name(type)), type);
  }
  EXPECT_EQ(name(DType::kF8E4M3FN), "float8e4m3fn");
  EXPECT_EQ(name(DType::kU2), "uint2");
  EXPECT_EQ(dtype_from_name("float"), std::nullopt);
  EXPECT_EQ(dtype_from_name("invalid"), std::nullopt);
  EXPECT_EQ(name(static_cast<DType>(200)), "invalid");
}

TEST(DType, EveryTypeHasOneClass) {
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    const int classes = is_float(type) + is_signed_integer(type) + is_unsigned_integer(type) + is_complex(type);
    EXPECT_EQ(classes, type == DType::kBool || type == DType::kString ? 0 : 1) << name(type);
  }
  EXPECT_TRUE(is_float(DType::kF4E2M1));
  EXPECT_TRUE(is_float(DType::kF8E8M0));
}

TEST(DType, Widths) {
  EXPECT_EQ(bits(DType::kI2), 2);
  EXPECT_EQ(bits(DType::kF4E2M1), 4);
  EXPECT_EQ(bits(DType::kBool), 8);
  EXPECT_EQ(bits(DType::kBF16), 16);
  EXPECT_EQ(bits(DType::kC128), 128);
  EXPECT_EQ(bits(DType::kString), 0);
  EXPECT_EQ(bits(DType::kInvalid), 0);
}

TEST(DType, ByteSize) {
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(byte_size(DType::kI2, 5), 2);
  EXPECT_EQ(byte_size(DType::kI4, 5), 3);
  EXPECT_EQ(byte_size(DType::kI4, kLargest), kLargest / 2 + 1);
  EXPECT_EQ(byte_size(DType::kF32, 0), 0);
  EXPECT_EQ(byte_size(DType::kF32, kLargest / 4), kLargest / 4 * 4);
  EXPECT_EQ(byte_size(DType::kF32, kLargest / 4 + 1), std::nullopt);
  EXPECT_EQ(byte_size(DType::kF32, -1), std::nullopt);
  EXPECT_EQ(byte_size(DType::kString, 1), std::nullopt);
}

}  // namespace
}  // namespace kiln
