// Which operators have kernels on the processor and none on GPUs.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "target/target.h"

namespace kiln {
namespace {

TEST(CudaTactics, CoverTheOperatorsOfTheProcessor) {
  const auto cpu = find_target("cpu").tactics().ops(), gpu = find_target("cuda").tactics().ops();
  std::set<std::string> missing;
  std::set_difference(cpu.begin(), cpu.end(), gpu.begin(), gpu.end(), std::inserter(missing, missing.begin()));
  const std::set<std::string> on_host{
      // Only running can tell how large their results are, which have no device memory then. SuppressBoxes does what takes time in
      // NonMaxSuppression.
      "Compress",
      "NonMaxSuppression",
      "NonZero",
      "Range",
      // They read no data.
      "Shape",
      "Size",
  };
  const std::set<std::string> of_the_processor{
      // A rule makes it where a target has it (FusionLimits): GPUs have its parts.
      "ExpandDepthwise",
      // So for means of bytes, and bytes that are resized by weights.
      "QuantizedAveragePool",
      "QuantizedResize",
      // Rules make products of integers of them; what remains has parameters that are not constant.
      "QLinearConv",
      "QLinearMatMul",
      // A pointwise operator, which GPUs run without naming it.
      "Quantize",
  };
  std::set<std::string> expected = on_host;
  expected.insert(of_the_processor.begin(), of_the_processor.end());
  EXPECT_EQ(missing, expected);
}

}  // namespace
}  // namespace kiln
