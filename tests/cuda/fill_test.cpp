// Operators of NVIDIA GPUs whose results hold few different elements, and reversed sequences, against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kFilled[] = {DType::kU8, DType::kBool, DType::kF16, DType::kF32, DType::kF64, DType::kI64};
constexpr DType kMoved[] = {DType::kU8,  DType::kBool, DType::kF16, DType::kF32,
                            DType::kF64, DType::kI64,  DType::kC64, DType::kC128};

Operand holding(Tensor t, bool constant = false) {
  return {.dims = t.dims(), .type = t.dtype(), .constant = constant, .value = t};
}
Operand whole(int64_t v) { return holding(Tensor::of<int64_t>({}, {v})); }

bool fills(const NodeCase& c) { return check(c) == std::set<std::string>{"fill"}; }

TEST(CudaFill, OneElement) {
  for (DType type : kFilled)
    for (const Ints& dims : {Ints{}, Ints{3}, Ints{7, 1, 33}, Ints{5, 4099}, Ints{4, 0, 2}}) {
      const Tensor shape = Tensor::of<int64_t>({static_cast<int64_t>(dims.size())}, dims);
      Tensor value = Tensor::allocate(type, {1});
      value.set(0, 1);
      EXPECT_TRUE(fills(
          {.op = "ConstantOfShape", .attributes = {{"value", value}}, .inputs = {holding(shape, /*constant=*/true)}}));
    }
  EXPECT_TRUE(fills({.op = "ConstantOfShape", .inputs = {holding(Tensor::of<int64_t>({2}, {5, 7}), true)}}));
}

TEST(CudaFill, Diagonals) {
  for (DType type : kFilled)
    for (const Dims& dims : {Dims{5, 5}, Dims{3, 70}, Dims{41, 9}, Dims{0, 4}, Dims{4, 0}})
      for (int64_t k : {int64_t{0}, int64_t{2}, int64_t{-4}, INT64_MIN, INT64_MAX})
        EXPECT_TRUE(fills({.op = "EyeLike",
                           .attributes = {{"k", k}, {"dtype", std::string(name(type))}},
                           .inputs = {plain(dims, DType::kI32)}}));
}

TEST(CudaFill, Triangles) {
  for (DType type : kMoved)
    for (const Dims& dims : {Dims{5, 5}, Dims{2, 3, 7, 65}, Dims{4, 33, 9}, Dims{2, 0, 4}, Dims{3, 1}})
      for (int64_t upper : {0, 1}) {
        NodeCase c{.op = "Trilu", .attributes = {{"upper", upper}}, .inputs = {plain(dims, type)}};
        EXPECT_TRUE(fills(c));
        for (int64_t k : {int64_t{1}, int64_t{-2}, int64_t{100}, INT64_MIN, INT64_MAX}) {
          c.inputs = {plain(dims, type), whole(k)};
          EXPECT_TRUE(fills(c));
        }
      }
}

// What is left out is zero, whatever it was.
TEST(CudaFill, TrianglesOfWhatIsNoNumber) {
  Tensor x = random_tensor(DType::kF32, {4, 4}, 3);
  for (int64_t i : {1, 4, 7, 13}) x.set(i, static_cast<double>(i % 2 == 0 ? kInf : kNan));
  for (int64_t upper : {0, 1})
    EXPECT_TRUE(fills({.op = "Trilu", .attributes = {{"upper", upper}}, .inputs = {holding(x)}}));
}

TEST(CudaFill, OnesForIndices) {
  for (DType type : kMoved)
    for (DType index : {DType::kI32, DType::kI64})
      for (const Dims& dims : {Dims{}, Dims{70}, Dims{3, 5, 2}, Dims{4, 0}})
        for (int64_t depth : {1, 9}) {
          Tensor indices = Tensor::allocate(index, dims);  // inside and outside, from both ends
          for (int64_t i = 0; i < indices.size(); ++i) indices.set_int(i, i * 7 % 25 - 12);
          const auto axes = static_cast<int64_t>(dims.size());
          for (int64_t axis : {int64_t{0}, axes, int64_t{-1}})
            EXPECT_TRUE(fills(
                {.op = "OneHot",
                 .attributes = {{"axis", axis}},
                 .inputs = {holding(indices), holding(Tensor::of<int64_t>({}, {depth}), true), plain({2}, type)}}));
        }
  EXPECT_TRUE(fills({.op = "OneHot",
                     .inputs = {holding(Tensor::of<int64_t>({3}, {INT64_MIN, INT64_MAX, 1})),
                                holding(Tensor::of<int64_t>({}, {2}), true), plain({2}, DType::kF32)}}));
}

TEST(CudaFill, RefusesWithAReason) {
  const NodeCase c{
      .op = "OneHot",
      .inputs = {plain({3}, DType::kF32), holding(Tensor::of<int64_t>({}, {2}), true), plain({2}, DType::kF32)}};
  EXPECT_EQ(refusal(c, "fill"), "indices of type float32");
}

TEST(CudaReverseSequence, EitherOrderOfAxes) {
  for (DType type : kMoved)
    for (const Dims& dims : {Dims{5, 4}, Dims{9, 3, 8}, Dims{7, 2, 3, 5}, Dims{6, 0, 2}, Dims{3, 5, 0}, Dims{0, 3, 2}})
      for (int64_t time : {0, 1}) {
        const int64_t steps = dims[time == 0 ? 0 : 1], batch = dims[time == 0 ? 1 : 0];
        Tensor lengths = Tensor::allocate(DType::kI64, {batch});
        for (int64_t b = 0; b < batch; ++b) lengths.set_int(b, b == 0 ? steps : b * 5 % (steps + 1));
        EXPECT_EQ(check({.op = "ReverseSequence",
                         .attributes = {{"time_axis", time}, {"batch_axis", 1 - time}},
                         .inputs = {plain(dims, type), holding(lengths)}}),
                  std::set<std::string>{"reverse_sequence"});
      }
}

}  // namespace
}  // namespace kiln::cuda::testing
