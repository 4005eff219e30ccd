// Which layouts and types the values of a network get, and that results stay.
#include "compiler/formats.h"

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/product_int8.h"
#include "compiler/engine_testing.h"
#include "target/estimate.h"

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
  if (!cpu::multiplies_bfloat16()) GTEST_SKIP() << "this processor does not multiply bfloat16";
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

// A target that takes products and maxima in the types that it is given, softmax in float32 alone, and what is pointwise in any.
class Declared final : public Target {
 public:
  // `slowness`: of products in narrow types, beside those in float32.
  explicit Declared(TypeSet narrow, double slowness = 1) : narrow_(narrow), slowness_(slowness) {}
  Declared(const Declared&) = delete;
  std::string_view name() const override { return "declared"; }
  Device& device() const override { return open_device("ref"); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override {
    return {passes::canonicalize(), passes::compute_in_float32(), passes::fuse()};
  }
  const TacticList& tactics() const override { return list_; }

 private:
  TypeSet narrow_;
  double slowness_;
  Refusal needs_types(const Problem& p, TypeSet types) const {
    types = types | DType::kF32;
    return types.has(p.input(0).dtype) && types.has(p.outputs[0].dtype) ? accept() : refuse("another type");
  }
  static Emitted by_reference(const Problem& p, const Config&) { return emit_reference(p); }
  Tactic products_{.name = "products",
                   .ops = {"Conv", "MatMul", "MaxPool"},
                   .estimate =
                       [this](const Problem& p, const DeviceFacts& facts) {
                         Workload work = workload_of(p);
                         if (p.input(0).dtype != DType::kF32 || p.outputs[0].dtype != DType::kF32)
                           work.flops *= slowness_;
                         return roofline(work, p.input(0).dtype, facts);
                       },
                   .accepts = [this](const Problem& p) { return needs_types(p, narrow_); },
                   .configurations = nullptr,
                   .emit = by_reference};
  Tactic softmax_{.name = "softmax",
                  .ops = {"Softmax"},
                  .accepts = [this](const Problem& p) { return needs_types(p, TypeSet()); },
                  .configurations = nullptr,
                  .emit = by_reference};
  Tactic pointwise_{
      .name = "pointwise",
      .accepts =
          [](const Problem& p) { return p.node->op().is_pointwise() ? accept() : refuse("it is not pointwise"); },
      .configurations = nullptr,
      .emit = by_reference};
  TacticList list_{{&products_, &softmax_, &pointwise_}};
};

const TypeSet kHalves{DType::kF16, DType::kBF16};

std::string short_name(DType type) {
  return type == DType::kBF16 ? "bf" : type == DType::kF16 ? "h" : type == DType::kF32 ? "f" : std::string(name(type));
}

// The nodes with what they read and write, in order: "Conv:bf>bf Cast:bf>f".
std::string types_of(const ir::Graph& graph) {
  std::string types;
  for (const auto& node : graph.nodes()) {
    types += (types.empty() ? "" : " ") + node->op_name() + ":" + short_name(node->input(0)->dtype()) + ">" +
             short_name(node->output()->dtype());
    for (const auto& region : node->regions) types += "{" + types_of(*region) + "}";
  }
  return types;
}

struct Choosing {
  Declared target{kHalves};
  std::set<std::string> disabled = {};
  DType compute = DType::kF32;
  std::vector<ProfileBounds> profiles = {};
  std::vector<Dims> dims = {};  // of inputs, for the reference; those of the graph where there are none
};

// The types after the passes and the choice, which change no result.
std::string chosen(const std::string& text, const Choosing& how = {}) {
  const auto graph = ir::parse_graph(text);
  passes::run_passes(*graph, how.target.pipeline({}), {.disabled = how.disabled});
  std::vector<Datum> inputs;
  for (size_t i = 0; i < graph->inputs().size(); ++i) {
    const ir::Value* v = graph->inputs()[i];
    inputs.emplace_back(
        ir::random_tensor(v->dtype(), i < how.dims.size() ? how.dims[i] : static_dims(v->shape()), i + 1));
  }
  const std::vector<Datum> before = ir::evaluate(*graph, inputs);
  TunerOptions options;
  options.level = 0;
  SignatureFinder finder(how.target, options);
  choose_formats(*graph, Extents(*graph, how.profiles), finder, {}, {.compute = how.compute});
  ir::verify(*graph);
  const std::vector<Datum> after = ir::evaluate(*graph, inputs);
  for (size_t i = 0; how.compute == DType::kF32 && i < before.size(); ++i) {
    EXPECT_TRUE(after[i].tensor.identical(before[i].tensor)) << text;
  }
  return types_of(*graph);
}

// A graph of `type`, whose weights are %w and %v.
std::string of_type(const std::string& type, const std::string& body, const std::string& dims = "1,8,16,16",
                    const std::string& more = "") {
  return "graph main(%x: " + type + "[" + dims + "]" + more + ") {\n  %w = random " + type +
         "[8,8,3,3] seed 1\n  %v = random " + type + "[8,8,3,3] seed 2\n" + body + "}";
}
std::string conv(const std::string& y, const std::string& x, const std::string& w = "%w") {
  return "  " + y + " = Conv(" + x + ", " + w + ") {pads=[1,1,1,1]}\n";
}

TEST(DeclaredTypes, ProductsReadAndWriteTheTypeOfTheModel) {
  const std::string body = conv("%a", "%x") + "  %r = Relu(%a)\n" + conv("%b", "%r", "%v") + "  return %b\n";
  EXPECT_EQ(chosen(of_type("bfloat16", body)), "Conv:bf>bf Relu:bf>bf Conv:bf>bf");
  EXPECT_EQ(chosen(of_type("float16", body)), "Conv:h>h Relu:h>h Conv:h>h");
  EXPECT_EQ(chosen(of_type("float32", body)), "Conv:f>f Relu:f>f Conv:f>f");
}

TEST(DeclaredTypes, TheyStayWideWhereThatIsCheaper) {
  const std::string wide = "Cast:bf>f Conv:f>f Cast:f>f Conv:f>f Cast:f>bf";
  const std::string text = of_type("bfloat16", conv("%a", "%x") + conv("%b", "%a") + "  return %b\n");
  EXPECT_EQ(chosen(text, {.target = Declared(TypeSet())}), wide);
  EXPECT_EQ(chosen(text, {.target = Declared(DType::kF16)}), wide);
  EXPECT_EQ(chosen(text, {.target = Declared(kHalves, 1000)}), wide);
  EXPECT_EQ(chosen(text, {.target = Declared(kHalves), .disabled = {"declared_types"}}), wide);
}

TEST(DeclaredTypes, EachOfTwoIsKept) {
  const std::string text =
      "graph main(%x: float16[1,8,16,16]) {\n  %w = random float16[8,8,3,3] seed 1\n"
      "  %v = random bfloat16[8,8,3,3] seed 2\n" +
      conv("%a", "%x") + "  %c = Cast(%a) {to=\"bfloat16\"}\n" + conv("%b", "%c", "%v") + "  return %b\n}";
  EXPECT_EQ(chosen(text), "Conv:h>h Cast:h>f Conv:f>bf");
  EXPECT_EQ(chosen(text, {.target = Declared(DType::kBF16)}), "Cast:h>f Conv:f>f Cast:f>bf Conv:bf>bf");
  EXPECT_EQ(chosen(text, {.target = Declared(DType::kF16)}), "Conv:h>h Cast:h>f Conv:f>f Cast:f>bf");
}

TEST(DeclaredTypes, ResultsAreRoundedBetweenThem) {
  EXPECT_EQ(
      chosen(of_type("bfloat16", conv("%a", "%x") + "  %s = Sin(%a)\n" + conv("%b", "%s") +
                                     "  %t = Add(%b, %x)\n  %r = Relu(%t)\n" + conv("%c", "%r") + "  return %c\n")),
      "Conv:bf>bf Cast:bf>bf Conv:bf>bf Cast:bf>bf Conv:bf>bf");
}

TEST(DeclaredTypes, OthersReadFloat32) {
  EXPECT_EQ(chosen(of_type("bfloat16", conv("%a", "%x") + "  %s = Softmax(%a)\n" + conv("%b", "%s") + "  return %b\n")),
            "Conv:bf>bf Cast:bf>f Softmax:f>f Cast:f>bf Conv:bf>bf");
}

TEST(DeclaredTypes, MaximaOfWindowsAreOfTheType) {
  EXPECT_EQ(chosen(of_type("bfloat16", "  %p = MaxPool(%x) {kernel_shape=[2,2]}\n  %s = Softmax(%p)\n  return %s\n")),
            "MaxPool:bf>bf Cast:bf>f Softmax:f>f Cast:f>bf");
}

TEST(DeclaredTypes, AValueOfTheTypeIsReadByAllWhoTakeIt) {
  // Casts are left out for some readers, and stay for others.
  const std::string both = conv("%a", "%x") + conv("%b", "%a") + conv("%c", "%a", "%v") + "  %s = Softmax(%a)\n";
  EXPECT_EQ(chosen(of_type("bfloat16", both + "  return %b, %c, %s\n")),
            "Conv:bf>bf Conv:bf>bf Conv:bf>bf Cast:bf>f Softmax:f>f Cast:f>bf");
  EXPECT_EQ(chosen(of_type("bfloat16", both + "  %t = Transpose(%a)\n  return %a, %b, %c, %s, %t\n")),
            "Conv:bf>bf Conv:bf>bf Conv:bf>bf Cast:bf>f Softmax:f>f Cast:f>bf Transpose:bf>bf");
}

TEST(DeclaredTypes, TheModelItselfMayCast) {
  const std::string casts = "  %n = Cast(%x) {to=\"bfloat16\"}\n  %w = random bfloat16[8,8,3,3] seed 1\n" +
                            conv("%a", "%n") + "  %y = Cast(%a) {to=\"float32\"}\n  return %y\n}";
  EXPECT_EQ(chosen("graph main(%x: float32[1,8,16,16]) {\n" + casts), "Cast:f>bf Conv:bf>bf Cast:bf>f");
  // Between casts of the model float32 is what it asks for.
  EXPECT_EQ(chosen("graph main(%x: bfloat16[1,8,16,16]) {\n  %f = Cast(%x) {to=\"float32\"}\n"
                   "  %w = constant float32[1,8,1,1]:{1,1,1,1,1,1,1,1}\n  %c = Conv(%f, %w)\n"
                   "  %y = Cast(%c) {to=\"bfloat16\"}\n  return %y\n}"),
            "Cast:bf>f Conv:f>f Cast:f>bf");
}

TEST(DeclaredTypes, WeightsThatAreComputedAreReadToo) {
  EXPECT_EQ(chosen("graph main(%x: bfloat16[64,64], %w: bfloat16[64,64]) {\n  %y = MatMul(%x, %w)\n  return %y\n}"),
            "MatMul:bf>bf");
}

TEST(DeclaredTypes, SizesMayBeKnownOnlyWhenRunning) {
  const std::string text = of_type("bfloat16", conv("%a", "%x") + conv("%b", "%a") + "  return %b\n", "n,8,h,16");
  EXPECT_EQ(
      chosen(text, {.profiles = {{{"x", {{1, 8, 1, 16}, {4, 8, 16, 16}, {8, 8, 40, 16}}}}}, .dims = {{3, 8, 5, 16}}}),
      "Conv:bf>bf Conv:bf>bf");
  EXPECT_EQ(chosen(of_type("bfloat16", conv("%a", "%x") + "  return %a\n", "0,8,16,16")), "Conv:bf>bf");
}

TEST(DeclaredTypes, BodiesHaveThemToo) {
  const std::string body = R"( regions {
    graph then(%t: bfloat16[1,8,16,16]) {
      %w = random bfloat16[8,8,3,3] seed 1
      %a = Conv(%t, %w) {pads=[1,1,1,1]}
      %b = Conv(%a, %w) {pads=[1,1,1,1]}
      return %b
    }
    graph else(%e: bfloat16[1,8,16,16]) {
      %r = Softmax(%e)
      return %r
    }
  }
)";
  EXPECT_EQ(chosen("graph main(%p: bool[], %x: bfloat16[1,8,16,16]) {\n  %y = If(%p, %x) {captures=1}" + body +
                   "  return %y\n}"),
            "If:bool>bf{Conv:bf>bf Conv:bf>bf}{Cast:bf>f Softmax:f>f Cast:f>bf}");
}

