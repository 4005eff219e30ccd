// Which layouts tactics can take and give: those of a target that the test makes.
#include "compiler/signatures.h"

#include "compiler/engine_testing.h"
#include "compiler/problems.h"

namespace kiln::testing {
namespace {

bool is_last(const Argument& a) { return a.layout == Layout::channels_last(static_cast<int>(a.opt.size())); }

// Takes a problem whose first input and first result are channels-last as it says.
Tactic tactic(const char* name, bool in, bool out) {
  return {.name = name,
          .ops = {"Conv"},
          .accepts = [in, out](const Problem& p) -> Refusal {
            return is_last(p.input(0)) == in && is_last(p.outputs[0]) == out ? accept() : refuse("another layout");
          },
          .configurations = nullptr,
          .emit = [](const Problem& p, const Config&) { return emit_reference(p); }};
}

class OwnTarget final : public Target {
 public:
  explicit OwnTarget(std::vector<Tactic> tactics, const Target* fallback = nullptr)
      : own_(std::move(tactics)), list_(pointers()), fallback_(fallback) {}
  std::string_view name() const override { return "own"; }
  Device& device() const override { return open_device("ref"); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override { return {}; }
  const TacticList& tactics() const override { return list_; }
  const Target* fallback() const override { return fallback_; }

 private:
  std::vector<const Tactic*> pointers() const {
    std::vector<const Tactic*> list;
    for (const Tactic& t : own_) list.push_back(&t);
    return list;
  }
  std::vector<Tactic> own_;
  TacticList list_;
  const Target* fallback_;
};

struct SignatureCase {
  explicit SignatureCase(const std::string& text)
      : graph(ir::parse_graph(text)), extents(*graph, {}), problems(make_problems(extents, 1, *graph, false)) {}
  const Problem& problem() const { return problems.at(0); }
  std::unique_ptr<ir::Graph> graph;
  Extents extents;
  std::vector<Problem> problems;
};
const char* kConvGraph =
    "graph main(%x: float32[1,3,8,8]) {\n  %w = random float32[4,3,3,3] seed 1\n  %y = Conv(%x, %w)\n  return %y\n}";

std::string name_of(const Signatures::Offer& o) { return o.preferred.tactic ? o.preferred.tactic->name : "none"; }

TEST(Signatures, ThePreferredTacticOfEachPairOfLayouts) {
  const OwnTarget target({tactic("rows", false, false), tactic("pixels", true, true), tactic("late_pixels", true, true),
                          tactic("turns", false, true)});
  const SignatureCase c(kConvGraph);
  const Signatures found = SignatureFinder(target, {}).of(c.problem());
  EXPECT_EQ(name_of(found.by[0][0]), "rows");
  EXPECT_EQ(name_of(found.by[1][1]), "pixels");
  EXPECT_EQ(name_of(found.by[0][1]), "turns");
  EXPECT_EQ(name_of(found.by[1][0]), "none");
  EXPECT_EQ(found.by[0][1].preferred.rank, 3u);
  EXPECT_TRUE(found.any());
  EXPECT_EQ(found.images, std::vector<size_t>{0});  // the weights are none
}

TEST(Signatures, TacticsBehindThePreferredOneCountMoreUnlessTheyTellTheirTime) {
  std::vector<Tactic> tactics{tactic("rows", false, false), tactic("pixels", true, true), tactic("turns", false, true)};
  tactics[2].estimate = [](const Problem&, const DeviceFacts&) { return Estimate{.compute = 0.5}; };
  const OwnTarget target(std::move(tactics));
  const SignatureCase c(kConvGraph);
  const Signatures found = SignatureFinder(target, {}).of(c.problem());
  EXPECT_GT(found.by[0][0].seconds, 0);
  EXPECT_GT(found.by[1][1].seconds, 2 * found.by[0][0].seconds);
  EXPECT_EQ(found.by[0][1].seconds, 0.5);
}

TEST(Signatures, WhatIsSwitchedOffIsNotAsked) {
  const OwnTarget target({tactic("rows", false, false), tactic("pixels", true, true)});
  const SignatureCase c(kConvGraph);
  TunerOptions options;
  options.disabled = {"rows"};
  const Signatures found = SignatureFinder(target, options).of(c.problem());
  EXPECT_EQ(name_of(found.by[0][0]), "none");
  EXPECT_EQ(name_of(found.by[1][1]), "pixels");
}

TEST(Signatures, TheFallbackIsAskedWhereTheTargetHasNothing) {
  const OwnTarget host({tactic("host", true, true)}), both({tactic("own", false, false)}, &host), none({}, &host),
      alone({});
  const SignatureCase c(kConvGraph);
  EXPECT_EQ(name_of(SignatureFinder(none, {}).of(c.problem()).by[1][1]), "host");
  EXPECT_FALSE(SignatureFinder(none, {}).takes(c.problem()));
  EXPECT_EQ(name_of(SignatureFinder(both, {}).of(c.problem()).by[1][1]), "none");
  EXPECT_EQ(name_of(SignatureFinder(both, {}).of(c.problem()).by[0][0]), "own");
  EXPECT_TRUE(SignatureFinder(both, {}).takes(c.problem()));
  EXPECT_FALSE(SignatureFinder(alone, {}).of(c.problem()).any());
}

TEST(Signatures, ImagesHaveThreeDimensionsAndWholeBytes) {
  const auto graph = ir::parse_graph(
      "graph main(%a: float32[2,3], %b: float32[2,3,4], %c: int4[2,3,4], %d: float32[1,2,3,4]) {\n  return %a, %b, %c, "
      "%d\n}");
  const auto& in = graph->inputs();
  EXPECT_FALSE(is_image(in[0]));
  EXPECT_TRUE(is_image(in[1]));
  EXPECT_FALSE(is_image(in[2]));
  EXPECT_TRUE(is_image(in[3]));
  EXPECT_FALSE(is_image(nullptr));
}

}  // namespace
}  // namespace kiln::testing
