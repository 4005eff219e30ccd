// Pooling tactics against the reference.
#include <gtest/gtest.h>

#include "backends/tactic_testing.h"

namespace kiln::tactic_testing {
namespace {

bool accepted(const NodeCase& c, const char* tactic) { return check(c).count(tactic) > 0; }

NodeCase pool(const std::string& op, Dims x, Attributes attributes, bool last = true) {
  NodeCase c;
  c.op = op;
  c.attributes = std::move(attributes);
  if (last) c.output_layout = Layout::channels_last(static_cast<int>(x.size()));
  c.inputs = {{.dims = std::move(x), .layout = c.output_layout}};
  return c;
}

TEST(PoolTactics, Windows) {
  for (const char* op : {"MaxPool", "AveragePool"})
    for (bool last : {true, false}) {
      EXPECT_TRUE(
          accepted(pool(op, {2, 21, 9, 7},
                        {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}}, last),
                   "pool"));
      EXPECT_TRUE(
          accepted(pool(op, {1, 5, 8, 9},
                        {{"kernel_shape", Ints{2, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}}, last),
                   "pool"));
      EXPECT_TRUE(accepted(
          pool(op, {1, 17, 10, 11},
               {{"kernel_shape", Ints{3, 2}}, {"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2, 1}}}, last),
          "pool"));
      EXPECT_TRUE(accepted(
          pool(op, {3, 4, 12}, {{"kernel_shape", Ints{4}}, {"pads", Ints{1, 2}}, {"dilations", Ints{2}}}, last),
          "pool"));
      EXPECT_TRUE(accepted(pool(op, {0, 4, 6, 6}, {{"kernel_shape", Ints{2, 2}}}, last), "pool"));
    }
  check(pool("AveragePool", {2, 6, 7, 9},
             {{"kernel_shape", Ints{3, 3}},
              {"strides", Ints{2, 2}},
              {"pads", Ints{1, 0, 1, 1}},
              {"count_include_pad", int64_t{1}},
              {"ceil_mode", int64_t{1}}}));
}

TEST(PoolTactics, SlicesAndOtherSizes) {
  NodeCase c = pool("MaxPool", {2, 8, 9, 7}, {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}});
  c.inputs[0].slack = 3;
  c.output_slack = 8;
  c.run_dims = {{3, 8, 4, 11}};
  EXPECT_FALSE(check(c).empty());
}

TEST(PoolTactics, MeansOfPixels) {
  EXPECT_TRUE(accepted(pool("GlobalAveragePool", {2, 37, 7, 5}, {}), "mean_pixels"));
  EXPECT_TRUE(accepted(pool("GlobalAveragePool", {2, 37, 7}, {}), "mean_pixels"));
  NodeCase c = pool("ReduceMean", {2, 19, 7, 5}, {{"keepdims", int64_t{0}}});
  c.inputs.push_back({.dims = {2}, .constant = true, .value = Tensor::of<int64_t>({2}, {-1, 2})});
  c.output_layout = {};
  EXPECT_TRUE(accepted(c, "mean_pixels"));
  c.inputs[1].value = Tensor::of<int64_t>({2}, {1, 2});
  EXPECT_EQ(refusal(c, "mean_pixels"), "the axes are not all spatial ones");
  EXPECT_NE(refusal(pool("GlobalAveragePool", {2, 37, 7, 5}, {}, false), "mean_pixels").find("channels last"),
            std::string::npos);
}

}  // namespace
}  // namespace kiln::tactic_testing