TEST(DeclaredTypes, AreKeptInABuildThatMayRoundTheRest) {
  const std::string text =
      "graph main(%x: float16[1,8,16,16]) {\n  %w = random float16[8,8,3,3] seed 1\n"
      "  %v = random float32[8,8,3,3] seed 2\n" +
      conv("%a", "%x") +
      "  %c = Cast(%a) {to=\"float32\"}\n  %b = Conv(%c, %v) {pads=[1,1,1,1]} in bfloat16\n"
      "  %d = Conv(%b, %v) {pads=[1,1,1,1]} in bfloat16\n  return %d\n}";
  EXPECT_EQ(chosen(text, {.compute = DType::kBF16}), "Conv:h>h Cast:h>f Conv:f>bf Conv:bf>f");
}

// Steps of an engine of the CPU with their tactics, how many values lie in memory in bfloat16, and what it gives.
struct Ran {
  std::string steps;
  int64_t narrow = 0;
  Tensor result;
};
Ran run_on_cpu(const std::string& text, const Tensor& x, int level, const std::set<std::string>& disabled = {}) {
  CompileOptions options = options_of("cpu", level);
  options.passes.disabled = disabled;
  CompileReport report;
  const plan::Plan plan = compile(ir::parse_graph(text), options, &report);
  Ran ran;
  for (const LayerReport& layer : report.layers) ran.steps += layer.op + ":" + layer.tactic + " ";
  ran.narrow = std::ranges::count_if(plan.programs[0].tensors, [](const plan::TensorInfo& info) {
    return info.dtype == DType::kBF16 && info.storage == plan::Storage::kArena;
  });
  ran.result = run(*reload(plan)->create_context(), {x}).at(0);
  return ran;
}

