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

// The type that each node computes in, by name.
std::map<std::string, DType> computed_in(const ir::Graph& graph) {
  std::map<std::string, DType> types;
  for (const auto& node : graph.nodes())
    if (!node->is("Cast")) types[node->name().substr(0, node->name().find('.'))] = node->input(0)->dtype();
  return types;
}

// The same after the pass.
std::map<std::string, DType> computed(const Precisions& precisions, std::string* warnings = nullptr) {
  auto graph = ir::parse_graph(kPreciseGraph);
  Warnings logger;
  mark_precisions(*graph, HalfTarget(), precisions, logger);
  if (warnings) *warnings = logger.text;
  passes::run_passes(*graph, {passes::compute_in(DType::kF16)}, {});
  return computed_in(*graph);
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

// What a layer with weights beyond float16 makes is not rounded to it, up to where it is small again.
TEST(LayerPrecisions, ValuesBehindWeightsThatOverflowStayWide) {
  constexpr const char* kLarge = R"(graph main(%x: float32[2,2], %s: float32[2]) {
    %v = constant float32[2,2]:{1.0,3.0,0.5,2.0}
    %w = constant float32[2,2]:{90000.0,70000.0,0.5,2.0}
    %small = constant float32[2,2]:{1e-5,-1e-5,2e-5,1e-5}
    %shape = constant int64[2]:{1,4}
    %low = constant float32[]:{-4.0}
    %high = constant float32[]:{4.0}
    %a = MatMul "before"(%x, %v)
    %b = MatMul "large"(%a, %w)
    %c = Relu "activation"(%b)
    %d = MatMul "down"(%c, %small)
    %e = Add "residual"(%d, %a)
    %f = LayerNormalization "norm"(%e, %s)
    %g = MatMul "behind"(%f, %v)
    %h = Clip "bounded"(%b, %low, %high)
    %i = MatMul "behind too"(%h, %v)
    %j = Reshape "moved"(%b, %shape)
    return %g, %i, %j
  })";
  const std::vector<Tensor> inputs{Tensor::of<float>({2, 2}, {1, -2, 3, 4}), Tensor::of<float>({2}, {1, 2})};
  const auto results = [&](const ir::Graph& graph) {
    return ir::evaluate(graph, {Datum(inputs[0]), Datum(inputs[1])});
  };
  for (const DType instead : {DType::kF32, DType::kBF16}) {
    auto graph = ir::parse_graph(kLarge);
    const std::vector<Datum> want = results(*graph);
    Warnings logger;
    passes::run_passes(*graph, {passes::compute_in(DType::kF16, instead)}, {.logger = &logger});
    const DType h = DType::kF16;
    EXPECT_EQ(computed_in(*graph), (std::map<std::string, DType>{{"before", h},
                                                                 {"large", instead},
                                                                 {"activation", instead},
                                                                 {"down", instead},
                                                                 {"residual", instead},
                                                                 {"norm", instead},
                                                                 {"behind", h},
                                                                 {"bounded", instead},
                                                                 {"behind too", h},
                                                                 {"moved", instead}}));
    EXPECT_NE(logger.text.find("6 layers that read them compute in " + std::string(name(instead)) +
                               ": 'activation', 'down', 'residual' and 3 more"),
              std::string::npos)
        << logger.text;
    const std::vector<Datum> got = results(*graph);
    for (size_t i = 0; i < want.size(); ++i)
      for (int64_t k = 0; k < want[i].tensor.size(); ++k) {
        const float w = want[i].tensor.as<float>()[static_cast<size_t>(k)],
                    g = got[i].tensor.as<float>()[static_cast<size_t>(k)];
        EXPECT_NEAR(g, w, 0.02f * std::abs(w) + 0.02f) << i << " " << k;
      }
  }
}

