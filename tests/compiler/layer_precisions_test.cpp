// Layers that compute in a type of their own.
#include "compiler/layer_precisions.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "compiler/engine_testing.h"
#include "ir/text.h"
#include "passes/pass.h"
#include "passes/rule.h"

namespace kiln {
namespace {

using testing::Warnings;

class HalfTarget : public Target {
 public:
  std::string_view name() const override { return "half"; }
  Device& device() const override { return open_device("ref"); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override { return {}; }
  const TacticList& tactics() const override { return none_; }
  bool computes_in(DType type) const override { return type == DType::kF32 || type == DType::kF16; }

 private:
  TacticList none_{{}};
};

const char* const kPreciseGraph = R"(graph main(%x: float32[2,8], %i: int32[2,8]) {
  %w = random float32[8,8] seed 1
  %a = MatMul "first"(%x, %w)
  %s = Sin "middle"(%a)
  %b = MatMul "last"(%s, %w)
  %j = Abs "whole"(%i)
  return %b, %j
})";

Precisions half(std::vector<Precisions::Layer> layers, bool obey = true) {
  return {.compute = DType::kF16, .tf32 = false, .layers = std::move(layers), .obey = obey};
}

// The type that each node computes in after the pass, by name.
std::map<std::string, DType> computed(const Precisions& precisions, std::string* warnings = nullptr) {
  auto graph = ir::parse_graph(kPreciseGraph);
  Warnings logger;
  mark_precisions(*graph, HalfTarget(), precisions, logger);
  if (warnings) *warnings = logger.text;
  passes::run_passes(*graph, {passes::compute_in(DType::kF16)}, {});
  std::map<std::string, DType> types;
  for (const auto& node : graph->nodes())
    if (!node->is("Cast")) types[node->name().substr(0, node->name().find('.'))] = node->input(0)->dtype();
  return types;
}

TEST(LayerPrecisions, ThoseThatAreNamedStay) {
  using Types = std::map<std::string, DType>;
  constexpr DType h = DType::kF16, s = DType::kF32, i = DType::kI32;
  EXPECT_EQ(computed(half({})), (Types{{"first", h}, {"middle", h}, {"last", h}, {"whole", i}}));
  EXPECT_EQ(computed(half({{"middle", s}})), (Types{{"first", h}, {"middle", s}, {"last", h}, {"whole", i}}));
  EXPECT_EQ(computed(half({{"*", s, true}, {"l*t", h, true}})),
            (Types{{"first", s}, {"middle", s}, {"last", h}, {"whole", i}}));
  const std::string hostile = std::string(2000, '*') + "x";
  EXPECT_EQ(computed(half({{"*", s, true}, {hostile, h, true}}, false)),
            (Types{{"first", s}, {"middle", s}, {"last", s}, {"whole", i}}));
  EXPECT_EQ(computed(half({{"*i*d*", s, true}})), (Types{{"first", h}, {"middle", s}, {"last", h}, {"whole", i}}));
}

TEST(LayerPrecisions, StarsCountInPatternsOnly) {
  std::string warnings;
  computed(half({{"fir*", DType::kF32}}, false), &warnings);
  EXPECT_NE(warnings.find("no layer is called 'fir*'"), std::string::npos) << warnings;
}

TEST(LayerPrecisions, WhatCannotBeIsSaid) {
  const std::vector<std::pair<Precisions, const char*>> cases{
      {half({{"whole", DType::kF16}}), "first input is int32"},
      {half({{"firts", DType::kF32}}), "did you mean 'first'"},
      {{.compute = DType::kF32, .tf32 = false, .layers = {{"first", DType::kF16}}, .obey = true},
       "allowed float32 only"},
      {{.compute = DType::kF32, .tf32 = false, .layers = {{"first", DType::kBF16}}, .obey = true},
       "in the types of the model"}};
  for (auto [precisions, what] : cases) {
    auto graph = ir::parse_graph(kPreciseGraph);
    try {
      mark_precisions(*graph, HalfTarget(), precisions, null_logger());
      ADD_FAILURE() << what;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
      EXPECT_FALSE(e.remedy().empty());
    }
    precisions.obey = false;
    Warnings logger;
    mark_precisions(*graph, HalfTarget(), precisions, logger);
    EXPECT_NE(logger.text.find(what), std::string::npos) << logger.text;
  }
}

// Of what a pattern means, layers of other types than float32 are left out; those of float32 are as if named one by one.
TEST(LayerPrecisions, PatternsAreObeyed) {
  auto graph = ir::parse_graph(kPreciseGraph);
  const Precisions single{.compute = DType::kF32, .tf32 = false, .layers = {{"*t", DType::kF16, true}}, .obey = true};
  EXPECT_THROW(mark_precisions(*graph, HalfTarget(), single, null_logger()), Error);
  EXPECT_NO_THROW(mark_precisions(*graph, HalfTarget(), half({{"wh*", DType::kF16, true}}), null_logger()));
}

// What float16 cannot hold is never infinite: a layer that is to compute in it is an error that names its weights, one that may stays.
TEST(LayerPrecisions, WeightsThatOverflowAreNamed) {
  constexpr const char* kLarge = R"(graph main(%x: float32[2,2]) {
    %w = constant float32[2,2]:{1.0,70000.0,0.5,2.0}
    %y = MatMul "wide"(%x, %w)
    return %y
  })";
  auto graph = ir::parse_graph(kLarge);
  try {
    mark_precisions(*graph, HalfTarget(), half({{"wide", DType::kF16}}), null_logger());
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("'w' overflows float16"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("'wide'"), std::string::npos) << e.what();
  }
  Warnings logger;
  mark_precisions(*graph, HalfTarget(), half({{"wide", DType::kF16}}, false), logger);
  EXPECT_NE(logger.text.find("'w' overflows float16"), std::string::npos) << logger.text;
  logger.text.clear();
  passes::run_passes(*graph, {passes::compute_in(DType::kF16)}, {.logger = &logger});
  EXPECT_NE(logger.text.find("the weights 'w' overflow float16: the layer 'wide' computes in float32"),
            std::string::npos)
      << logger.text;
  EXPECT_EQ(graph->nodes().front()->input(0)->dtype(), DType::kF32);
  auto by_pattern = ir::parse_graph(kLarge);
  EXPECT_THROW(mark_precisions(*by_pattern, HalfTarget(), half({{"w*", DType::kF16, true}}), null_logger()), Error);
  mark_precisions(*by_pattern, HalfTarget(), half({{"w*", DType::kF16, true}}, false), null_logger());
  passes::run_passes(*by_pattern, {passes::compute_in(DType::kF16)}, {});
  EXPECT_EQ(by_pattern->nodes().front()->input(0)->dtype(), DType::kF32);
  logger.text.clear();
  passes::run_passes(*ir::parse_graph(kLarge), {passes::compute_in(DType::kBF16)}, {.logger = &logger});
  EXPECT_EQ(logger.text, "");
}