TEST(DeclaredTypes, EnginesOfTheCpuTakeMaximaInTheType) {
  const std::string text =
      "graph main(%x: bfloat16[2,5,11,12]) {\n  %a = AveragePool(%x) {kernel_shape=[2,2]}\n"
      "  %r = Relu(%a)\n  %p = MaxPool(%r) {kernel_shape=[2,2]}\n  %s = Sin(%p)\n"
      "  %q = MaxPool(%s) {kernel_shape=[3,3], strides=[2,2]}\n  %y = Softmax(%q)\n  return %y\n}";
  const Tensor x = random_f32({2, 5, 11, 12}, 3).cast(DType::kBF16);
  for (const int level : {0, 3}) {
    const Ran free = run_on_cpu(text, x, level), wide = run_on_cpu(text, x, level, {"declared_types"});
    EXPECT_TRUE(free.result.identical(wide.result));
    if (level == 0) {
      EXPECT_EQ(wide.narrow, 0) << wide.steps;
      EXPECT_EQ(free.narrow, 4) << free.steps;
    }
  }
}

// Where the processor does not multiply bfloat16, `in bfloat16` lets the kernels do it otherwise.
TEST(DeclaredTypes, EnginesOfTheCpuMultiplyInTheType) {
  const std::string wide = " {pads=[2,2,2,2], dilations=[2,2]} in bfloat16\n";
  const std::string text =
      of_type("bfloat16", "  %a = Conv(%x, %w)" + wide + "  %r = Relu(%a)\n  %b = Conv(%r, %v)" + wide +
                              "  %s = Add(%b, %x)\n  %t = Sigmoid(%s)\n"
                              "  %m = random bfloat16[16,20] seed 3\n  %y = MatMul(%t, %m) in bfloat16\n"
                              "  return %y\n");
  const Tensor x = random_f32({1, 8, 16, 16}, 4).cast(DType::kBF16);
  const Tensor want = reference(text, {x}).at(0);
  double largest = 0;
  for (int64_t i = 0; i < want.size(); ++i) largest = std::max(largest, std::abs(want.at(i)));
  for (const int level : {0, 3}) {
    const Ran ran = run_on_cpu(text, x, level);
    if (level == 0) {
      const auto steps = [&](const char* conv) { return ran.steps.find(std::string(conv) + " " + conv); };
      EXPECT_NE(std::min(steps("Conv:conv_bfloat16"), steps("Conv:conv_bfloat16_amx")), std::string::npos) << ran.steps;
      EXPECT_NE(ran.steps.find("MatMul:gemm_bfloat16"), std::string::npos) << ran.steps;
    }
    ASSERT_EQ(ran.result.type_string(), want.type_string());
    for (int64_t i = 0; i < want.size(); ++i) ASSERT_NEAR(ran.result.at(i), want.at(i), 0.02 * largest) << i;
  }
}

