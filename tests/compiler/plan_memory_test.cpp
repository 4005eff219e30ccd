// Memory of whole programs: what shares bytes, what lies in what, and how much it is.
#include "compiler/plan_memory.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

TEST(PlanMemory, AChainNeedsTwoBuffers) {
  std::string body = "graph main(%x: float32[1024]) {\n  %v0 = Softmax(%x)\n";
  for (int i = 1; i < 8; ++i) body += "  %v" + std::to_string(i) + " = Softmax(%v" + std::to_string(i - 1) + ")\n";
  const plan::Plan plan = build(body + "  return %v7\n}", options_of("ref", 0));
  EXPECT_GE(plan.arena_size, 4096u);
  EXPECT_LT(plan.arena_size, 3 * 4096u);
}

TEST(PlanMemory, BothSidesOfADeviceHaveAnArena) {
  pretend::register_pretend();
  // CumSum runs on the host.
  const char* text = R"(graph main(%x: float32[64,64]) {
    %axis = constant int64[]:{0}
    %a = Softmax(%x)
    %s = CumSum(%a, %axis)
    %y = Softmax(%s)
    return %y
  })";
  const plan::Plan plan = build(text, options_of("pretend", 0));
  EXPECT_GE(plan.arena_size, 64u * 64 * 4);
  EXPECT_GE(plan.host_arena_size, 64u * 64 * 4);
  EXPECT_EQ(build(text, options_of("cpu", 0)).host_arena_size, 0u);
}

TEST(PlanMemory, WhatLayersOfTheHostCostIsTold) {
  pretend::register_pretend();
  const auto told = [](const std::string& between) {
    Warnings warnings;
    CompileOptions options = options_of("pretend", 0);
    options.logger = &warnings;
    build("graph main(%x: float32[64,64]) {\n  %axis = constant int64[]:{0}\n  %a = Softmax(%x)\n  %s = " + between +
              "\n  %y = Softmax(%s)\n  return %y\n}",
          options);
    return warnings.text;
  };
  const std::string text = told("CumSum(%a, %axis)");
  EXPECT_NE(text.find("1 layers run on the host, and their operands are copied: "), std::string::npos) << text;
  EXPECT_NE(text.find("(CumSum: reads 16384 bytes, writes 16384)"), std::string::npos) << text;
  EXPECT_NE(text.find("2 copies, of 32768 bytes in all"), std::string::npos) << text;
  EXPECT_NE(text.find("waits 1 times"), std::string::npos) << text;
  EXPECT_EQ(told("Softmax(%a)"), "");
}

TEST(PlanMemory, ArenasThatDoNotFitAreErrors) {
  const char* text =
      "graph main(%x: float32[2097152,2097152,2097152]) {\n  %a = Softmax(%x)\n  %y = Softmax(%a)\n  return %y\n}";
  EXPECT_THROW(static_cast<void>(build(text, options_of("ref", 0))), Error);
}

}  // namespace
}  // namespace kiln::testing
