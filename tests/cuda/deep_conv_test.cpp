// Convolutions over depth as the passes for NVIDIA GPUs write them, against what they were.
#include "backends/cuda/target/deep_conv.h"

#include <gtest/gtest.h>

#include "cuda/graphs.h"
#include "passes/pass.h"

namespace kiln::cuda {
namespace {

bool has_deep_convolution(const ir::Graph& graph) {
  for (const auto& node : graph.nodes())
    if (node->is("Conv") && node->input(0)->rank() == 5) return true;
  return false;
}

// Whether none is left. What remains computes the same.
bool becomes_flat(const std::string& text) {
  const auto before = ir::parse_graph(text), after = before->clone();
  passes::run_passes(*after, {{"depth", [](ir::Graph& graph, passes::PassContext& context) {
                                 passes::apply_rules(graph, {&passes::deep_conv}, context);
                               }}});
  if (has_deep_convolution(*after)) return false;
  const Tensor wanted = values_of(*before)[0].tensor, got = values_of(*after)[0].tensor;
  EXPECT_EQ(wanted.dims(), got.dims()) << text;
  for (int64_t i = 0; i < std::min(wanted.size(), got.size()); ++i)
    EXPECT_NEAR(wanted.at(i), got.at(i), 1e-4 * (1 + std::abs(wanted.at(i)))) << text;
  return true;
}

std::string deep(const std::string& x, const std::string& w, const std::string& attributes,
                 const std::string& post = "") {
  return "graph main(%x: float32[" + x + "], %z: float32[2,4,3,5,4]) {\n  %w = random float32[" + w +
         "] seed 1\n  %b = random float32[4] seed 2\n  %y = Conv \"deep\"(%x, %w, %b) {" + attributes + "}" + post +
         "\n  return %y\n}\n";
}

TEST(CudaDeepConv, WindowsStridesDilationsGroups) {
  EXPECT_TRUE(becomes_flat(deep("2,3,5,6,7", "4,3,3,3,3", "pads=[1,1,1,1,1,1]")));
  EXPECT_TRUE(becomes_flat(deep("1,4,5,6,7", "4,2,2,3,1", "group=2,pads=[0,1,0,1,0,2],strides=[2,1,3]")));
  EXPECT_TRUE(becomes_flat(deep("2,2,7,5,5", "4,2,3,2,2", "dilations=[2,1,2],strides=[1,2,1]")));
  EXPECT_TRUE(becomes_flat(deep("2,4,3,5,4", "4,1,1,1,1", "group=4")));
  EXPECT_TRUE(becomes_flat(deep("2,2,4,5,5", "4,2,2,2,2", "auto_pad=\"VALID\"")));
}

TEST(CudaDeepConv, PostOperations) {
  EXPECT_TRUE(becomes_flat(deep("2,3,3,5,4", "4,3,3,3,3", "pads=[1,1,1,1,1,1]", " + Relu(.)")));
  EXPECT_TRUE(becomes_flat(deep("2,3,3,5,4", "4,3,3,3,3", "pads=[1,1,1,1,1,1]", " + Add(., %z) + Relu(.)")));
}

TEST(CudaDeepConv, WhatStays) {
  EXPECT_FALSE(becomes_flat(deep("2,3,5,6,7", "4,3,3,3,3", "auto_pad=\"SAME_UPPER\"")));
  EXPECT_FALSE(becomes_flat(deep("2,3,d,6,7", "4,3,3,3,3", "")));
  EXPECT_FALSE(becomes_flat(
      "graph main(%x: float32[1,2,3,4,4], %w: float32[2,2,2,2,2]) {\n  %y = Conv(%x, %w)\n  return %y\n}"));
}

}  // namespace
}  // namespace kiln::cuda