TEST(Formats, ValuesOfOneColumnAreRowsForProducts) {
  for (const char* made : {"  %r = Relu(%x)\n  %y = MatMul(%a, %r)\n", "  %r = Relu(%x)\n  %y = MatMul(%r, %b)\n",
                           "  %e = Exp(%x)\n  %r = Softmax(%e) {axis=1}\n  %y = MatMul(%a, %r)\n"}) {
    const std::string text =
        "graph main(%x: float32[4,64,1]) {\n  %a = random float32[4,64,64] seed 1\n  %b = random float32[4,1,64] seed "
        "2\n" +
        std::string(made) + "  return %y\n}";
    const Tensor x = random_f32({4, 64, 1}, 3);
    const Ran ran = run_on_cpu(text, x, 0);
    EXPECT_EQ(ran.steps.find("MatMul:reference"), std::string::npos) << ran.steps;
    expect_close(ran.result, reference(text, {x}).at(0), made);
  }
}

TEST(DeclaredTypes, DepthwiseConvolutionsOfTheCpuSumInFloat32) {
  for (const DType type : {DType::kF16, DType::kBF16}) {
    if (!cpu::widens_in_registers(type) || (type == DType::kBF16 && cpu::multiplies_bfloat16())) continue;
    const std::string of(name(type));
    const std::string text = "graph main(%x: " + of + "[1,32,16,16]) {\n  %w = random " + of +
                             "[32,1,3,3] seed 1\n  %y = Conv(%x, %w) {group=32, pads=[1,1,1,1]} in " + of +
                             "\n  return %y\n}";
    const Tensor x = random_f32({1, 32, 16, 16}, 6).cast(type);
    const Ran free = run_on_cpu(text, x, 0), wide = run_on_cpu(text, x, 0, {"declared_types"});
    EXPECT_NE(free.steps.find("Conv:depthwise_half"), std::string::npos) << free.steps;
    EXPECT_TRUE(free.result.identical(wide.result));
  }
}

