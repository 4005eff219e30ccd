// Which layouts and types the values of a network get, and that results stay.
#include "compiler/formats.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// The operators of the steps in order.
std::string steps_of(const std::string& text, CompileOptions options = options_of("cpu", 0)) {
  CompileReport report;
  compile(ir::parse_graph(text), options, &report);
  std::string ops;
  for (const LayerReport& layer : report.layers) ops += (ops.empty() ? "" : " ") + layer.op;
  return ops;
}

std::string graph_of(const std::string& body, const std::string& inputs = "%x: float32[1,16,12,12]") {
  return "graph main(" + inputs +
         ") {\n  %w = random float32[16,16,3,3] seed 1\n  %v = random float32[16,16,3,3] seed 2\n" + body + "}";
}

const std::string kConv = " {pads=[1,1,1,1]}\n";

TEST(Formats, ANormalisationOverChannelsReadsPixels) {
  const std::string text = graph_of("  %a = Conv(%x, %w)" + kConv + "  %b = Softmax(%a) {axis=1}\n  %c = Conv(%b, %v)" +
                                    kConv + "  return %c\n");
  EXPECT_EQ(steps_of(text), "Reformat Conv Softmax Conv Reformat");
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 3)}}});
}

TEST(Formats, WhatTakesBothStaysInTheLayoutAroundIt) {
  const std::string text =
      graph_of("  %a = Conv(%x, %w)" + kConv +
               "  %s = Sin(%a)\n  %p = MaxPool(%s) {kernel_shape=[2,2], strides=[2,2]}\n  %c = Conv(%p, %v)" + kConv +
               "  return %c\n");
  EXPECT_EQ(steps_of(text), "Reformat Conv Sin MaxPool Conv Reformat");
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 4)}}});
}

TEST(Formats, ATransposeReadsChannelsLast) {
  const std::string text =
      graph_of("  %a = Conv(%x, %w)" + kConv + "  %t = Transpose(%a) {perm=[0,2,3,1]}\n  return %t\n");
  EXPECT_EQ(steps_of(text), "Reformat Conv Transpose");
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 5)}}});
}

TEST(Formats, OutputsHaveTheLayoutThatIsAskedFor) {
  CompileOptions options = options_of("cpu", 0);
  options.output_layouts = {Layout::channels_last(4)};
  const std::string text = graph_of("  %a = Conv(%x, %w)" + kConv + "  return %a\n");
  EXPECT_EQ(steps_of(text, options), "Reformat Conv");
  EXPECT_EQ(steps_of(text), "Reformat Conv Reformat");
}

// The steps, each with the layouts of what it reads and writes that are not row-major.
std::string laid_out_steps(const std::string& text, const Layout& input, const std::vector<Layout>& outputs) {
  auto graph = ir::parse_graph(text);
  graph->inputs().back()->layout = input;
  CompileOptions options = options_of("cpu", 0);
  options.output_layouts = outputs;
  const plan::Plan plan = compile(std::move(graph), options);
  std::string steps;
  for (const plan::StepInfo& step : plan.programs[0].steps) {
    steps += (steps.empty() ? "" : " ") + step.op;
    for (const auto* list : {&step.inputs, &step.outputs})
      for (int32_t t : *list)
        if (t >= 0 && !plan.programs[0].tensors[static_cast<size_t>(t)].layout.is_row_major())
          steps +=
              (list == &step.inputs ? "<" : ">") + to_string(plan.programs[0].tensors[static_cast<size_t>(t)].layout);
  }
  return steps;
}

TEST(Formats, BlocksOfInputsAndOutputsAreReadAndWrittenByReformats) {
  const Layout four = parse_layout("0123/1:4"), eight = parse_layout("0231/1:8"), rotated = parse_layout("1230");
  const std::string conv = graph_of("  %a = Conv(%x, %w)" + kConv + "  return %a\n");
  EXPECT_EQ(laid_out_steps(conv, four, {eight}), "Reformat<0123/1:4>0231 Conv<0231>0231 Reformat<0231>0231/1:8");
  EXPECT_EQ(laid_out_steps(conv, eight, {}), "Reformat<0231/1:8>0231 Conv<0231>0231 Reformat<0231");
  const std::string both = "graph main(%x: float32[1,5,6,6]) {\n  %a = Sin(%x)\n  %b = Cos(%x)\n  return %a, %b\n}";
  EXPECT_EQ(laid_out_steps(both, rotated, {rotated, four}), "Reformat<1230 Sin Cos Reformat>1230 Reformat>0123/1:4");
  const std::string pixel = "graph main(%x: float32[1,5,1,1]) {\n  %a = Sin(%x)\n  return %a\n}";
  EXPECT_EQ(laid_out_steps(pixel, four, {four}).find("Sin<0123/1:4"), std::string::npos);
}

