// The pass manager: reports, switches, bisection, logging.
#include "passes/pass.h"
#include "passes/limits.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "ir/text.h"

namespace kiln::passes {
namespace {

class Lines final : public Logger {
 public:
  void log(Severity severity, std::string_view message) noexcept override {
    if (severity == Severity::kInfo) text += std::string(message) + "\n";
    if (severity == Severity::kVerbose) verbose += std::string(message) + "\n";
  }
  std::string text, verbose;
};

std::unique_ptr<Graph> network() {
  return ir::parse_graph(R"(graph main(%x: float32[n,3]) {
    %w = random float32[3,4] seed 1
    %b = constant float32[4]:{1.0,2.0,3.0,4.0}
    %i = Identity "id"(%x)
    %p = MatMul "ip1"(%i, %w)
    %q = Add "bias1"(%p, %b)
    %y = Relu "relu1"(%q)
    return %y
  })");
}

TEST(Passes, FusionStaysWithinTheLimitsOfTheTarget) {
  const auto names = [](const FusionLimits& limits) {
    const auto g = network();
    run_passes(*g, {canonicalize(), fuse()}, {.limits = limits});
    std::vector<std::string> made;
    for (const auto& node : g->nodes()) made.push_back(node->name());
    return made;
  };
  using Names = std::vector<std::string>;
  FusionLimits limits = usual_limits();
  EXPECT_EQ(names(limits), Names{"ip1 + bias1 + relu1"});
  limits.activations.erase("Relu");
  EXPECT_EQ(names(limits), (Names{"ip1 + bias1", "relu1"}));
  limits.bases.erase("MatMul");
  EXPECT_EQ(names(limits), (Names{"ip1", "fusedPointwiseNode(bias1, relu1)"}));
}

// Operators that are no activations stay apart but where the target has programs behind the base.
TEST(Passes, ProgramsStayWithinTheLimitsOfTheTarget) {
  const auto names = [](const std::string& last, const FusionLimits& limits) {
    const auto g = ir::parse_graph(R"(graph main(%x: float32[2,3], %t: float32[2,4], %u: float32[2,1]) {
  %w = random float32[3,4] seed 1
  %p = MatMul "fc"(%x, %w)
  %y = )" + last + "\n  return %y\n}\n");
    run_passes(*g, {fuse()}, {.limits = limits});
    return g->nodes().size();
  };
  FusionLimits programs = usual_limits(), none = programs;
  none.programs.clear();
  none.joins.clear();
  for (const char* last : {"Mul(%t, %p)", "Mish(%p)"}) {
    EXPECT_EQ(names(last, none), 2U) << last;
    EXPECT_EQ(names(last, programs), 1U) << last;
  }
  EXPECT_EQ(names("Mul(%p, %u)", programs), 2U);
  programs.sums = programs.joined = 0;
  EXPECT_EQ(names("Mul(%t, %p)", programs), 2U);
  programs.programs = {"Mul"};
  EXPECT_EQ(names("Mish(%p)", programs), 2U);
}

TEST(Passes, ProgramsAreSwitchedOffByTheirName) {
  const auto count = [](const std::string& body, std::set<std::string> disabled) {
    const auto g = ir::parse_graph(
        "graph main(%x: float32[6,3], %z: float32[2,3]) {\n"
        "  %w = random float32[3,4] seed 1\n  %rows = constant int64[3]:{2,3,4}\n"
        "  %p = MatMul(%x, %w)\n" +
        body + "}\n");
    run_passes(*g, {fuse()}, {.disabled = std::move(disabled), .limits = usual_limits()});
    return g->nodes().size();
  };
  const std::string both = "  %m = Mish(%p)\n  %q = MatMul(%z, %w)\n  %r = Relu(%q)\n  return %m, %r\n";
  EXPECT_EQ(count(both, {}), 2U);
  EXPECT_EQ(count(both, {"programs_on_results"}), 3U);
  EXPECT_EQ(count(both, {"post_operations"}), 3U);
  EXPECT_EQ(count(both, {"post_operations", "programs_on_results"}), 4U);
  // The rule that moves a Reshape asks, too.
  const std::string behind_reshape = "  %r = Reshape(%p, %rows)\n  %m = Mish(%r)\n  return %m\n";
  EXPECT_EQ(count(behind_reshape, {}), 2U);
  EXPECT_EQ(count(behind_reshape, {"programs_on_results"}), 3U);
}

