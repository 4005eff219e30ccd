// Reductions, ArgMax and ArgMin.
#include <gtest/gtest.h>

#include "backends/harness.h"

namespace kiln::testing {
namespace {

Operand axes(std::vector<int64_t> v) { return constant(Tensor::of<int64_t>({static_cast<int64_t>(v.size())}, v)); }

TEST(Reduce, KindsAxesAndLayouts) {
  std::mt19937 rng(1);
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
                         "ReduceSumSquare", "ReduceLogSumExp"})
    for (int64_t keep : {0, 1}) {
      const Attributes attributes{{"keepdims", keep}};
      for (const Ints& over : {Ints{0}, Ints{-1}, Ints{1, 2}, Ints{0, 2}}) {
        Case c{op, {random_tensor(rng, DType::kF32, {3, 5, 37}), axes(over)}, attributes};
        c.tolerance = 1e-5;
        expect_case(c, "reduce");
      }
      Case all{op, {gapped(random_tensor(rng, DType::kF32, {3, 5, 7}))}, attributes};
      all.tolerance = 1e-5;
      all.gapped_outputs = true;
      expect_case(all, "reduce");
      Case pixels{op, {channels_last(random_tensor(rng, DType::kF32, {2, 17, 6, 5})), axes({2, 3})}, attributes};
      pixels.tolerance = 1e-5;
      expect_case(pixels, "reduce");
    }
  Case empty{"ReduceSum", {random_tensor(rng, DType::kF32, {3, 0}), axes({1})}};
  expect_case(empty, "reduce");
  EXPECT_TRUE(check_case({"ReduceSum", {random_tensor(rng, DType::kI32, {3, 2}), axes({1})}}, "reduce").empty());
}

TEST(ArgExtreme, TiesAndAxes) {
  std::mt19937 rng(2);
  for (const char* op : {"ArgMax", "ArgMin"})
    for (int64_t axis : {0, 1, -1})
      for (int64_t last : {0, 1}) {
        Tensor x = random_tensor(rng, DType::kI32, {4, 9, 21}).cast(DType::kF32);
        expect_case({op, {x}, {{"axis", axis}, {"select_last_index", last}, {"keepdims", last}}}, "arg_extreme");
      }
}

}  // namespace
}  // namespace kiln::testing
