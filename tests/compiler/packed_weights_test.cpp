// When the weights of a model leave memory: a tactic packs them, and sees whether those of the layer before are gone.
#include <gtest/gtest.h>

#include "compiler/lower.h"
#include "ir/text.h"

namespace kiln {
namespace {

constexpr int64_t kSide = 128;  // of matrices that count as large

class PackingTarget final : public Target {
 public:
  explicit PackingTarget(Tactic tactic) : tactic_(std::move(tactic)), list_({&tactic_}) {}
  std::string_view name() const override { return "packing"; }
  Device& device() const override { return open_device("ref"); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override { return {}; }
  const TacticList& tactics() const override { return list_; }

 private:
  Tactic tactic_;
  TacticList list_;
};

// The reference on a copy of the weights, as tactics that pack have it.
Emitted emit_copied(const Problem& p) {
  Emitted e = emit_reference(p);
  e.inputs.at(1) = Emitted::from_constant(0);
  e.constants = {p.input(1).constant->clone()};
  return e;
}

enum class Weights { kOfEach, kOfBoth };

// How many constants of two layers are in memory when those of the second are packed, and at the end.
std::pair<long, long> held(Weights weights, const std::function<Emitted(const Problem&)>& emit) {
  const auto graph = ir::parse_graph(
      "graph main(%x: float32[4,128]) {\n  %w = random float32[128,128] seed 1\n"
      "  %a = MatMul \"first\"(%x, %w)\n  %y = MatMul \"second\"(%a, %w)\n  return %y\n}");
  const auto bytes = std::make_shared<std::vector<float>>(kSide * kSide, 0.5f);
  ir::Value* constant = nullptr;
  for (ir::Node* node : graph->node_list()) {
    if (!constant || weights == Weights::kOfEach)
      constant = graph->add_constant(Tensor::borrow(DType::kF32, {kSide, kSide}, bytes->data(), bytes));
    node->set_input(1, constant);
  }
  graph->remove_dead();
  long between = -1;
  const PackingTarget target({.name = "packing",
                              .version = 1,
                              .ops = {"MatMul"},
                              .accepts = [](const Problem&) { return accept(); },
                              .configurations = nullptr,
                              .emit =
                                  [&](const Problem& p, const Config&) {
                                    if (p.node->name() == "second") between = bytes.use_count() - 1;
                                    return emit(p);
                                  }});
  TunerOptions tuner;
  tuner.level = 0;
  CompileReport report;
  const Extents extents(*graph, {});
  const plan::Plan plan = Lowering(extents, target, tuner, {}, 0, report).run(*graph, {}, 1);
  EXPECT_EQ(plan.programs.at(0).steps.size(), graph->nodes().size());
  return {between, bytes.use_count() - 1};
}

TEST(PackedWeights, LeaveMemoryWhenTheirLayerIsMade) {
  EXPECT_EQ(held(Weights::kOfEach, emit_copied), std::make_pair(1l, 0l));
}

TEST(PackedWeights, StayWhileAStepReadsThem) { EXPECT_EQ(held(Weights::kOfEach, emit_reference).first, 2); }

TEST(PackedWeights, StayWhenAnotherLayerPacksThemToo) { EXPECT_EQ(held(Weights::kOfBoth, emit_copied).first, 1); }

}  // namespace
}  // namespace kiln
