// The text form: printing and parsing of graphs.
#include "ir/text.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kiln::ir {
namespace {

const char kEverything[] =
    R"(graph main(%x: float32[batch,2 * seq,max(3, n)], %"odd \"name\"": int64[*], %s: seq(string[*])) {
  // constants
  %c = constant float32[2]:{1.0,nan}
  %t = constant string[1]:{"a\n"} layout 0
  %r = random float32[3,100] seed 7
  %y: float32[batch,2 * seq,max(3, n)] layout 021/1:8 = Relu "relu: 1"(%x) + Add(., #0) + Clip(., %lo) from ["Relu_0", "Add \"1\""]
  return %y, %x
}
)";

std::string with_low(std::string text) {
  const std::string at = "  %r = ";
  return text.replace(text.find(at), 0, "  %lo = constant float32[]:{-1.0}\n");
}

TEST(Text, PrintsWhatItParses) {
  const auto graph = parse_graph(with_low(kEverything));
  verify(*graph);
  const std::string text = to_text(*graph);
  const TensorMap constants = referenced_constants(*graph);
  EXPECT_EQ(constants.size(), 1u);
  const auto again = parse_graph(text, constants);
  EXPECT_EQ(to_text(*again), text);
  const Node& node = *again->nodes().front();
  EXPECT_EQ(node.name(), "relu: 1");
  EXPECT_EQ(node.origins, (std::vector<std::string>{"Relu_0", "Add \"1\""}));
  ASSERT_EQ(node.post.size(), 2u);
  EXPECT_EQ(node.post[0].operands, (std::vector<int>{-1, 0}));
  EXPECT_EQ(node.post[1].operands, (std::vector<int>{-1, 1}));
  EXPECT_EQ(to_string(node.output()->layout), "021/1:8");
  EXPECT_EQ(node.output()->shape()[1], Dim(2) * Dim::symbol("seq"));
  EXPECT_TRUE(again->find_value("r")->constant()->identical(*graph->find_value("r")->constant()));
}

TEST(Text, TypesThatNodesComputeInAndDeclare) {
  const auto graph = parse_graph(
      "graph main(%x: float32[2,3]) {\n  %a = Softmax(%x) in float32 declared bfloat16 from [\"a\"]\n"
      "  %b = Softmax(%a) declared float16\n  %c = Softmax(%b) in bfloat16\n  return %c\n}");
  const auto again = parse_graph(to_text(*graph));
  EXPECT_EQ(to_text(*again), to_text(*graph));
  std::vector<std::pair<DType, DType>> types;
  for (const Node* n : again->node_list()) types.emplace_back(n->precision, n->declared);
  EXPECT_EQ(types, (std::vector<std::pair<DType, DType>>{
                       {DType::kF32, DType::kBF16}, {DType::kInvalid, DType::kF16}, {DType::kBF16, DType::kInvalid}}));
  EXPECT_EQ(to_text(*again->clone()), to_text(*again));
}

TEST(Text, NestedGraphs) {
  const auto graph = parse_graph(R"(graph main(%c: bool[], %x: float32[n]) {
    %y = If "branch"(%c, %x) {captures=1} regions {
      graph yes(%a: float32[n]) {
        %b = Relu "r"(%a)
        return %b
      }
      graph no(%a: float32[n]) {
        %k = random float32[100] seed 1
        %s = Identity "i"(%a)
        return %s
      }
    }
    return %y
  })");
  verify(*graph);
  const std::string text = to_text(*graph);
  EXPECT_EQ(to_text(*parse_graph(text, referenced_constants(*graph))), text);
  EXPECT_EQ(referenced_constants(*graph).begin()->first, "branch/1/k");
}

TEST(Text, ErrorsTellThePlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "line 1, column 1"},
      {"graph g() {\n  %y = Nonsense(%x)\n  return\n}", "line 2"},
      {"graph g(%x: float32[2]) {\n  %y = Relu(%z)\n  return %y\n}", "line 2"},
      {"graph g(%x: float32[2]) {\n  %y: float32[3] = Relu(%x)\n  return %y\n}", "line 2"},
      {"graph g(%x: float32[2]) {\n  %x = Relu(%x)\n  return %x\n}", "line 2"},
      {"graph g(%x: float32[-2]) { return }", "line 1"},
      {"graph g(%x: float32[2]) {\n\n %w = @w float32[2]\n return %x }", "line 3"},
      {"graph g(%x: float32[2]) { %w = random float32[99999999999] seed 1 return %x }", "line 1"},
      {"graph g(%x: float32[2]) { %y = Relu(%x) + Relu(#3) return %y }", "line 1"},
      {"graph g(%x: float32[2], %b: float32[3]) { %y = Add(%x, %b) return %y }", "line 1"},
      {"graph g() { return } tail", "line 1"},
      {"graph g(%x: float32[(2+]) {\n return %x\n}", "line 1, column 21"},
      {"graph g(%x: float32[2, n*]) {\n return %x\n}", "line 1, column 23"},
      {"graph g(%x: float32[2]) {\n %y = Transpose(%x) {perm=[1,}\n return %y\n}", "line 2, column 30"},
      {"graph g() {\n %k = constant float32:{1,2}\n return %k\n}", "line 2, column 23"},
      {"graph g() {\n %y = Relu \"a\\q\"(%x)\n return %y\n}", "line 2"},
  };
  for (const auto& [text, place] : cases) {
    try {
      parse_graph(text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument) << text;
      EXPECT_NE(std::string(error.what()).find(place), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find("position"), std::string::npos) << error.what();
    }
  }
}

TEST(Text, DamagedTextIsAnErrorOrAGraph) {
  const std::string whole = with_low(kEverything);
  uint64_t state = 1;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    state = state * 6364136223846793005u + 1442695040888963407u;
    flipped[i] = static_cast<char>(32 + (state >> 33) % 95);
    for (const std::string& text : {whole.substr(0, i), flipped}) {
      try {
        verify(*parse_graph(text));
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kInvalidArgument) << text << error.what();
      }
    }
  }
}

TEST(Text, RandomTensorsDependOnTheSeedAlone) {
  EXPECT_TRUE(random_tensor(DType::kF16, {3, 5}, 1).identical(random_tensor(DType::kF16, {3, 5}, 1)));
  EXPECT_FALSE(random_tensor(DType::kF32, {3, 5}, 1).identical(random_tensor(DType::kF32, {3, 5}, 2)));
  EXPECT_THROW(random_tensor(DType::kString, {1}, 1), Error);
}

}  // namespace
}  // namespace kiln::ir
