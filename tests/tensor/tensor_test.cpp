// Host tensors: ownership, sharing, refusal of absurd sizes, casts.
#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <numeric>

#include "code_of.h"

namespace kiln {
namespace {

TEST(Tensor, AllocatesAlignedZeros) {
  for (int i = 1; i < kDTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    for (const Dims& dims : {Dims{}, Dims{0}, Dims{3, 5}, Dims{2, 0, 4}, Dims{1001}}) {
      Tensor t = Tensor::allocate(type, dims);
      EXPECT_EQ(t.dims(), dims);
      EXPECT_EQ(t.size(), element_count(dims));
      if (type == DType::kString) {
        EXPECT_EQ(t.string_values().size(), static_cast<size_t>(t.size()));
        continue;
      }
      EXPECT_EQ(t.bytes(), *byte_size(type, t.size()));
      EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data()) % 64, 0u);
      const auto* bytes = static_cast<const uint8_t*>(t.data());
      EXPECT_EQ(std::accumulate(bytes, bytes + t.bytes(), 0), 0);
      if (t.bytes() > 0) std::memset(t.mutable_data(), 0xff, static_cast<size_t>(t.bytes()));
    }
  }
}

TEST(Tensor, RefusesAbsurdSizes) {
  EXPECT_EQ(code_of([] { Tensor::allocate(DType::kF32, {int64_t{1} << 45}); }), Code::kOutOfMemory);
  EXPECT_EQ(code_of([] { Tensor::allocate(DType::kU8, {std::numeric_limits<int64_t>::max()}); }), Code::kOutOfMemory);
  EXPECT_EQ(code_of([] { Tensor::allocate(DType::kF32, {std::numeric_limits<int64_t>::max()}); }), Code::kOverflow);
  EXPECT_EQ(code_of([] { Tensor::allocate(DType::kF32, {int64_t{1} << 40, int64_t{1} << 40}); }), Code::kOverflow);
  EXPECT_EQ(code_of([] { Tensor::allocate(DType::kF32, {-1}); }), Code::kOverflow);
  EXPECT_EQ(code_of([] { Tensor::allocate(DType::kString, {int64_t{1} << 45}); }), Code::kOutOfMemory);
  EXPECT_EQ(code_of([] { Tensor::allocate(DType::kInvalid, {1}); }), Code::kTypeMismatch);
}

TEST(Tensor, SharedAndBorrowedDataIsReadOnly) {
  Tensor t = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  t.set(0, 9);
  {
    Tensor copy = t;
    EXPECT_EQ(copy.data(), t.data());
    EXPECT_EQ(code_of([&] { t.mutable_data(); }), Code::kInvalidState);
    EXPECT_EQ(code_of([&] { copy.set(0, 1); }), Code::kInvalidState);
    Tensor own = copy.clone();
    own.set(0, 7);
    EXPECT_EQ(t.at(0), 9);
  }
  EXPECT_NO_THROW(t.mutable_data());
  const float values[] = {5, 6};
  Tensor borrowed = Tensor::borrow(DType::kF32, {2}, values);
  EXPECT_EQ(borrowed.data(), values);
  EXPECT_EQ(code_of([&] { borrowed.mutable_data(); }), Code::kInvalidState);
  EXPECT_EQ(code_of([] { Tensor().mutable_data(); }), Code::kInvalidState);
}

TEST(Tensor, BorrowKeepsItsOwnerAndCopesWithAnyAddress) {
  auto owner = std::make_shared<std::vector<char>>(16, 1);
  Tensor t = Tensor::borrow(DType::kU8, {16}, owner->data(), owner);
  EXPECT_EQ(owner.use_count(), 2);
  t = Tensor();
  EXPECT_EQ(owner.use_count(), 1);
  alignas(8) char bytes[12] = {};
  const float value = 2.5f;
  std::memcpy(bytes + 1, &value, 4);
  Tensor odd = Tensor::borrow(DType::kF32, {1}, bytes + 1);
  EXPECT_EQ(odd.as<float>()[0], 2.5f);
  EXPECT_EQ(code_of([&] { odd.mutable_data(); }), Code::kInvalidState);
  EXPECT_EQ(code_of([] { Tensor::borrow(DType::kF32, {1}, nullptr); }), Code::kInvalidArgument);
  EXPECT_NO_THROW(Tensor::borrow(DType::kF32, {0}, nullptr));
  EXPECT_EQ(code_of([&] { Tensor::borrow(DType::kString, {1}, bytes); }), Code::kTypeMismatch);
}