class BothTarget final : public HalfTarget {
 public:
  bool computes_in(DType type) const override { return HalfTarget::computes_in(type) || type == DType::kBF16; }
};

// Where both types are allowed, none of the weights becomes infinite, and layers may ask for either.
TEST(LayerPrecisions, BesideFloat16) {
  auto graph = ir::parse_graph(R"(graph main(%x: float32[2,2]) {
    %v = constant float32[2,2]:{1.0,3.0,0.5,2.0}
    %w = constant float32[2,2]:{1.0,70000.0,0.5,2.0}
    %a = MatMul "fits"(%x, %v)
    %b = MatMul "wide"(%a, %w)
    %c = Tanh "asked"(%b)
    %d = Add "sum"(%c, %w)
    %y = MatMul "stays"(%d, %w)
    return %y
  })");
  Warnings logger;
  mark_precisions(*graph, BothTarget(),
                  {.compute = DType::kF16,
                   .second = DType::kBF16,
                   .layers = {{"asked", DType::kBF16}, {"stays", DType::kF32}},
                   .obey = true},
                  logger);
  passes::run_passes(*graph, {passes::compute_in(DType::kF16, DType::kBF16)}, {.logger = &logger});
  std::map<std::string, DType> types;
  for (const auto& node : graph->nodes())
    if (!node->is("Cast")) types[node->name().substr(0, node->name().find('.'))] = node->input(0)->dtype();
  EXPECT_EQ(types, (std::map<std::string, DType>{{"fits", DType::kF16},
                                                 {"wide", DType::kBF16},
                                                 {"asked", DType::kBF16},
                                                 {"sum", DType::kF32},  // its constant would lose digits
                                                 {"stays", DType::kF32}}));
  EXPECT_NE(logger.text.find("the weights 'w' overflow float16: the layer 'wide' computes in bfloat16"),
            std::string::npos)
      << logger.text;
  try {
    mark_precisions(*ir::parse_graph(kPreciseGraph), BothTarget(), half({{"first", DType::kBF16}}), null_logger());
    ADD_FAILURE() << "bfloat16 was not allowed";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("allowed float16 only"), std::string::npos) << e.what();
  }
}

TEST(LayerPrecisions, AreReadBackFromText) {
  auto graph = ir::parse_graph(kPreciseGraph);
  mark_precisions(*graph, HalfTarget(), half({{"first", DType::kF32}, {"last", DType::kF16}}), null_logger());
  const std::string text = ir::to_text(*graph);
  EXPECT_NE(text.find("\"first\"(%x, %w) in float32"), std::string::npos) << text;
  EXPECT_EQ(ir::to_text(*ir::parse_graph(text)), text);
  EXPECT_EQ(ir::to_text(*graph->clone()), text);
}

TEST(LayerPrecisions, GoWithWhatTheNodeBecomes) {
  auto graph = ir::parse_graph(R"(graph main(%x: float32[1,2,4,4]) {
    %w = random float32[2,2,1,1] seed 1
    %k = random float32[2] seed 2
    %v = constant float32[2]:{1.0,2.0}
    %c = Conv "conv"(%x, %w)
    %b = BatchNormalization "norm"(%c, %k, %k, %k, %v)
    return %b
  })");
  mark_precisions(*graph, HalfTarget(), half({{"norm", DType::kF32}}), null_logger());
  passes::run_passes(*graph, {passes::canonicalize(), passes::fuse()}, {.limits = find_target("cpu").fusion()});
  for (const auto& node : graph->nodes()) EXPECT_EQ(node->precision, DType::kF32) << node->name();
}

}  // namespace
}  // namespace kiln
