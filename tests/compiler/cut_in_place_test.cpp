// Parts of tensors that kernels read where they lie: their Split is no step.
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

size_t splits_in(const std::string& text, const std::string& target) {
  const plan::Plan plan = build(text, options_of(target, 0));
  return static_cast<size_t>(std::count_if(plan.programs[0].steps.begin(), plan.programs[0].steps.end(),
                                           [](const plan::StepInfo& s) { return s.op == "Split"; }));
}

TEST(Parts, ReadInPlace) {
  const std::string head = R"(graph main(%x: float32[2,5,12]) {
    %w = random float32[12,36] seed 1
    %m = MatMul(%x, %w)
    %q, %k, %v = Split(%m) {axis=-1}
    %y = Attention(%q, %k, %v) {q_num_heads=3,kv_num_heads=3}
  )";
  const InputSet inputs{{random_f32({2, 5, 12}, 23)}};
  const std::string alone = head + "return %y\n}", read = head + "%z = Erf(%k)\nreturn %y, %z\n}",
                    returned = head + "return %y, %v\n}";
  for (const std::string& text : {alone, read, returned}) expect_same_as_reference(text, {inputs});
  EXPECT_EQ(splits_in(alone, "cpu"), 0u);
  EXPECT_EQ(splits_in(alone, "pretend"), 0u);
  EXPECT_EQ(splits_in(read, "cpu"), 1u);
  EXPECT_EQ(splits_in(returned, "cpu"), 1u);
}

TEST(Parts, OfDynamicSize) {
  std::vector<InputSet> sets;
  for (int64_t n : {1, 3, 4}) sets.push_back({{random_f32({1, n, 12}, 24)}});
  expect_same_as_reference(R"(graph main(%x: float32[1,n,12]) {
    %m = Relu(%x)
    %sizes = constant int64[3]:{4,4,4}
    %q, %k, %v = Split(%m, %sizes) {axis=-1}
    %a = Attention(%q, %k, %v) {q_num_heads=2,kv_num_heads=2}
    %y = Add(%a, %a)
    return %y
  })",
                           sets, {{{"x", {{1, 1, 12}, {1, 2, 12}, {1, 4, 12}}}}});
}

}  // namespace
}  // namespace kiln::testing