TEST(Formats, AnInputWithBlocksIsReturnedThroughRows) {
  const Layout four = parse_layout("0123/1:4");
  const std::string text =
      "graph main(%x: float32[1,5,6,6]) {\n  %a = Identity(%x)\n  %b = Identity(%x)\n  return %a, %b\n}";
  const std::string steps = laid_out_steps(text, four, {four, four});
  EXPECT_EQ(steps.find("<0123/1:4>0123/1:4"), std::string::npos) << steps;
}

TEST(Formats, BodiesReadInputsWithBlocksAsRows) {
  const std::string text = R"(graph main(%n: int64[], %x: float32[1,5,6,6]) {
  %y = Loop(%n, _, %x) regions {
    graph body(%i: int64[], %c: bool[], %s: float32[1,5,6,6]) {
      %a = Sin(%s)
      %t = Identity(%c)
      return %t, %a
    }
  }
  return %y
})";
  EXPECT_EQ(laid_out_steps(text, parse_layout("0123/1:4"), {}), "Reformat<0123/1:4 Loop");
}

TEST(Formats, NothingIsTurnedWithoutNeed) {
  const std::string text =
      "graph main(%x: float32[2,8,6,6]) {\n  %a = Sin(%x)\n  %b = Softmax(%a) {axis=1}\n  return %b\n}";
  EXPECT_EQ(steps_of(text), "Sin Softmax");
}

TEST(Formats, BodiesOfLoopsHaveLayoutsOfTheirOwn) {
  const std::string text = R"(graph main(%n: int64[], %x: float32[1,16,12,12]) {
  %y = Loop(%n, _, %x) regions {
    graph body(%i: int64[], %c: bool[], %s: float32[1,16,12,12]) {
      %w = random float32[16,16,3,3] seed 1
      %v = random float32[16,16,3,3] seed 2
      %few = constant float32[]:{0.02}
      %q = Mul(%s, %few)
      %a = Conv(%q, %w) {pads=[1,1,1,1]}
      %b = Softmax(%a) {axis=1}
      %d = Conv(%b, %v) {pads=[1,1,1,1]}
      %t = Identity(%c)
      return %t, %d
    }
  }
  return %y
})";
  const std::string steps = steps_of(text);
  EXPECT_EQ(steps, "Mul Reformat Conv Softmax Conv Identity Reformat");
  expect_same_as_reference(text, {{{Tensor::scalar(int64_t{3}), random_f32({1, 16, 12, 12}, 3)}}});
}

TEST(Formats, ALastResortReadsRows) {
  const std::string text = graph_of("  %a = Conv(%x, %w)" + kConv + "  %d = Det(%a)\n  return %d\n");
  EXPECT_EQ(steps_of(text), "Reformat Conv Reformat Det");
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 6)}}});
}

TEST(Formats, ValuesOfOnePixelAreNotTurned) {
  const std::string text =
      graph_of("  %a = Conv(%x, %w)" + kConv + "  %g = GlobalAveragePool(%a)\n  %f = Flatten(%g)\n  return %f\n");
  EXPECT_EQ(steps_of(text).find("Reformat", 10), std::string::npos);
  expect_same_as_reference(text, {{{random_f32({1, 16, 12, 12}, 7)}}});
}