TEST(LayerPrecisions, ValuesThatReachBodiesStayWideThere) {
  auto graph = ir::parse_graph(R"(graph main(%x: float32[2,2], %if: bool[]) {
    %w = constant float32[2,2]:{90000.0,70000.0,0.5,2.0}
    %a = MatMul "large"(%x, %w)
    %b = If "choice"(%if, %a) {captures=1} regions {
      graph then(%t: float32[2,2]) {
        %p = Relu "inside"(%t)
        return %p
      }
      graph else(%e: float32[2,2]) {
        %q = Neg "inside too"(%e)
        return %q
      }
    }
    %y = Relu "outside"(%b)
    return %y
  })");
  passes::run_passes(*graph, {passes::compute_in(DType::kF16)}, {});
  for (const auto& node : graph->nodes()) {
    EXPECT_FALSE(node->is("Cast")) << ir::to_text(*graph);
    for (const auto& region : node->regions)
      for (const auto& inner : region->nodes()) EXPECT_FALSE(inner->is("Cast")) << ir::to_text(*graph);
  }
}

// Through a loop's next round, integers and float64, and behind the second result of a norm.
TEST(LayerPrecisions, ValuesStayWideWhateverCarriesThem) {
  auto graph = ir::parse_graph(R"(graph main(%x: float32[2,2], %s: float32[2], %n: int64[]) {
    %w = constant float32[2,2]:{90000.0,70000.0,0.5,2.0}
    %scale = constant float32[]:{1000.0}
    %a = MatMul "large"(%x, %w)
    %q = QuantizeLinear "quantize"(%a, %scale)
    %d = DequantizeLinear "dequantize"(%q, %scale)
    %e = Exp "behind integers"(%d)
    %one = constant float32[1]:{1000.0}
    %zero = constant uint8[1]:{128}
    %qq = Quantize "quantize too"(%a, %one, %zero) {to="uint8"}
    %dd = Dequantize "dequantize too"(%qq, %one, %zero)
    %ee = Exp "behind bytes"(%dd)
    %f = Cast "to float64"(%a) {to="float64"}
    %g = Abs "float64"(%f)
    %h = Cast "from float64"(%g) {to="float32"}
    %i = Neg "behind float64"(%h)
    %j, %mean = LayerNormalization "norm"(%a, %s)
    %k = Neg "behind mean"(%mean)
    %z = Shape "shape"(%a)
    %l = Expand "behind shape"(%s, %z)
    %o = Loop "loop"(%n, _, %x) regions {
      graph body(%it: int64[], %c: bool[], %t: float32[2,2]) {
        %v = constant float32[2,2]:{90000.0,70000.0,0.5,2.0}
        %r = Relu "in loop"(%t)
        %u = MatMul "large in loop"(%r, %v)
        %go = Identity(%c)
        return %go, %u
      }
    }
    return %e, %ee, %i, %j, %k, %l, %o
  })");
  passes::run_passes(*graph, {passes::compute_in(DType::kF16)}, {});
  std::map<std::string, DType> types = computed_in(*graph);
  for (const char* name : {"behind integers", "behind bytes", "behind float64", "norm", "behind mean"})
    EXPECT_EQ(types[name], DType::kF32) << name;
  EXPECT_EQ(types["behind shape"], DType::kF16);
  for (const auto& node : graph->nodes())
    if (node->is("Loop")) {
      types = computed_in(*node->regions[0]);
      EXPECT_EQ(types["in loop"], DType::kF32);
    }
}

// A mask's lowest number is no reason to leave what is behind it in float32.
TEST(LayerPrecisions, OtherValuesAreRounded) {
  auto graph = ir::parse_graph(R"(graph main(%x: float32[2,2]) {
    %v = constant float32[2,2]:{1.0,3.0,0.5,2.0}
    %m = constant float32[2,2]:{-3e38,0.0,0.0,0.0}
    %a = Add "mask"(%x, %m)
    %b = Softmax "softmax"(%a)
    %y = MatMul "product"(%b, %v)
    return %y
  })");
  Warnings logger;
  passes::run_passes(*graph, {passes::compute_in(DType::kF16)}, {.logger = &logger});
  EXPECT_EQ(computed_in(*graph)["softmax"], DType::kF16);
  EXPECT_EQ(computed_in(*graph)["product"], DType::kF16);
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
  EXPECT_EQ(computed_in(*graph), (std::map<std::string, DType>{{"fits", DType::kF16},
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
