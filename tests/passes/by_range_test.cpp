// Quantization of float networks by ranges.
#include "passes/quantize/by_range.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "ir/graph.h"
#include "ir/text.h"

namespace kiln::passes {
namespace {

std::unique_ptr<ir::Graph> block() {
  return ir::parse_graph(R"(graph main(%x: float32[1,4,5,5]) {
    %w = random float32[4,4,3,3] seed 1
    %v = random float32[4,4,1,1] seed 2
    %c = Conv "conv1"(%x, %w) {pads = [1,1,1,1]}
    %r = Relu "relu1"(%c)
    %t = Transpose "t1"(%r) {perm = [0,1,3,2]}
    %d = Conv "conv2"(%t, %v)
    %s = Add "sum"(%d, %t)
    %y = Relu "relu2"(%s)
    return %y
  })");
}

size_t count(const ir::Graph& g, const char* op) {
  size_t found = 0;
  for (const auto& n : g.nodes()) found += n->is(op);
  return found;
}

TEST(ByRange, ProductsAndSumsReadIntegers) {
  const auto g = block();
  // The range of t is that of r, of which it is made; both readers of t share its integers.
  run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}, {"r", 12.0}})});
  EXPECT_EQ(count(*g, "Quantize"), 2u);
  run_passes(*g, {quantize()});
  EXPECT_EQ(count(*g, "ConvInteger"), 2u);
  EXPECT_EQ(count(*g, "Conv"), 0u);
  const auto before = block();
  const Tensor x = ir::random_tensor(DType::kF32, {1, 4, 5, 5}, 7);
  const Tensor want = ir::evaluate(*before, {x}).at(0).tensor, got = ir::evaluate(*g, {x}).at(0).tensor;
  double error = 0, size = 0;
  for (int64_t i = 0; i < want.size(); ++i) {
    error += std::pow(got.at(i) - want.at(i), 2);
    size += std::pow(want.at(i), 2);
  }
  EXPECT_LT(error, 1e-3 * size);
}

TEST(ByRange, StaysWideWithoutARange) {
  const auto g = block();
  run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}})});
  run_passes(*g, {quantize()});
  EXPECT_EQ(count(*g, "ConvInteger"), 1u);
  EXPECT_EQ(count(*g, "Conv"), 1u);
}

TEST(ByRange, RangesThatAreNoneAreNotUsed) {
  for (double range : {0.0, std::nan(""), HUGE_VAL, -1.0, 1e-40}) {
    const auto g = block();
    run_passes(*g, {canonicalize(), quantize_by_ranges({{"x", 1.0}, {"r", range}})});
    EXPECT_EQ(count(*g, "Quantize"), 1u) << range;
  }
}

TEST(ByRange, RangesOfAnotherNetworkAreAnError) {
  const auto g = block();
  EXPECT_THROW(run_passes(*g, {canonicalize(), quantize_by_ranges({{"elsewhere", 1.0}})}), Error);
}

}  // namespace
}  // namespace kiln::passes
