// Constants of a graph that wait in a file.
#include "compiler/parked_constants.h"

#include <cstdlib>
#include <map>

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// Constants of 64 KB and more, one of them in a body, one twice; and a small one.
const char* const kParkedGraph = R"(graph main(%x: float32[4,128], %c: bool[]) {
  %w = random float32[128,200] seed 1
  %s = random float32[128] seed 2
  %a = Mul(%x, %s)
  %b = MatMul(%a, %w)
  %d = MatMul(%x, %w)
  %e = Add(%b, %d)
  %y = If(%c, %e) {captures=1} regions {
    graph yes(%f: float32[4,200]) {
      %v = random float32[200,100] seed 3
      %t = MatMul(%f, %v)
      return %t
    }
    graph no(%f: float32[4,200]) {
      %u = random float32[200,100] seed 4
      %o = MatMul(%f, %u)
      return %o
    }
  }
  return %y
})";

std::map<std::string, Tensor> constants_of(const ir::Graph& graph) {
  std::map<std::string, Tensor> all;
  for (const auto& v : graph.values())
    if (v->constant()) all[v->name()] = *v->constant();
  for (const auto& node : graph.nodes())
    for (const auto& region : node->regions) all.merge(constants_of(*region));
  return all;
}

constexpr int64_t kPages = 102400 + 2 * 81920;  // of three constants

TEST(ParkedConstants, StayTheSame) {
  const auto graph = ir::parse_graph(kParkedGraph), same = ir::parse_graph(kParkedGraph);
  EXPECT_EQ(park_constants(*graph, 0), kPages);
  const std::map<std::string, Tensor> parked = constants_of(*graph), wanted = constants_of(*same);
  ASSERT_EQ(parked.size(), 4);
  for (const auto& [name, t] : wanted) {
    EXPECT_TRUE(parked.at(name).identical(t)) << name;
    EXPECT_EQ(parked.at(name).borrows(), t.bytes() >= 1 << 16) << name;
  }
  ir::verify(*graph);
  EXPECT_EQ(park_constants(*graph, 0), 0);  // they lie in a file already
}

TEST(ParkedConstants, WhatIsSharedIsWrittenOnce) {
  const auto graph = ir::parse_graph(
      "graph main(%x: float32[2,128]) {\n  %w = random float32[128,128] seed 1\n"
      "  %y = MatMul(%x, %w)\n  return %y\n}");
  const Tensor shared = constants_of(*graph).at("w");
  graph->set_outputs({graph->outputs()[0], graph->add_constant(shared, "twice")});
  EXPECT_EQ(park_constants(*graph, 0), shared.bytes());
  const std::map<std::string, Tensor> parked = constants_of(*graph);
  EXPECT_EQ(parked.at("twice").data(), parked.at("w").data());
  EXPECT_TRUE(parked.at("twice").identical(shared));
  EXPECT_EQ(graph->outputs()[1]->name(), "twice");
}

TEST(ParkedConstants, FewBytesStay) {
  const auto graph = ir::parse_graph(kParkedGraph);
  EXPECT_EQ(park_constants(*graph, kPages + 1), 0);
  EXPECT_EQ(park_constants(*graph), 0);
  for (const auto& [name, t] : constants_of(*graph)) EXPECT_FALSE(t.borrows()) << name;
  EXPECT_EQ(park_constants(*graph, kPages), kPages);
}

TEST(ParkedConstants, StayWhereThereIsNoRoom) {
  const auto graph = ir::parse_graph(kParkedGraph);
  const char* before = std::getenv("TMPDIR");
  const std::string saved = before ? before : "";
  ::setenv("TMPDIR", "/nowhere/at/all", 1);
  EXPECT_EQ(park_constants(*graph, 0), 0);
  if (before) ::setenv("TMPDIR", saved.c_str(), 1);
  else ::unsetenv("TMPDIR");
  for (const auto& [name, t] : constants_of(*graph)) EXPECT_FALSE(t.borrows()) << name;
}

}  // namespace
}  // namespace kiln::testing
