// Layouts and shapes: offsets are a one-to-one map into storage, text reads back, misfits are refused.
#include "tensor/layout.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "base/error.h"
#include "tensor/blocks.h"

namespace kiln {
namespace {

Layout layout(const char* text) { return parse_layout(text); }

// Calls `action` with every index of a tensor in row-major order.
template <class Action> void for_each_index(const Dims& dims, Action&& action) {
  const int64_t count = element_count(dims);
  for (int64_t i = 0; i < count; ++i) {
    Dims index(dims.size());
    int64_t rest = i;
    for (size_t axis = dims.size(); axis-- > 0;) {
      index[axis] = rest % dims[axis];
      rest /= dims[axis];
    }
    action(index, i);
  }
}

TEST(Layout, OffsetsFillStorageWithoutCollision) {
  const struct {
    const char* text;
    Dims dims;
    int64_t storage;
  } cases[] = {
      {"row", {2, 3, 5}, 30},
      {"021", {2, 3, 5}, 30},
      {"0231", {2, 3, 4, 5}, 120},
      {"0123/1:32", {1, 33, 2, 2}, 256},
      {"0123/1:4v4", {2, 5, 3, 3}, 144},
      {"0231/1:8", {2, 9, 3, 2}, 192},
      {"0123/1:4/0:16/1:4", {17, 5, 3, 1}, 1536},
      {"10/0:3", {7, 2}, 18},
      {"row", {}, 1},
      {"row", {3, 0, 2}, 0},
      {"0123/1:16", {1, 0, 2, 2}, 0},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(storage_elements(layout(c.text), c.dims), c.storage) << c.text;
    std::set<int64_t> seen;
    for_each_index(c.dims, [&](const Dims& index, int64_t) {
      const int64_t offset = storage_offset(layout(c.text), c.dims, index);
      EXPECT_GE(offset, 0);
      EXPECT_LT(offset, c.storage);
      EXPECT_TRUE(seen.insert(offset).second) << c.text << to_string(index);
    });
  }
}

TEST(Layout, PlainLayoutsAreTheirStrides) {
  const Dims dims = {2, 3, 4, 5};
  for (const char* text : {"row", "0123", "0231", "3210", "1032"}) {
    const Dims s = strides(layout(text), dims);
    for_each_index(dims, [&](const Dims& index, int64_t) {
      int64_t sum = 0;
      for (size_t axis = 0; axis < index.size(); ++axis) sum += index[axis] * s[axis];
      EXPECT_EQ(sum, storage_offset(layout(text), dims, index)) << text;
    });
  }
  EXPECT_EQ(strides(Layout::row_major(), dims), row_major_strides(dims));
  EXPECT_EQ(strides(Layout::channels_last(4), dims), (Dims{60, 1, 15, 3}));
  EXPECT_EQ(block_strides(Layout::channels_last(4), dims), (Dims{60, 1, 15, 3}));
  EXPECT_EQ(block_strides(layout("row/1:2"), {2, 3, 4, 5}), (Dims{80, 40, 10, 2}));
  EXPECT_EQ(block_strides(layout("0231/1:8"), {2, 9, 4, 5}), (Dims{320, 8, 80, 16}));
}

TEST(Layout, BlockedOffsetsAreThoseOfTheFormats) {
  // NC/32HW32: [n][c / 32][h][w][c % 32].
  const Dims dims = {2, 70, 3, 5};
  for_each_index(dims, [&](const Dims& i, int64_t) {
    EXPECT_EQ(storage_offset(layout("0123/1:32"), dims, i),
              (((i[0] * 3 + i[1] / 32) * 3 + i[2]) * 5 + i[3]) * 32 + i[1] % 32);
  });
  // OIhw4i16o4i: the input axis is split twice.
  const Dims weights = {32, 32, 1, 1};
  for_each_index(weights, [&](const Dims& i, int64_t) {
    const int64_t block = i[0] / 16 * 2 + i[1] / 16;
    EXPECT_EQ(storage_offset(layout("0123/1:4/0:16/1:4"), weights, i),
              ((block * 4 + i[1] % 16 / 4) * 16 + i[0] % 16) * 4 + i[1] % 4);
  });
}

TEST(Layout, Kinds) {
  EXPECT_TRUE(Layout::row_major().is_row_major());
  EXPECT_TRUE(layout("012").is_row_major());
  EXPECT_FALSE(layout("021").is_row_major());
  EXPECT_FALSE(layout("012/1:4").is_row_major());
  EXPECT_TRUE(layout("021").is_plain());
  EXPECT_FALSE(layout("row/1:4").is_plain());
  EXPECT_EQ(to_string(Layout::channels_last(4)), "0231");
  EXPECT_EQ(to_string(Layout::channels_last(5)), "02341");
  EXPECT_EQ(to_string(Layout::channels_last(3)), "021");
  EXPECT_TRUE(Layout::channels_last(2).is_row_major());
}

TEST(Layout, TextReadsBack) {
  for (const char* text :
       {"row", "0", "0231", "0123/1:32", "0123/1:4/0:16/1:4", "row/1:8", "0123/1:4v4", "0.1.2.3.4.5.6.7.8.10.9"})
    EXPECT_EQ(to_string(layout(text)), text);
}

TEST(Layout, RefusesMalformedText) {
  for (const char* text : {"", "x", "01-", "row/", "row/1", "row/1:", "row/:4", "01/1:4v", "01//1:4", "0..1", "0.1.",
                           "-1", "01/1:99999999999", "01/1:-4", "row "})
    EXPECT_THROW(layout(text), Error) << text;
}

TEST(Layout, RefusesMisfits) {
  EXPECT_THROW(check(layout("012"), 4), Error);
  EXPECT_THROW(check(layout("0113"), 4), Error);
  EXPECT_THROW(check(layout("0124"), 4), Error);
  EXPECT_THROW(check(layout("row/4:2"), 4), Error);
  EXPECT_THROW(check(layout("row/1:0"), 4), Error);
  EXPECT_THROW(check(layout("row/1:8v4"), 4), Error);
  EXPECT_THROW(check(layout("rowv4"), 4), Error);
  EXPECT_NO_THROW(check(layout("0231/1:8v8"), 4));
  EXPECT_THROW(strides(layout("01/1:4"), {2, 3}), Error);
  EXPECT_THROW(block_strides(layout("01/1:4/1:2"), {2, 3}), Error);
  EXPECT_THROW(block_strides(layout("01/2:4"), {2, 3}), Error);
  EXPECT_THROW(storage_offset(layout("01"), {2, 3}, {2, 0}), Error);
  EXPECT_THROW(storage_offset(layout("01"), {2, 3}, {0}), Error);
}

TEST(Layout, RefusesOverflow) {
  constexpr int64_t kLarge = int64_t{1} << 62;
  EXPECT_THROW(storage_elements(layout("01"), {kLarge, 2}), Error);
  EXPECT_THROW(storage_elements(layout("01/1:32"), {1, std::numeric_limits<int64_t>::max()}), Error);
  EXPECT_THROW(storage_elements(layout("01/0:2000000000/0:2000000000/0:2000000000"), {1, 1}), Error);
  EXPECT_THROW(storage_elements(layout("01"), {-1, 2}), Error);
  EXPECT_THROW(strides(layout("01"), {kLarge, 4}), Error);
}

TEST(Shape, Broadcast) {
  const Dim n = Dim::symbol("n"), m = Dim::symbol("m");
  EXPECT_EQ(broadcast(Dims{3, 1}, Dims{2, 1, 4}), (Dims{2, 3, 4}));
  EXPECT_EQ(broadcast(Dims{}, Dims{5}), (Dims{5}));
  EXPECT_EQ(broadcast(Dims{0}, Dims{1}), (Dims{0}));
  EXPECT_EQ(broadcast(Shape{n, 1}, Shape{1, m}), (Shape{n, m}));
  EXPECT_EQ(broadcast(Shape{n}, Shape{4}), (Shape{4}));
  EXPECT_EQ(broadcast(Shape{4}, Shape{n}), (Shape{4}));
  EXPECT_EQ(broadcast(Shape{n}, Shape{n}), (Shape{n}));
  EXPECT_THROW(broadcast(Dims{2}, Dims{3}), Error);
  EXPECT_THROW(broadcast(Dims{0}, Dims{2}), Error);
}

TEST(Shape, CountsAndStrides) {
  constexpr int64_t kLarge = int64_t{1} << 40;
  EXPECT_EQ(element_count(Dims{}), 1);
  EXPECT_EQ(element_count(Dims{kLarge, kLarge, 0}), 0);
  EXPECT_EQ(checked_element_count({kLarge, kLarge}), std::nullopt);
  EXPECT_EQ(checked_element_count({0, -1}), std::nullopt);
  EXPECT_THROW(element_count(Dims{kLarge, kLarge}), Error);
  EXPECT_EQ(row_major_strides({2, 3, 4}), (Dims{12, 4, 1}));
  EXPECT_THROW(row_major_strides({0, kLarge, kLarge}), Error);
  EXPECT_EQ(element_count(Shape{Dim::symbol("n"), 2, 3}), Dim::symbol("n") * 6);
  EXPECT_EQ(normalize_axis(-1, 3), 2);
  EXPECT_THROW(normalize_axis(3, 3), Error);
  EXPECT_THROW(normalize_axis(0, 0), Error);
}

TEST(Shape, Text) {
  EXPECT_EQ(to_string(Shape{Dim::symbol("batch"), 3}), "[batch,3]");
  EXPECT_EQ((TensorType{DType::kF32, {Dim::symbol("n"), 3}}.str()), "float32[n,3]");
  EXPECT_EQ((TensorType{DType::kI64, {}, false}.str()), "int64[*]");
  EXPECT_THROW(static_dims({Dim::symbol("n")}), Error);
  EXPECT_TRUE(is_static(to_shape({1, 2})));
}

}  // namespace
}  // namespace kiln
