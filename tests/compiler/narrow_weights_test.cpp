// Engines of the CPU that keep weights in 16 bits.
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

struct Built {
  CompileReport report;
  Tensor result;
  int64_t constant_bytes = 0;
};

Built build_and_run(const std::string& text, const Tensor& x, DType compute, int level,
                    std::set<std::string> disabled = {}) {
  Built built;
  CompileOptions options = options_of("cpu", level);
  options.precisions.compute = compute;
  options.passes.disabled = std::move(disabled);
  const plan::Plan plan = compile(ir::parse_graph(text), options, &built.report);
  for (const plan::TensorInfo& info : plan.programs[0].tensors)
    if (info.storage == plan::Storage::kConstant) built.constant_bytes += static_cast<int64_t>(info.size);
  built.result = run(*reload(plan)->create_context(), {x}).at(0);
  return built;
}

std::string tactics_of(const Built& built) {
  std::string names;
  for (const LayerReport& layer : built.report.layers) names += layer.op + ":" + layer.tactic + " ";
  return names;
}

// A product by weights that `from` makes of random numbers %v.
std::string product_text(const std::string& rows, const std::string& from) {
  return "graph main(%x: float32[" + rows + ",300]) {\n  %v = random float32[300,200] seed 3\n" + from +
         "  %y = MatMul(%x, %w)\n  %r = Relu(%y)\n  return %r\n}\n";
}
const std::string kFree = "  %w = Identity(%v)\n";
std::string rounded(const std::string& type) {
  return "  %h = Cast(%v) {to=\"" + type + "\"}\n  %w = Cast(%h) {to=\"float32\"}\n";
}

TEST(NarrowWeightsOfEngines, RoundedWhereTheBuildMay) {
  for (const auto& [compute, type] : {std::pair{DType::kF16, "float16"}, std::pair{DType::kBF16, "bfloat16"}}) {
    if (!find_target("cpu").computes_in(compute)) GTEST_SKIP() << "this processor does not widen " << type;
    for (const int64_t rows : {1, 5, 70}) {
      const Tensor x = random_f32({rows, 300}, 4);
      const std::string count = std::to_string(rows);
      const Built built =
          build_and_run(product_text(count, kFree), x, compute, 0, {"gemm_bfloat16", "gemm_bfloat16_amx"});
      EXPECT_EQ(tactics_of(built), "MatMul:gemm_narrow ");
      EXPECT_EQ(built.report.layers.at(0).computes, compute);
      expect_close(built.result, reference(product_text(count, rounded(type)), {x}).at(0), type);
      const Built wide = build_and_run(product_text(count, kFree), x, DType::kF32, 0);
      EXPECT_EQ(tactics_of(wide), "MatMul:gemm_packed ");
      EXPECT_EQ(wide.report.layers.at(0).computes, DType::kF32);
      EXPECT_LT(built.constant_bytes, wide.constant_bytes * 51 / 100);
    }
  }
}

// What the model has in the type costs no precision, so every build may keep it.
TEST(NarrowWeightsOfEngines, OfNetworksThatHaveThem) {
  if (!find_target("cpu").computes_in(DType::kF16)) GTEST_SKIP() << "this processor does not widen float16";
  const Tensor x = random_f32({3, 300}, 5);
  const std::string text = product_text("3", rounded("float16"));
  const Built built = build_and_run(text, x, DType::kF32, 0),
              wide = build_and_run(text, x, DType::kF32, 0, {"narrow_weights"});
  EXPECT_EQ(tactics_of(built), "MatMul:gemm_narrow ");
  EXPECT_EQ(tactics_of(wide), "MatMul:gemm_packed ");
  EXPECT_LT(built.constant_bytes, wide.constant_bytes * 51 / 100);
  for (const Built& one : {built, wide}) expect_close(one.result, reference(text, {x}).at(0), tactics_of(one));
}

TEST(NarrowWeightsOfEngines, MeasuredBesideFloat32) {
  const Tensor x = random_f32({2, 300}, 6);
  for (const DType compute : {DType::kF16, DType::kBF16}) {
    const Built built = build_and_run(product_text("2", kFree), x, compute, 3);
    const auto& tried = built.report.layers.at(0).tried;
    const auto has = [&](const std::string& name) {
      return std::any_of(tried.begin(), tried.end(), [&](const Tried& t) { return t.candidate.starts_with(name); });
    };
    EXPECT_EQ(has("gemm_narrow"), find_target("cpu").computes_in(compute));
    EXPECT_TRUE(has("gemm_packed"));
  }
}

}  // namespace
}  // namespace kiln::testing