TEST(Tensor, Strings) {
  Tensor t = Tensor::strings({2}, {"a", ""});
  EXPECT_EQ(t.bytes(), 0);
  t.mutable_string_values()[1] = "b";
  EXPECT_EQ(t.string_values()[1], "b");
  Tensor copy = t;
  EXPECT_EQ(code_of([&] { t.mutable_string_values(); }), Code::kInvalidState);
  EXPECT_TRUE(copy.identical(t.clone()));
  EXPECT_EQ(copy.reshaped({2, 1}).string_values()[0], "a");
  EXPECT_EQ(code_of([] { Tensor::strings({3}, {"a"}); }), Code::kShapeMismatch);
  EXPECT_EQ(code_of([&] { t.mutable_data(); }), Code::kTypeMismatch);
  EXPECT_EQ(code_of([] { Tensor::scalar(1.0f).string_values(); }), Code::kTypeMismatch);
  EXPECT_EQ(code_of([&] { t.cast(DType::kF32); }), Code::kTypeMismatch);
  EXPECT_EQ(code_of([&] { t.at(0); }), Code::kTypeMismatch);
}

TEST(Tensor, OfTakesExactlyItsValues) {
  EXPECT_EQ(Tensor::scalar<int64_t>(5).rank(), 0);
  EXPECT_EQ(Tensor::scalar<int64_t>(5).int_at(0), 5);
  EXPECT_EQ(code_of([] { Tensor::of<float>({3}, {1, 2}); }), Code::kShapeMismatch);
  EXPECT_EQ(Tensor::of<bool>({2}, {true, false}).to_ints(), (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(Tensor::of<Half>({1}, {Half(1.5f)}).at(0), 1.5);
  EXPECT_EQ(code_of([] { Tensor::scalar(1.0f).to_ints(); }), Code::kTypeMismatch);
}

TEST(Tensor, Reshape) {
  const Tensor t = Tensor::of<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(t.reshaped({3, 2}).data(), t.data());
  EXPECT_EQ(t.reshaped({6}).type_string(), "int32[6]");
  EXPECT_EQ(code_of([&] { t.reshaped({5}); }), Code::kShapeMismatch);
  EXPECT_EQ(code_of([&] { t.reshaped({-2, -3}); }), Code::kShapeMismatch);
}

TEST(Tensor, Cast) {
  const Tensor t = Tensor::of<float>({3}, {-1.5f, 0, 300});
  EXPECT_EQ(t.cast(DType::kF32).data(), t.data());
  EXPECT_EQ(t.cast(DType::kI4).to_ints(), (std::vector<int64_t>{-1, 0, -4}));
  EXPECT_EQ(t.cast(DType::kBool).to_ints(), (std::vector<int64_t>{1, 0, 1}));
  EXPECT_EQ(t.cast(DType::kF8E4M3FNUZ).at(2), 240);
  EXPECT_TRUE(std::isnan(t.cast(DType::kF8E4M3FNUZ, false).at(2)));
  EXPECT_EQ(Tensor::allocate(DType::kF32, {0, 4}).cast(DType::kI4).bytes(), 0);
}

TEST(Tensor, IdenticalComparesBits) {
  const Tensor zero = Tensor::scalar(0.0f), minus = Tensor::scalar(-0.0f),
               nan = Tensor::scalar(std::numeric_limits<float>::quiet_NaN());
  EXPECT_FALSE(zero.identical(minus));
  EXPECT_TRUE(nan.identical(nan.clone()));
  EXPECT_FALSE(zero.identical(zero.reshaped({1})));
  EXPECT_FALSE(zero.identical(Tensor::scalar<int32_t>(0)));
  EXPECT_TRUE(Tensor().identical(Tensor()));
  const uint8_t clean[] = {0x21, 0x03}, dirty[] = {0x21, 0xf3}, other[] = {0x21, 0x04};
  EXPECT_TRUE(Tensor::borrow(DType::kU4, {3}, clean).identical(Tensor::borrow(DType::kU4, {3}, dirty)));
  EXPECT_FALSE(Tensor::borrow(DType::kU4, {3}, clean).identical(Tensor::borrow(DType::kU4, {3}, other)));
  EXPECT_FALSE(Tensor::borrow(DType::kU4, {4}, clean).identical(Tensor::borrow(DType::kU4, {4}, dirty)));
}

}  // namespace
}  // namespace kiln