// Targets whose products of bytes take no volumes keep those in float32.
TEST(Passes, VolumesOfBytesWithinTheLimitsOfATarget) {
  const auto products = [](bool volumes, const std::string& spatial) {
    const auto g = ir::parse_graph("graph main(%x: int8[1,2," + spatial + R"(]) {
      %s = constant float32[]:{0.5}
      %w = random int8[2,2,)" + spatial +
                                   R"(] seed 1
      %dx = Dequantize "dx"(%x, %s)
      %dw = Dequantize "dw"(%w, %s)
      %y = Conv "conv"(%dx, %dw)
      return %y
    })");
    FusionLimits limits = usual_limits();
    if (!volumes) limits.operators.erase(kByteVolumes);
    return run_passes(*g, {quantize()}, {.limits = limits}).counts["quantized_product"];
  };
  EXPECT_EQ(products(true, "2,2,2"), 1u);
  EXPECT_EQ(products(false, "2,2,2"), 0u);
  EXPECT_EQ(products(false, "2"), 1u);
}

TEST(Passes, ReportAndLog) {
  const auto g = network();
  Lines log;
  PassOptions options{.limits = usual_limits()};
  options.logger = &log;
  const PassReport report = run_passes(*g, {canonicalize(), fuse()}, options);
  EXPECT_EQ(ir::to_text(*g).find("Identity"), std::string::npos);
  ASSERT_EQ(g->nodes().size(), 1u);
  EXPECT_EQ(g->nodes().front()->name(), "ip1 + bias1 + relu1");
  ASSERT_EQ(report.passes.size(), 2u);
  EXPECT_EQ(report.passes[0].patches, 1u);
  EXPECT_EQ(report.passes[1].patches, 2u);
  EXPECT_EQ(report.passes[1].nodes_after, 1u);
  EXPECT_EQ(report.counts.at("post_operations"), 2u);
  EXPECT_NE(log.text.find("fuse: post_operations (2 times): ip1 + bias1 + relu1\n"), std::string::npos) << log.text;
  EXPECT_NE(log.verbose.find("fuse: post_operations: ip1 + bias1\n"), std::string::npos) << log.verbose;
}

TEST(Passes, QuantizeSaysWhatStaysWide) {
  const auto g = ir::parse_graph(R"(graph main(%x: int8[4,4], %f: float32[4,4]) {
    %s = constant float32[]:{0.5}
    %w = random int8[4,4] seed 1
    %dx = Dequantize "dx"(%x, %s)
    %dw = Dequantize "dw"(%w, %s)
    %a = MatMul "integers"(%dx, %dw)
    %b = MatMul "half"(%f, %dw)
    %c = MatMul "dynamic"(%dx, %b)
    return %a, %b, %c
  })");
  Lines log;
  PassOptions options{.limits = usual_limits()};
  options.logger = &log;
  run_passes(*g, {quantize()}, options);
  EXPECT_NE(log.text.find("quantize: 'half' (MatMulDequantized) stays in float32: x is not dequantized\n"),
            std::string::npos)
      << log.text;
  EXPECT_NE(log.text.find("'dynamic' (MatMul) stays in float32: the weights are not dequantized\n"), std::string::npos)
      << log.text;
  EXPECT_EQ(log.text.find("'integers'"), std::string::npos) << log.text;
  const auto plain = network();
  log.text.clear();
  run_passes(*plain, {quantize()}, options);
  EXPECT_EQ(log.text.find("stays"), std::string::npos) << log.text;
}

