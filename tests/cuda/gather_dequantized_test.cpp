// Slices of dequantized tables on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

Operand absent() { return {.dims = {}, .present = false}; }
Operand known(Tensor t) { return {.dims = t.dims(), .type = t.dtype(), .constant = true, .value = t}; }

Tensor codes(DType type, const Dims& dims) {
  Tensor t = Tensor::allocate(type, dims);
  const int64_t count = int64_t{1} << bits(type), least = is_signed_integer(type) ? -count / 2 : 0;
  for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, i * 37 % count + least);
  return t;
}

// From both ends of an axis.
Operand places(const Dims& dims, int64_t extent, DType type) {
  Tensor t = Tensor::allocate(type, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.set_int(i, i * 7 % extent - (i % 3 == 0 ? extent : 0));
  return {.dims = dims, .type = type, .value = t};
}

struct Table {
  Dims dims;
  int64_t gather_axis = 0, axis = 1, block_size = 0;
  Dims parameters = {};
};

NodeCase rows(const Table& t, DType type, bool zeros, DType index = DType::kI64) {
  const int64_t extent = t.dims[static_cast<size_t>(t.gather_axis)];
  return {.op = "GatherDequantized",
          .attributes = {{"gather_axis", t.gather_axis}, {"axis", t.axis}, {"block_size", t.block_size}},
          .inputs = {known(codes(type, t.dims)), places({2, 5}, extent, index), constant(t.parameters, DType::kF32),
                     zeros ? known(codes(type, t.parameters)) : absent()}};
}

bool takes(const NodeCase& c) { return check(c) == std::set<std::string>{"gather_dequantized"}; }

TEST(CudaGatherDequantized, TypesAndGranularities) {
  for (DType type : {DType::kI2, DType::kU2, DType::kI4, DType::kU4, DType::kI8, DType::kU8})
    for (bool zeros : {false, true})
      for (const Table& t :
           {Table{.dims = {9, 35}}, Table{.dims = {9, 35}, .axis = 0, .parameters = {9}},
            Table{.dims = {9, 35}, .axis = 1, .parameters = {35}},
            Table{.dims = {9, 35}, .axis = 1, .block_size = 16, .parameters = {9, 3}},
            Table{.dims = {9, 35}, .axis = 0, .block_size = 4, .parameters = {3, 35}},
            Table{.dims = {3, 8, 5}, .gather_axis = 1, .axis = 2, .block_size = 2, .parameters = {3, 8, 3}},
            Table{.dims = {3, 8, 5}, .gather_axis = 2, .axis = 1, .parameters = {8}},
            Table{.dims = {70}, .axis = 0, .parameters = {70}}}) {
        EXPECT_TRUE(takes(rows(t, type, zeros)));
        EXPECT_TRUE(takes(rows(t, type, zeros, DType::kI32)));
      }
}

TEST(CudaGatherDequantized, LongRowsAndNoIndices) {
  EXPECT_TRUE(takes(rows({.dims = {50, 1024}, .axis = 1, .block_size = 32, .parameters = {50, 32}}, DType::kU4, true)));
  NodeCase c = rows({.dims = {50, 24}, .axis = 0, .parameters = {50}}, DType::kI8, true);
  c.inputs[1] = places({0}, 50, DType::kI64);
  EXPECT_TRUE(takes(c));
}

TEST(CudaGatherDequantized, RefusesWithAReason) {
  NodeCase c = rows({.dims = {9, 35}, .axis = 0, .parameters = {9}}, DType::kI8, false);
  c.inputs[2].constant = false;
  EXPECT_EQ(refusal(c, "gather_dequantized"), "a parameter of the table is not constant");
  c = rows({.dims = Dims(9, 2), .axis = 0, .parameters = {2}}, DType::kI8, false);
  EXPECT_EQ(refusal(c, "gather_dequantized"), "the table has more than eight axes");
}

}  // namespace
}  // namespace kiln::cuda::testing
