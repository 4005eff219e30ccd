// Forms of nodes that read and write bfloat16.
#include "compiler/narrow_forms.h"

#include "compiler/engine_testing.h"
#include "compiler/problems.h"

namespace kiln::testing {
namespace {

constexpr DType kNarrow = DType::kBF16;
constexpr Form kGives{false, true}, kTakes{true, false}, kBoth{true, true};

struct Case {
  explicit Case(const std::string& text)
      : graph(ir::parse_graph(text)), extents(*graph, {}), problems(make_problems(extents, 1, *graph, false)) {}
  const Problem& problem() const { return problems.at(0); }
  ir::Node& node() const { return *graph->nodes().front(); }
  std::unique_ptr<ir::Graph> graph;
  Extents extents;
  std::vector<Problem> problems;
};

// A graph of one node.
Case of(const std::string& inputs, const std::string& node) {
  return Case("graph main(" + inputs + ") {\n  " + node + "\n  return %y\n}");
}

std::vector<Form> forms_of(const Case& c) { return narrow_forms(c.node(), kNarrow); }

const char* const kImage = "%x: float32[1,4,5,5], %r: float32[1,6,5,5]";
const std::string kNarrowConv = R"(%w = random float32[6,4,1,1] seed 1
  %b = random float32[6] seed 2
  %y = Conv(%x, %w, %b) + Relu(.) + Add(., %r))";

TEST(NarrowForms, ProductsThatMayMixTypes) {
  EXPECT_EQ(forms_of(of(kImage, kNarrowConv + " in bfloat16")), (std::vector<Form>{kGives, kTakes, kBoth}));
  EXPECT_EQ(forms_of(of("%x: float32[3,4]", "%w = random float32[4,5] seed 1\n  %y = MatMul(%x, %w) in bfloat16")),
            (std::vector<Form>{kGives, kTakes, kBoth}));
}

TEST(NarrowForms, WhatOnlyMovesHasOneType) {
  for (const char* node : {"%y = MaxPool(%x) {kernel_shape=[2,2]}", "%y = Transpose(%x)",
                           "%y = Concat(%x, %x) {axis=1}", "%s = constant int64[2]:{1,100}\n  %y = Reshape(%x, %s)"})
    EXPECT_EQ(forms_of(of("%x: float32[1,4,5,5]", node)), std::vector<Form>{kBoth}) << node;
}

TEST(NarrowForms, OthersStay) {
  for (const char* node :
       {"%y = Sin(%x)", "%y = Softmax(%x)", "%y = Transpose(%x) in float32", "%y = Cast(%x) {to=\"float16\"}",
        "%y = ReduceSum(%x)", "%y = CumSum(%x, %i)", "%w = random float32[6,4,1,1] seed 1\n  %y = Conv(%x, %w)",
        "%w = random float32[6,4,1,1] seed 1\n  %y = Conv(%x, %w) in float32"})
    EXPECT_TRUE(forms_of(of("%x: float32[1,4,5,5], %i: int32[]", node)).empty()) << node;
  EXPECT_TRUE(forms_of(of("%x: float64[1,4]", "%y = Transpose(%x)")).empty());
  EXPECT_TRUE(forms_of(of("%x: float32[], %l: float32[], %d: float32[]", "%y = Range(%x, %l, %d)")).empty());
  EXPECT_TRUE(forms_of(of("%x: int32[1,4]", "%y = Transpose(%x)")).empty());
}

// The forms of the last node but one, which stands between casts.
std::vector<Form> declared_forms(const std::string& body, DType type = kNarrow,
                                 const std::string& inputs = "%x: bfloat16[1,4,5,5]") {
  const auto graph = ir::parse_graph("graph main(" + inputs + ") {\n" + body + "\n  return %y\n}");
  const auto nodes = graph->node_list();
  return narrow_forms(*nodes.at(nodes.size() - 2), type);
}

const std::string kWide = "  %f = Cast(%x) {to=\"float32\"}\n";
const std::string kRounded = "  %y = Cast(%c) {to=\"bfloat16\"}";
const std::string kEye = "  %w = constant float32[1,4,1,1]:{1,-2,0.5,3}\n";

TEST(NarrowForms, WhatTheModelDeclaresStandsBetweenCasts) {
  const std::vector<Form> all{kGives, kTakes, kBoth};
  EXPECT_EQ(declared_forms(kWide + kEye + "  %c = Conv(%f, %w) declared bfloat16\n" + kRounded), all);
  EXPECT_EQ(declared_forms(kWide + kEye + "  %c = Conv(%f, %w) + Relu(.) declared bfloat16\n" + kRounded), all);
  EXPECT_EQ(declared_forms(kWide + kEye +
                           "  %h = constant float32[]:{6}\n"
                           "  %c = Conv(%f, %w) + Clip(., %h) declared bfloat16\n" +
                           kRounded),
            all);
  EXPECT_EQ(declared_forms(kWide + "  %c = Softmax(%f) declared bfloat16\n" + kRounded), all);
  EXPECT_EQ(declared_forms("  %f = Cast(%x) {to=\"bfloat16\"} + Sin(.) + Cast(.) {to=\"float32\"}\n"
                           "  %c = Softmax(%f) declared bfloat16\n" +
                               kRounded,
                           kNarrow, "%x: float32[1,4,5,5]"),
            all);
  EXPECT_EQ(declared_forms(kWide + "  %c, %i = MaxPool(%f) {kernel_shape=[2,2]} declared bfloat16\n" + kRounded),
            std::vector<Form>{kBoth});
  EXPECT_EQ(declared_forms("  %f = Cast(%x) {to=\"float32\"}\n  %c = Softmax(%f) declared float16\n"
                           "  %y = Cast(%c) {to=\"float16\"}",
                           DType::kF16, "%x: float16[1,4]"),
            all);
}

TEST(NarrowForms, WhatWouldGiveAnotherAnswerStays) {
  const std::string softmax = "  %c = Softmax(%f) declared bfloat16\n";
  const std::string conv = "  %c = Conv(%f, %w) declared bfloat16\n";
  for (const std::string& body :
       {kWide + "  %c = Softmax(%f)\n" + kRounded,  // the model has float32
        kWide + "  %c = Softmax(%f) in float32 declared bfloat16\n" + kRounded,
        kWide + softmax + "  %y = Cast(%c) {to=\"float16\"}",  // rounds otherwise
        kWide + softmax + "  %y = Sin(%c)",                    // does not round
        kWide + softmax + "  %y = Sin(%c) + Cast(.) {to=\"bfloat16\"}",
        kWide + softmax + "  %y = Sin(%c) + Cast(.) {to=\"bfloat16\"} + Relu(.)",
        kWide + softmax + "  %y = Cast(%c) {to=\"bfloat16\"} + Cast(.) {to=\"float32\"} + Add(., %c)",
        kWide + "  %g = Sin(%f)\n  %c = Softmax(%g) declared bfloat16\n" + kRounded,  // reads more than bfloat16 holds
        kWide + "  %w = constant float32[1,4,1,1]:{1,-2,0.1,3}\n" + conv + kRounded,
        kWide + kEye + "  %h = constant float32[]:{6.1}\n  %c = Conv(%f, %w) + Clip(., %h) declared bfloat16\n" +
            kRounded,  // the bound would be another one
        kWide + kEye + "  %c = Conv(%f, %w) + Sin(.) declared bfloat16\n" + kRounded}) {
    EXPECT_TRUE(declared_forms(body).empty()) << body;
  }
  EXPECT_TRUE(declared_forms(kWide + softmax + kRounded, DType::kF16).empty());
  const auto returned =
      ir::parse_graph("graph main(%x: bfloat16[1,4]) {\n" + kWide + softmax + kRounded + "\n  return %y, %c\n}");
  EXPECT_TRUE(narrow_forms(**std::next(returned->nodes().begin()), kNarrow).empty());
}

TEST(NarrowForms, CastsAtTheEndsOfPointwiseNodesMayBeLeftOut) {
  const auto forms = [](const std::string& node, const std::string& type) {
    const auto graph = ir::parse_graph("graph main(%x: " + type + "[1,4]) {\n  %y = " + node + "\n  return %y\n}");
    return narrow_forms(*graph->nodes().front(), kNarrow);
  };
  const std::string round = "Cast(%x) {to=\"bfloat16\"}", widen = " + Cast(.) {to=\"float32\"}";
  EXPECT_EQ(forms(round, "float32"), std::vector<Form>{kTakes});
  EXPECT_EQ(forms(round + " + Relu(.)", "float32"), std::vector<Form>{kTakes});
  EXPECT_EQ(forms(round + " + Sin(.)" + widen, "float32"), (std::vector<Form>{kGives, kTakes, kBoth}));
  EXPECT_EQ(forms("Sin(%x)" + widen, "bfloat16"), std::vector<Form>{kGives});
  EXPECT_EQ(forms("Cast(%x) {to=\"float32\"}", "bfloat16"), std::vector<Form>{kGives});
  EXPECT_EQ(forms("Relu(%x) + " + round.substr(0, 5) + "." + round.substr(7) + widen, "float32"),
            (std::vector<Form>{kGives, kTakes, kBoth}));
  EXPECT_TRUE(forms("Cast(%x) {to=\"float32\"} + Sin(.)", "bfloat16").empty());
  EXPECT_TRUE(forms("Sin(%x) + Cast(.) {to=\"bfloat16\"}", "float32").empty());
  EXPECT_TRUE(forms("Cast(%x) {to=\"float16\"}", "float32").empty());
  EXPECT_TRUE(forms("Cast(%x) {to=\"bfloat16\"}", "float64").empty());
  EXPECT_TRUE(forms("Cast(%x) {to=\"bfloat16\"}", "int32").empty());
}

TEST(NarrowForms, ACastBetweenNarrowEndsCopies) {
  for (const auto& [node, form] : std::vector<std::pair<std::string, Form>>{
           {"Cast(%x) {to=\"bfloat16\"}", kTakes}, {"Cast(%x) {to=\"bfloat16\"} + Cast(.) {to=\"float32\"}", kBoth}}) {
    const Case c = of("%x: float32[1,4]", "%y = " + node);
    EXPECT_FALSE(copies(c.node()));
    EXPECT_TRUE(copies(*FormProblem(c.problem(), form, kNarrow).get().node)) << node;
  }
  const Case wide = of("%x: bfloat16[1,4]", "%y = Cast(%x) {to=\"float32\"}");
  EXPECT_TRUE(copies(*FormProblem(wide.problem(), kGives, kNarrow).get().node));
  const Case sine = of("%x: float32[1,4]", "%y = Cast(%x) {to=\"bfloat16\"} + Sin(.) + Cast(.) {to=\"float32\"}");
  const FormProblem gives(sine.problem(), kGives, kNarrow);
  EXPECT_FALSE(copies(*gives.get().node));
  EXPECT_EQ(gives.get().post().size(), 1u);
  EXPECT_EQ(gives.get().outputs[0].dtype, kNarrow);
}

TEST(NarrowForms, AProblemOfAFormHasItsTypes) {
  const Case c = of(kImage, kNarrowConv + " in bfloat16");
  const Problem& wide = c.problem();
  const FormProblem both(wide, kBoth, kNarrow), gives(wide, kGives, kNarrow), takes(wide, kTakes, kNarrow);
  for (size_t i = 0; i < wide.inputs.size(); ++i) {
    EXPECT_EQ(both.get().inputs[i].dtype, kNarrow) << i;
    EXPECT_EQ(takes.get().inputs[i].dtype, i < 3 ? kNarrow : DType::kF32) << i;  // the last is a post-operation's
    EXPECT_EQ(gives.get().inputs[i].dtype, i < 3 ? DType::kF32 : kNarrow) << i;
    EXPECT_EQ(both.get().inputs[i].opt, wide.inputs[i].opt) << i;
    EXPECT_EQ(both.get().inputs[i].constant != nullptr, wide.inputs[i].constant != nullptr) << i;
  }
  EXPECT_EQ(both.get().outputs[0].dtype, kNarrow);
  EXPECT_EQ(gives.get().outputs[0].dtype, kNarrow);
  EXPECT_EQ(takes.get().outputs[0].dtype, DType::kF32);
  EXPECT_EQ(wide.inputs[0].dtype, DType::kF32);
}

// What was measured for the form is found again for the node that took it.
TEST(NarrowForms, AProblemOfAFormIsThatOfTheNodeThatTakesIt) {
  for (const Form form : {kGives, kTakes, kBoth}) {
    const Case c = of(kImage, kNarrowConv + " in bfloat16");
    const Hash128 key = FormProblem(c.problem(), form, kNarrow).get().key();
    ir::Graph& graph = *c.graph;
    take_form(*graph.nodes().back(), form, kNarrow, [&](ir::Value* v) {
      if (v->constant()) return graph.add_constant(v->constant()->cast(kNarrow));
      return graph
          .add_node({.op = find_op("Cast"),
                     .inputs = {v},
                     .attributes = {{"to", std::string(name(kNarrow))}},
                     .name = "",
                     .origins = {},
                     .regions = {},
                     .output_names = {}},
                    graph.nodes().back().get())
          ->output();
    });
    ir::verify(graph);
    const std::vector<Problem> taken = make_problems(c.extents, 1, graph, false);
    EXPECT_EQ(taken.back().key(), key);
  }
}

}  // namespace
}  // namespace kiln::testing