// Values stay in the type, whose numbers become float32 within the kernels.
TEST(DeclaredTypes, EnginesOfTheCpuMultiplyInFloat32WhereItsInstructionIsMissing) {
  for (const DType type : {DType::kF16, DType::kBF16}) {
    if (!cpu::widens_in_registers(type) || (type == DType::kBF16 && cpu::multiplies_bfloat16())) continue;
    const std::string text =
        of_type(std::string(name(type)), conv("%a", "%x") + "  %r = Relu(%a)\n" + conv("%b", "%r") + "  return %b\n");
    const Tensor x = random_f32({1, 8, 16, 16}, 5).cast(type);
    for (const int level : {0, 3}) {
      const std::set<std::string> sums{"winograd_f2_3x3", "winograd_f4_3x3", "winograd_half"};
      std::set<std::string> all = sums;
      all.insert("declared_types");
      const Ran free = run_on_cpu(text, x, level, sums), wide = run_on_cpu(text, x, level, all);
      EXPECT_EQ(wide.steps.find("half"), std::string::npos) << wide.steps;
      if (level > 0) continue;  // the clock may choose another order of sums
      EXPECT_NE(free.steps.find("Conv:conv_half Conv:conv_half"), std::string::npos) << free.steps;
      EXPECT_TRUE(free.result.identical(wide.result));
    }
  }
}

}  // namespace
}  // namespace kiln::testing
