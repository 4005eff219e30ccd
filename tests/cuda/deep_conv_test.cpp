// Convolutions over depth as the passes for NVIDIA GPUs write them, against what they were.
#include "backends/cuda/target/deep_conv.h"

#include <gtest/gtest.h>

#include "backends/cuda/device/device.h"
#include "backends/cuda/target/target.h"
#include "cuda/graphs.h"
#include "ir/text.h"
#include "passes/pass.h"

namespace kiln::cuda {
namespace {

bool has_deep_convolution(const ir::Graph& graph) {
  for (const auto& node : graph.nodes())
    if (node->is("ConvTranspose") || (node->is("Conv") && node->input(0)->rank() == 5)) return true;
  return false;
}

// Whether none is left. What remains computes the same.
bool becomes_flat(const std::string& text) {
  const auto before = ir::parse_graph(text), after = before->clone();
  const passes::Pass pass{"depth", [](ir::Graph& graph, passes::PassContext& context) {
                            passes::apply_rules(graph, {&passes::deep_transposed_conv, &passes::deep_conv}, context);
                          }};
  passes::run_passes(*after, {pass}, {.disabled = {"cudnn"}});
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
  EXPECT_TRUE(becomes_flat(deep("2,3,3,5,4", "4,3,3,3,3", "pads=[1,1,1,1,1,1]", " + Relu(.) + Add(., %z)")));
}

std::string transposed(const std::string& x, const std::string& w, const std::string& attributes,
                       const std::string& columns, const std::string& z = "1", const std::string& post = "") {
  return "graph main(%x: float32[" + x + "], %z: float32[" + z + "]) {\n  %w = random float32[" + w +
         "] seed 1\n  %b = random float32[" + columns + "] seed 2\n  %y = ConvTranspose \"up\"(%x, %w, %b) {" +
         attributes + "}" + post + "\n  return %y\n}\n";
}

TEST(CudaDeepConv, TransposedOnes) {
  EXPECT_TRUE(becomes_flat(transposed("2,3,4,5,3", "3,4,2,2,2", "strides=[2,2,2]", "4")));
  EXPECT_TRUE(becomes_flat(transposed("2,3,2,5,3", "3,4,1,2,3", "strides=[1,2,3]", "4")));
  EXPECT_TRUE(becomes_flat(transposed("1,4,3,4,3", "4,2,2,2,2", "group=2,strides=[2,2,2]", "4")));
  EXPECT_TRUE(becomes_flat(transposed("1,4,3,4,3", "4,2,3,3,3", "group=2,strides=[2,2,2],pads=[1,1,1,1,1,1]", "4")));
  EXPECT_TRUE(becomes_flat(
      transposed("1,2,3,4,2", "2,3,4,3,2", "strides=[2,1,2],pads=[1,0,0,1,2,0],output_padding=[1,0,1]", "3")));
  EXPECT_TRUE(becomes_flat(transposed("1,2,3,4,2", "2,3,2,3,2", "dilations=[2,1,2]", "3")));
  EXPECT_TRUE(becomes_flat(transposed("1,2,3,4,2", "2,3,1,1,1", "", "3", "1,3,3,4,2", " + Add(., %z)")));
}

TEST(CudaDeepConv, PostOperationsOfTransposedOnes) {
  for (const char* post : {" + Relu(.)", " + Add(., %z)", " + Relu(.) + Add(., %z)", " + Add(., %z) + Relu(.)"})
    for (const char* w : {"3,4,2,2,2", "3,4,3,3,3"}) {
      const bool small = w[4] == '2';
      EXPECT_TRUE(becomes_flat(transposed(
          "2,3,3,4,2", w, small ? "strides=[2,2,2]" : "strides=[2,2,2],pads=[1,1,1,0,0,0]", "4", "2,4,6,8,4", post)));
    }
}

// Whether a convolution over depth is left after all passes.
bool stays(const std::string& text, const std::set<std::string>& disabled = {}) {
  const auto graph = ir::parse_graph(text);
  passes::run_passes(*graph, target().pipeline({.disabled = disabled}),
                     {.disabled = disabled, .limits = target().fusion()});
  return has_deep_convolution(*graph);
}

TEST(CudaDeepConv, StaysForTheLibraryThatTakesIt) {
  const std::string padded = deep("2,3,3,5,4", "4,3,3,3,3", "pads=[1,1,1,1,1,1]"),
                    sum = deep("2,3,3,5,4", "4,3,3,3,3", "pads=[1,1,1,1,1,1]", " + Add(., %z) + Relu(.)"),
                    wider = transposed("2,3,4,5,3", "3,4,2,2,2", "strides=[2,2,2]", "4");
  for (const std::string& text : {padded, sum, wider}) EXPECT_FALSE(stays(text, {"cudnn"}));
  EXPECT_FALSE(stays(deep("n,3,3,5,4", "4,3,3,3,3", "pads=[1,1,1,1,1,1]")));
  EXPECT_FALSE(stays(transposed("n,3,4,5,3", "3,4,2,2,2", "strides=[2,2,2]", "4")));
  if (libraries().at("cuDNN").rfind("not there", 0) == 0) GTEST_SKIP() << "cuDNN is " << libraries().at("cuDNN");
  for (const std::string& text : {padded, sum, wider}) EXPECT_TRUE(stays(text)) << text;
}

TEST(CudaDeepConv, WhatStays) {
  EXPECT_FALSE(becomes_flat(transposed("2,3,4,5,3", "3,4,2,2,2", "auto_pad=\"SAME_UPPER\",strides=[2,2,2]", "4")));
  EXPECT_FALSE(becomes_flat(transposed("2,3,d,5,3", "3,4,2,2,2", "strides=[2,2,2]", "4")));
  EXPECT_FALSE(becomes_flat(transposed("2,3,4,5,3", "3,4,3,3,3", "strides=[3,3,2]", "4")));
  EXPECT_FALSE(becomes_flat(deep("2,3,5,6,7", "4,3,3,3,3", "auto_pad=\"SAME_UPPER\"")));
  EXPECT_FALSE(becomes_flat(deep("2,3,d,6,7", "4,3,3,3,3", "")));
  EXPECT_FALSE(becomes_flat(
      "graph main(%x: float32[1,2,3,4,4], %w: float32[2,2,2,2,2]) {\n  %y = Conv(%x, %w)\n  return %y\n}"));
}

}  // namespace
}  // namespace kiln::cuda