TEST(Passes, RulesCanBeSwitchedOff) {
  const auto g = network();
  PassOptions options{.limits = usual_limits()};
  options.disabled = {"post_operations", "pointwise_chain"};
  run_passes(*g, {canonicalize(), fuse()}, options);
  EXPECT_EQ(g->nodes().size(), 3u);
}

TEST(Passes, StopAfterSomePatches) {
  for (int64_t limit = 0; limit <= 3; ++limit) {
    const auto g = network();
    PassOptions options{.limits = usual_limits()};
    options.stop_after = limit;
    const PassReport report = run_passes(*g, {canonicalize(), fuse()}, options);
    EXPECT_EQ(report.fired.size(), static_cast<size_t>(limit));
    EXPECT_EQ(g->nodes().size(), static_cast<size_t>(4 - limit));
  }
}

TEST(Passes, RulesThatNeverSettleAreAnError) {
  Rule again;
  again.name = "again";
  again.pattern = node("Relu", {any("x")});
  again.rewrite = [](const Match& m) -> std::optional<Patch> {
    Patch p(m);
    p.replace(m.root().output(), p.add("Relu", {m.value("x")}));
    return p;
  };
  const auto g = network();
  const Pass pass{"endless", [&](Graph& graph, PassContext& c) { apply_rules(graph, {&again}, c); }};
  EXPECT_THROW(run_passes(*g, {pass}), Error);
}

TEST(Passes, NestedGraphsAreRewrittenToo) {
  const auto g = ir::parse_graph(R"(graph main(%c: bool[], %x: float32[n]) {
    %y = If "branch"(%c, %x) {captures=1} regions {
      graph yes(%a: float32[n]) { %i = Identity "i"(%a) %b = Relu "r"(%i) return %b }
      graph no(%a: float32[n]) { %s = Identity "i"(%a) return %s }
    }
    return %y
  })");
  EXPECT_EQ(run_passes(*g, {canonicalize()}).fired.size(), 1u);
}

// A value of the model keeps its name in the type that the layer now computes in.
TEST(Passes, NamesStayWithWhatStandsForTheNode) {
  const auto graph = ir::parse_graph(R"(graph main(%x: float32[2,3]) {
    %a = Relu "r"(%x)
    %b = Tanh "t"(%a)
    %c = Exp "e"(%a) in float32
    return %b, %c
  })");
  run_passes(*graph, {compute_in(DType::kF16)}, {});
  const Value* a = graph->find_value("a");
  ASSERT_TRUE(a) << ir::to_text(*graph);
  EXPECT_EQ(a->dtype(), DType::kF16);
  EXPECT_EQ(a->producer()->name(), "r");
  EXPECT_EQ(graph->find_value("b")->dtype(), DType::kF32);
  EXPECT_EQ(graph->find_value("b")->producer()->input(0)->producer()->name(), "t");
}

// Casts that rules made for a node are not named beside it.
TEST(Passes, NamesOfFusedNodesAreTheModels) {
  const auto graph = ir::parse_graph(R"(graph main(%x: float16[2,3,4,4]) {
    %w = random float32[4,3,1,1] seed 1
    %h = Cast "weights"(%w) {to="float16"}
    %a = Conv "conv"(%x, %h)
    %b = Relu "relu"(%a)
    return %b
  })");
  run_passes(*graph, {canonicalize(), compute_in_float32(), fuse()}, {.limits = usual_limits()});
  std::vector<std::string> names;
  for (const auto& n : graph->nodes())
    if (n->is("Conv")) names.push_back(n->name());
  EXPECT_EQ(names, std::vector<std::string>{"conv + relu"}) << ir::to_text(*graph);
}

}  // namespace
}  // namespace kiln::passes
