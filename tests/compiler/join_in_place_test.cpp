// Concatenations whose parts lie in the result from the start, and those whose parts cannot.
#include "compiler/join_in_place.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

const plan::TensorInfo* named(const plan::Plan& plan, const std::string& name) {
  for (const plan::TensorInfo& t : plan.programs[0].tensors)
    if (t.name == name) return &t;
  return nullptr;
}

TEST(JoinInPlace, PartsAreWrittenWhereTheyBelong) {
  const std::string text = R"(graph main(%x: float32[2,4]) {
    %a = Relu(%x)
    %b = Neg(%x)
    %c = Concat(%a, %b) {axis=0}
    %y = Tanh(%c)
    return %y
  })";
  const plan::Plan plan = build(text, options_of("cpu", 0));
  const plan::TensorInfo *a = named(plan, "a"), *b = named(plan, "b");
  ASSERT_TRUE(a && b);
  EXPECT_GE(a->view_of, 0);
  EXPECT_EQ(a->view_of, b->view_of);
  EXPECT_NE(a->view_start, b->view_start);
  expect_same_as_reference(text, {{{random_f32({2, 4}, 3)}}});
}

TEST(JoinInPlace, APartThatIsAResultToo) {
  const std::string text = R"(graph main(%x: float32[2,4]) {
    %a = Sin(%x)
    %b = Cos(%x)
    %c = Concat(%a, %b) {axis=1}
    %y = Softmax(%c)
    return %y, %a
  })";
  const plan::Plan plan = build(text, options_of("cpu", 0));
  ASSERT_TRUE(named(plan, "a"));
  EXPECT_LT(named(plan, "a")->view_of, 0);  // the user says where it lies
  expect_same_as_reference(text, {{{random_f32({2, 4}, 4)}}});
}

TEST(JoinInPlace, OnePartTwice) {
  expect_same_as_reference(R"(graph main(%x: float32[2,4]) {
    %a = Sin(%x)
    %c = Concat(%a, %a) {axis=1}
    %y = Softmax(%c)
    return %y
  })",
                           {{{random_f32({2, 4}, 5)}}});
}

// Where the tensors of a graph lie whose kernels store rows of 16 bits that begin at multiples of so many bytes.
std::map<std::string, int32_t> wholes_of(const std::string& text, int64_t alignment, bool any_axis = false) {
  const auto graph = ir::parse_graph(text);
  plan::Program program;
  std::vector<StepDetail> details;
  const std::map<int32_t, int32_t> shares;
  std::map<const ir::Value*, int32_t> tensors;
  std::vector<Dim> dims;
  const auto add = [&](const ir::Value* value, plan::Storage storage) {
    plan::TensorInfo info;
    info.name = value->name();
    info.dtype = value->dtype();
    info.storage = storage;
    tensors[value] = static_cast<int32_t>(program.tensors.size());
    program.tensors.push_back(info);
  };
  for (const ir::Value* input : graph->inputs()) add(input, plan::Storage::kInput);
  for (const auto& node : graph->nodes()) {
    add(node->output(), plan::Storage::kArena);
    plan::StepInfo step;
    for (const ir::Value* input : node->inputs()) step.inputs.push_back(tensors.at(input));
    step.outputs = {tensors.at(node->output())};
    const bool joins = node->is("Concat");
    if (joins) step.sharing = Sharing::kParts;
    program.steps.push_back(step);
    StepDetail detail{.node = node.get(), .strided_output = joins && any_axis, .strided_rows = true};
    if (!joins) detail.row_alignment = alignment;
    details.push_back(detail);
  }
  join_in_place({program, details, shares, tensors, [&](const Dim& d) {
                   dims.push_back(d);
                   return static_cast<uint32_t>(dims.size() - 1);
                 }});
  std::map<std::string, int32_t> wholes;
  for (const plan::TensorInfo& t : program.tensors) wholes[t.name] = t.view_of;
  return wholes;
}

TEST(JoinInPlace, RowsThatBeginAtMultiplesOfBytes) {
  const auto joined = [](const char* a, const char* b, int64_t alignment) {
    const std::string text = std::string("graph main(%x: float16[n,") + a + "], %z: float16[n," + b +
                             "]) {\n  %a = Relu(%x)\n  %b = Relu(%z)\n  %c = Concat(%a, %b) {axis=1}\n  return %c\n}\n";
    const auto wholes = wholes_of(text, alignment);
    return std::pair(wholes.at("a") >= 0, wholes.at("b") >= 0);
  };
  using Joined = std::pair<bool, bool>;
  EXPECT_EQ(joined("8", "16", 16), Joined(true, true));
  EXPECT_EQ(joined("4", "12", 16), Joined(true, false));   // the second begins at byte 8
  EXPECT_EQ(joined("8", "12", 16), Joined(false, false));  // rows of 40 bytes
  EXPECT_EQ(joined("8", "12", 8), Joined(true, true));
  EXPECT_EQ(joined("3", "5", 1), Joined(true, true));
  EXPECT_EQ(joined("8", "m", 16), Joined(false, false));  // only running tells
  EXPECT_EQ(joined("8", "m", 1), Joined(true, true));
}

}  // namespace
}  // namespace kiln::testing
