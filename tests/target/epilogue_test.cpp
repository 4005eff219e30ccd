// Post-operations that kernels cannot do are refused.
#include "target/epilogue.h"

#include <gtest/gtest.h>

#include "ir/text.h"

namespace kiln {
namespace {

// A bound that is the running result itself is no number; an operand that there is not is absent.
TEST(Epilogue, TheRunningResultIsNoBound) {
  const auto graph = ir::parse_graph(R"(graph main(%a: float32[2,3], %b: float32[3,2]) {
    %y = MatMul(%a, %b) + Clip(., .)
    return %y
  })");
  Problem problem;
  problem.node = graph->nodes().front().get();
  problem.inputs.resize(2);
  problem.outputs.resize(1);
  FusedEpilogue epilogue;
  EXPECT_TRUE(read_epilogue(problem, 1, epilogue).refused());
  EXPECT_FALSE(problem.input(-1).present);
  EXPECT_FALSE(problem.input(2).present);
}

}  // namespace
}  // namespace kiln
