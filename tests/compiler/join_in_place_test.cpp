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

}  // namespace
}  // namespace kiln::testing
