// Poolings over any number of dimensions, with positions, and norms, on NVIDIA GPUs against the reference.
#include <gtest/gtest.h>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr DType kPooled[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kF64};

bool pools(const NodeCase& c) { return check(c) == std::set<std::string>{"pool_any"}; }

// As many strides, dilations and pads as there are dimensions.
Attributes window(const Ints& kernel, int64_t stride, int64_t dilation, int64_t pad) {
  const size_t n = kernel.size();
  return {{"kernel_shape", kernel},
          {"strides", Ints(n, stride)},
          {"dilations", Ints(n, dilation)},
          {"pads", Ints(2 * n, pad)}};
}

TEST(CudaPoolAny, MoreDimensions) {
  for (DType type : kPooled)
    for (const char* op : {"MaxPool", "AveragePool"})
      for (int64_t pad : {0, 1}) {
        NodeCase c{.op = op, .attributes = window({2, 3, 2}, 2, 1, pad), .inputs = {plain({2, 3, 7, 6, 9}, type)}};
        EXPECT_TRUE(pools(c));
        c.attributes.set("count_include_pad", int64_t{1});
        if (std::string(op) == "AveragePool") {
          EXPECT_TRUE(pools(c));
        }
        c.attributes = window({2, 2, 2, 2}, 1, 2, pad);
        c.inputs = {plain({1, 2, 4, 5, 3, 6}, type)};
        EXPECT_TRUE(pools(c));
        c.attributes = window({3, 3, 3}, 2, 1, pad);
        c.attributes.set("ceil_mode", int64_t{1});
        c.inputs = {plain({1, 2, 8, 8, 8}, type)};
        EXPECT_TRUE(pools(c));
      }
  EXPECT_TRUE(pools({.op = "MaxPool",
                     .attributes = {{"kernel_shape", Ints{2, 2, 3}}, {"auto_pad", std::string("SAME_UPPER")}},
                     .inputs = {plain({1, 3, 5, 4, 7}, DType::kF16)}}));
  EXPECT_TRUE(pools(
      {.op = "MaxPool", .attributes = window({2, 2, 2}, 1, 1, 0), .inputs = {plain({0, 3, 4, 4, 4}, DType::kF32)}}));
}

TEST(CudaPoolAny, LayoutsOfVolumes) {
  const Layout deep = Layout::channels_last(5);
  for (DType type : kFloats)
    EXPECT_TRUE(pools({.op = "MaxPool",
                       .attributes = window({3, 3, 3}, 2, 1, 1),
                       .inputs = {{.dims = {2, 5, 6, 7, 8}, .type = type, .layout = deep}},
                       .output_layout = deep}));
}

TEST(CudaPoolAny, Positions) {
  for (DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI8, DType::kU8})
    for (int64_t order : {0, 1})
      for (const Dims& dims : {Dims{2, 3, 17}, Dims{2, 3, 8, 9}, Dims{1, 2, 5, 4, 6}}) {
        NodeCase c{.op = "MaxPool", .attributes = window(Ints(dims.size() - 2, 3), 2, 1, 1), .outputs = 2};
        c.inputs = {plain(dims, type)};
        c.attributes.set("storage_order", order);
        EXPECT_TRUE(pools(c));
      }
}

TEST(CudaPoolAny, PositionsOfEqualElementsAndOfWhatIsNoNumber) {
  Tensor x = Tensor::of<float>({1, 2, 5, 5}, std::vector<float>(50, 1));
  x.set(7, static_cast<double>(kNan));
  x.set(8, static_cast<double>(kNan));
  x.set(30, static_cast<double>(kInf));
  for (int64_t i = 40; i < 50; ++i) x.set(i, static_cast<double>(-kInf));
  EXPECT_TRUE(pools({.op = "MaxPool",
                     .attributes = window({3, 2}, 1, 1, 1),
                     .inputs = {{.dims = {1, 2, 5, 5}, .value = x}},
                     .outputs = 2}));
}

TEST(CudaPoolAny, Norms) {
  for (DType type : kPooled)
    for (int64_t p : {1, 2, 3})
      for (const Dims& dims : {Dims{2, 3, 17}, Dims{2, 3, 8, 9}, Dims{1, 2, 5, 4, 6}, Dims{1, 0, 5, 4}}) {
        NodeCase c{.op = "LpPool", .attributes = window(Ints(dims.size() - 2, 2), 2, 1, 1)};
        c.inputs = {plain(dims, type)};
        c.attributes.set("p", p);
        EXPECT_TRUE(pools(c));
      }
}

// Powers of large elements are beyond float32, the norm is not.
TEST(CudaPoolAny, NormsOfLargeElements) {
  Tensor x = Tensor::of<float>({1, 1, 6}, {1e30f, -2e30f, 1e-30f, 2e-30f, kInf, kNan});
  for (int64_t p : {1, 2, 4}) {
    NodeCase c{.op = "LpPool", .attributes = window({2}, 2, 1, 0), .inputs = {{.dims = {1, 1, 6}, .value = x}}};
    c.attributes.set("p", p);
    EXPECT_TRUE(pools(c));
  }
}

TEST(CudaPoolAny, RefusesWithAReason) {
  NodeCase c{.op = "MaxPool", .attributes = window({3, 3}, 1, 1, 1), .inputs = {plain({1, 2, 5, 5}, DType::kF32)}};
  EXPECT_EQ(refusal(c, "pool_any"), "the tactic 'pool' takes it");
  c = {.op = "AveragePool",
       .attributes = window({64, 8, 8}, 1, 1, 0),
       .inputs = {plain({1, 2, 99, 99, 99}, DType::kF32)}};
  EXPECT_EQ(refusal(c, "pool_any"), "the windows are long and overlap");
}

}  // namespace
}  // namespace kiln::cuda::testing
