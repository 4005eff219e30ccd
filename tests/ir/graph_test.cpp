// Graphs: editing, verification, patterns and patches.
#include "ir/graph.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "ir/patch.h"
#include "ir/text.h"

namespace kiln::ir {
namespace {

std::unique_ptr<Graph> chain() {
  return parse_graph(R"(graph main(%x: float32[2,3], %r: float32[3]) {
    %a = Add "add"(%r, %x) from ["A"]
    %b = Relu "relu"(%a) from ["B"]
    %y = Mul "mul"(%b, %b)
    return %y
  })");
}

Node* add_relu(Graph& g, Value* x, const char* name) {
  NodeSpec spec;
  spec.op = find_op("Relu");
  spec.inputs = {x};
  spec.name = name;
  return g.add_node(std::move(spec));
}

Node& named(const Graph& g, std::string_view name) {
  for (const auto& n : g.nodes())
    if (n->name() == name) return *n;
  throw Error(Code::kNotFound, std::string(name));
}

TEST(Graph, NamesStayUnique) {
  Graph g;
  Value* x = g.add_input("x", {Datum::kTensor, {DType::kF32, {2}, true}});
  EXPECT_EQ(add_relu(g, x, "r_1")->name(), "r_1");
  EXPECT_EQ(add_relu(g, x, "r")->name(), "r");
  EXPECT_EQ(add_relu(g, x, "r")->name(), "r_2");
  EXPECT_NE(g.add_constant(Tensor::scalar(1.0f), "x")->name(), "x");
  verify(g);
}

TEST(Graph, RemovesWhatNobodyNeeds) {
  const auto g = chain();
  Value* b = g->find_value("b");
  Node* extra = add_relu(*g, b, "extra");
  add_relu(*g, extra->output(), "more");
  g->add_constant(Tensor::scalar(1.0f), "unused");
  EXPECT_EQ(g->remove_dead(), 2u);
  EXPECT_EQ(g->find_value("unused"), nullptr);
  EXPECT_EQ(g->nodes().size(), 3u);
  verify(*g);
}

TEST(Graph, CloneIsTheSame) {
  const auto g = chain();
  const auto copy = g->clone();
  verify(*copy);
  EXPECT_EQ(to_text(*copy), to_text(*g));
  copy->erase(add_relu(*copy, copy->inputs()[0], "extra"));
  EXPECT_EQ(to_text(*copy), to_text(*g));
}

TEST(Verify, FindsWrongOrder) {
  const auto g = chain();
  g->move_before(&named(*g, "mul"), &named(*g, "add"));
  EXPECT_THROW(verify(*g), Error);
  g->sort();
  verify(*g);
}

TEST(Verify, FindsBadPostOperations) {
  const auto g = chain();
  Node& relu = named(*g, "relu");
  relu.post.push_back({find_op("Add"), {}, {-1, 7}});
  EXPECT_THROW(verify(*g), Error);
  relu.post.back().operands = {0, 0};
  EXPECT_THROW(verify(*g), Error);
  relu.post.back() = {find_op("MatMul"), {}, {-1, 0}};
  EXPECT_THROW(verify(*g), Error);
  relu.post.back() = {find_op("Add"), {}, {-1, 0}};
  verify(*g);
}

TEST(Verify, FindsForeignValues) {
  const auto g = chain(), other = chain();
  named(*g, "relu").set_input(0, other->inputs()[0]);
  EXPECT_THROW(verify(*g), Error);
}

TEST(Pattern, CommutativeInputsMatchInAnyOrder) {
  const auto g = chain();
  const Pattern p = node("Relu", {once(node("Add", {any("x"), any("r")}))});
  const auto m = match(p, named(*g, "relu"));
  ASSERT_TRUE(m);
  EXPECT_EQ(m->nodes().size(), 2u);
  EXPECT_EQ(m->nodes()[0]->name(), "add");
  EXPECT_EQ((*m)["Add"].name(), "add");
  EXPECT_FALSE(match(p, named(*g, "mul")));
}

TEST(Pattern, NamesThatOccurTwiceAreOneValue) {
  const auto g = chain();
  EXPECT_TRUE(match(node("Mul", {any("v"), any("v")}), named(*g, "mul")));
  EXPECT_FALSE(match(node("Add", {any("v"), any("v")}), named(*g, "add")));
  EXPECT_FALSE(match(node("Mul", {once(node("Relu")), any()}), named(*g, "mul")));
}

TEST(Patch, JoinsNamesAndOrigins) {
  const auto g = chain();
  const auto m = match(node("Relu", {once(node("Add", {any("a"), any("b")}))}), named(*g, "relu"));
  ASSERT_TRUE(m);
  Patch p(*m);
  p.append_to((*m)["Add"], {std::nullopt});
  EXPECT_EQ(g->nodes().size(), 3u);
  const Applied applied = p.apply(*g);
  EXPECT_EQ(applied.name, "add + relu");
  verify(*g);
  const Node& fused = named(*g, "add + relu");
  EXPECT_EQ(fused.origins, (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(fused.output()->name(), "b");
  EXPECT_EQ(g->nodes().size(), 2u);
}

// Pointwise nodes round to their types by themselves.
TEST(Patch, KeepsTheTypeThatTheNodesAgreeOn) {
  const auto declared = [](const std::string& first, const std::string& second) {
    const auto g = parse_graph("graph main(%x: float32[2,3]) {\n  %a = Softmax(%x)" + first + "\n  %b = Softmax(%a)" +
                               second + "\n  return %b\n}");
    Node& root = *g->nodes().back();
    Patch p(*match(node("Softmax", {node("Softmax")}), root));
    const PatchValue relu = p.add("Relu", {g->inputs()[0]});
    p.replace(root.output(), p.add("Softmax", {relu}));
    p.apply(*g);
    EXPECT_EQ(g->nodes().front()->declared, DType::kInvalid);
    return g->nodes().back()->declared;
  };
  EXPECT_EQ(declared(" declared bfloat16", ""), DType::kBF16);
  EXPECT_EQ(declared("", " declared float16"), DType::kF16);
  EXPECT_EQ(declared(" declared float16", " declared bfloat16"), DType::kInvalid);
  EXPECT_EQ(declared("", ""), DType::kInvalid);
}

// The body's own %n is another value than the %n outside, and so is the size that only running tells of it.
TEST(Graph, SizesOfABodyAreItsOwnWhateverTheNames) {
  const auto graph = parse_graph(R"(graph main(%x: float32[8], %c: bool[]) {
    %n = NonZero(%x)
    %y = If(%c, %n, %x) {captures=2} regions {
      graph yes(%outer: int64[1,m], %z: float32[8]) {
        %half = constant float32[]:{0.5}
        %g = Greater(%z, %half)
        %n = NonZero(%g)
        %s = Concat(%outer, %n) {axis=1}
        return %s
      }
      graph no(%outer: int64[1,m], %z: float32[8]) {
        %n = Identity(%outer)
        return %n
      }
    }
    return %y, %n
  })");
  const Graph& yes = *graph->nodes().back()->regions[0];
  const Dim outer = yes.find_value("outer")->shape()[1], own = yes.find_value("n")->shape()[1];
  EXPECT_EQ(outer, graph->find_value("n")->shape()[1]);
  EXPECT_FALSE(own == outer) << own.str();
  EXPECT_EQ(yes.find_value("s")->shape()[1], outer + own);
  const std::string text = to_text(*graph);
  EXPECT_EQ(to_text(*parse_graph(text, referenced_constants(*graph))), text);
}

// Marks of regions cannot be mistaken for parts of names.
TEST(Graph, NamesThatLookLikeThoseOfABody) {
  const auto graph = parse_graph(R"(graph main(%x: float32[8], %c: bool[]) {
    %"n'" = NonZero(%x)
    %y = If(%c, %"n'", %x) {captures=2} regions {
      graph yes(%outer: int64[1,m], %z: float32[8]) {
        %n = NonZero(%z)
        %s = Concat(%outer, %n) {axis=1}
        return %s
      }
      graph no(%outer: int64[1,m], %z: float32[8]) {
        %n = Identity(%outer)
        return %n
      }
    }
    return %y
  })");
  const Graph& yes = *graph->nodes().back()->regions[0];
  EXPECT_FALSE(yes.find_value("n")->shape()[1] == yes.find_value("outer")->shape()[1]);
}

}  // namespace
}  // namespace kiln::ir