// A target that takes products, and what moves elements, in float32 and bfloat16.
class BothTypes final : public Target {
 public:
  std::string_view name() const override { return "both"; }
  Device& device() const override { return open_device("ref"); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override { return {}; }
  const TacticList& tactics() const override { return list_; }

 private:
  Tactic any_{.name = "any",
              .ops = {"Conv", "MaxPool", "Cast", "Sin", "Reshape", "Loop"},
              .accepts = [](const Problem& p) { return p.op() == "Sin" ? needs_single(p) : accept(); },
              .configurations = nullptr,
              .emit = [](const Problem& p, const Config&) { return emit_reference(p); }};
  static Refusal needs_single(const Problem& p) {
    return p.input(0).dtype == DType::kF32 && p.outputs[0].dtype == DType::kF32 ? accept() : refuse("not float32");
  }
  TacticList list_{{&any_}};
};

// The operators and the types of their results, in order, after types were chosen.
std::string typed(const std::string& body, DType compute = DType::kBF16, const Layout& input = {}) {
  const auto graph =
      ir::parse_graph("graph main(%x: float32[1,16,64,64]) {\n  %w = random float32[16,16,3,3] seed 1\n" + body + "}");
  graph->inputs()[0]->layout = input;
  const BothTypes target;
  TunerOptions options;
  options.level = 0;
  SignatureFinder finder(target, options);
  choose_formats(*graph, Extents(*graph, {}), finder, {}, {.compute = compute});
  ir::verify(*graph);
  std::string types;
  for (const auto& node : graph->nodes()) {
    const std::string type(name(node->output()->dtype()));
    types += (types.empty() ? "" : " ") + node->op_name() + ":" + type.substr(0, type[0] == 'b' ? 2 : 1);
  }
  return types;
}

std::string product(const std::string& y, const std::string& x, const std::string& in = " in bfloat16") {
  return "  " + y + " = Conv(" + x + ", %w) {pads=[1,1,1,1]}" + in + "\n";
}

TEST(Types, ValuesBetweenProductsAreNarrow) {
  const std::string body = product("%a", "%x") + product("%b", "%a") + product("%c", "%b") + "  return %c\n";
  EXPECT_EQ(typed(body), "Conv:bf Conv:bf Conv:f");
  EXPECT_EQ(typed(body, DType::kF32), "Conv:f Conv:f Conv:f");
}

TEST(Types, WhatOnlyMovesGoesWithThem) {
  EXPECT_EQ(
      typed(product("%a", "%x") + "  %p = MaxPool(%a) {kernel_shape=[2,2]}\n" + product("%b", "%p") + "  return %b\n"),
      "Conv:bf MaxPool:bf Conv:f");
}

TEST(Types, OthersReadWhatTheModelSays) {
  EXPECT_EQ(typed(product("%a", "%x") + "  %s = Sin(%a)\n" + product("%b", "%s") + "  return %b\n"),
            "Conv:f Sin:f Conv:f");
}

TEST(Types, AValueWithBothKindsOfReadersIsCastForOne) {
  const auto read_by = [](int products) {
    std::string body = product("%a", "%x"), results;
    for (int i = 0; i < products; ++i) {
      body += product("%b" + std::to_string(i), "%a");
      results += "%b" + std::to_string(i) + ", ";
    }
    return typed(body + "  %s = Sin(%a)\n  return " + results + "%s\n");
  };
  const std::string few = read_by(1), many = read_by(24);
  EXPECT_EQ(few, "Conv:f Conv:f Sin:f");
  EXPECT_EQ(many.substr(0, 14), "Conv:bf Conv:f") << many;
  EXPECT_NE(many.find("Cast:f Sin:f"), std::string::npos) << many;
}

TEST(Types, ResultsOfTheGraphKeepTheirs) {
  EXPECT_EQ(typed(product("%a", "%x") + "  return %a\n"), "Conv:f");
  EXPECT_EQ(typed("  %p = MaxPool(%x) {kernel_shape=[2,2]}\n  return %p\n"), "MaxPool:f");
}

TEST(Types, LayersOfTheirOwnTypeStay) {
  EXPECT_EQ(typed(product("%a", "%x") + product("%b", "%a", " in float32") + product("%c", "%b") + "  return %c\n"),
            "Conv:f Conv:f Conv:f");
}

// An engine of the CPU that may compute in bfloat16, beside the reference; returns how many values lie in memory in bfloat16.
size_t narrow_values(const std::string& text, int level) {
  CompileOptions options = options_of("cpu", level);
  options.precisions.compute = DType::kBF16;
  const plan::Plan plan = build(text, options);
  const auto& tensors = plan.programs[0].tensors;
  for (int32_t t : plan.programs[0].outputs) EXPECT_EQ(tensors[static_cast<size_t>(t)].dtype, DType::kF32);
  const Tensor x = random_f32({1, 16, 12, 12}, 9);
  const Tensor got = run(*reload(plan)->create_context(), {x}).at(0), want = reference(text, {x}).at(0);
  EXPECT_EQ(got.dims(), want.dims());
  double largest = 0, furthest = 0;
  for (int64_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(want.at(i)));
    furthest = std::max(furthest, std::abs(got.at(i) - want.at(i)));
  }
  EXPECT_LT(furthest, 0.02 * largest);
  return static_cast<size_t>(std::count_if(tensors.begin(), tensors.end(), [](const plan::TensorInfo& info) {
    return info.dtype == DType::kBF16 && info.storage == plan::Storage::kArena;
  }));
}

TEST(Types, EnginesOfTheCpuComputeWhatTheReferenceDoes) {
  if (!find_target("cpu").computes_in(DType::kBF16)) GTEST_SKIP() << "this processor does not multiply bfloat16";
  const std::string wide = " {pads=[2,2,2,2], dilations=[2,2]}\n";  // no minimal filtering
  const std::string chain =
      graph_of("  %a = Conv(%x, %w)" + wide + "  %p = MaxPool(%a) {kernel_shape=[2,2]}\n" + "  %c = Conv(%p, %v)" +
               wide + "  %d = Conv(%c, %w)" + wide + "  %r = Relu(%d)\n  return %r\n");
  const std::string sums = graph_of("  %a = Conv(%x, %w)" + wide + "  %b = Conv(%a, %v)" + wide +
                                    "  %s = Add(%b, %a)\n  %r = Relu(%s)\n  %c = Conv(%r, %w)" + kConv +
                                    "  %t = Add(%r, %c)\n  %m = Mul(%t, %a)\n  return %m\n");
  EXPECT_EQ(narrow_values(chain, 0), 3u);
  for (const int level : {0, 3})
    for (const std::string& text : {chain, sums}) narrow_values(text, level);
}

}  // namespace
}  // namespace kiln::testing
