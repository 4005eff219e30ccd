// Convolutions by cuDNN. Where the library is not installed its tactic declines, and says so. Its graphs and proposals are asked for with
// and without a GPU: it knows GPUs by their description.
#include "backends/cuda/device/cudnn_conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>
#include <thread>

#include "cuda/cases.h"

namespace kiln::cuda::testing {
namespace {

constexpr Chip kChip{.compute = 90, .multiprocessors = 132, .shared_per_block = 227 << 10, .cache = 50 << 20};

class CudaCudnn : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    library_ = find_cudnn(reason);
    if (!library_) GTEST_SKIP() << reason;
    properties_ = gpu_properties(*library_, kChip);
  }
  CudnnGraph graph(const CudnnConv& conv) const { return conv.graph(*library_, {nullptr, &properties_}); }
  std::vector<kernels::CudnnChoice> proposals(const CudnnConv& conv, bool compiled = false) const {
    return graph(conv).proposals(conv.needs(compiled));
  }
  static void expect_taken(const NodeCase& c) {
    const std::string why = refusal(c, "cudnn");
    EXPECT_EQ(why, "") << BuiltNode(c).problem().str();
    if (why.empty()) (void)check(c);
  }

  const Cudnn* library_ = nullptr;
  CudnnDescriptor properties_;
};

// Channels last, with constant weights.
NodeCase transposed(Dims x, const Dims& w, DType type, const Attributes& attributes, bool bias = true) {
  const auto layout = Layout::channels_last(static_cast<int>(x.size()));
  NodeCase c{.op = "ConvTranspose",
             .attributes = attributes,
             .inputs = {{.dims = std::move(x), .type = type, .layout = layout}, constant(w, type)},
             .output_layout = layout};
  if (bias) c.inputs.push_back(constant({w[1] * attributes.integer("group", 1)}, type));
  return c;
}

CudnnConv large(DType type) {
  return {.type = type,
          .window = {.begin = {1, 1}, .end = {1, 1}},
          .x = {8, 64, 14, 14},
          .w = {128, 64, 3, 3},
          .y = {8, 128, 14, 14}};
}

TEST_F(CudaCudnn, ProposesKernelsForEveryEpilogueOnce) {
  for (DType type : kFloats)
    for (int sums = 0; sums < 4; ++sums) {
      CudnnConv conv = large(type);
      conv.bias = sums > 0;
      conv.residual = sums > 1;
      if (sums > 2) conv.activation = Activation::kRelu;
      const auto list = proposals(conv);
      EXPECT_FALSE(list.empty()) << conv.str();
      EXPECT_LE(list.size(), CudnnGraph::kMostProposals);
      for (size_t i = 0; i < list.size(); ++i) {
        EXPECT_EQ(std::count(list.begin(), list.end(), list[i]), 1) << conv.str() << " " << i;
        EXPECT_EQ(list[i].library, library_->version);
      }
    }
}

TEST_F(CudaCudnn, PlansAreMadeAgainFromWhatWasChosen) {
  const CudnnConv conv = large(DType::kF16);
  const CudnnGraph first = graph(conv), again = graph(conv);
  for (const kernels::CudnnChoice& choice : first.proposals(conv.needs(false))) {
    const auto read = read_parameters<kernels::CudnnChoice>(to_parameters(choice));
    EXPECT_EQ(read, choice);
    EXPECT_EQ(first.plan(choice).workspace, again.plan(read).workspace);
  }
}

TEST_F(CudaCudnn, Float32KeepsItsBitsUnlessItMayLoseThem) {
  CudnnConv conv = large(DType::kF32);
  const auto exact = proposals(conv);
  conv.tf32 = true;
  const auto rounded = proposals(conv);
  EXPECT_NE(exact, rounded);
  for (const auto& choice : exact) EXPECT_NE(choice.engine, rounded.front().engine);
}

TEST_F(CudaCudnn, PlansStayWithinTheWorkspace) {
  for (DType type : kFloats) {
    const CudnnConv conv = large(type);
    EXPECT_EQ(graph(conv).plan_within(conv.needs(false), 0).workspace, 0U);
    EXPECT_LE(graph(conv).plan_within(conv.needs(false), 1000).workspace, 1000U);
  }
}

TEST_F(CudaCudnn, WhatIsNotThereIsAnError) {
  const CudnnGraph conv = graph(large(DType::kF16));
  for (const kernels::CudnnChoice& bad : {kernels::CudnnChoice{.engine = kernels::CudnnChoice::kMostEngine},
                                          {.engine = 0, .knobs = {999}, .values = {1}}})
    EXPECT_THROW((void)conv.plan(bad), Error) << bad.engine;
  CudnnConv other = large(DType::kF16);
  other.y[2] = 15;
  EXPECT_THROW((void)graph(other), Error);
  other = large(DType::kF16);
  other.activation = Activation::kHardSwish;
  EXPECT_THROW((void)graph(other), Error);
}

TEST(CudaCudnnConv, SizesMustFitEachOther) {
  const auto code = [](auto change) {
    CudnnConv conv = large(DType::kF16);
    change(conv);
    return conv.fits().code;
  };
  EXPECT_EQ(code([](CudnnConv&) {}), Code::kOk);
  EXPECT_EQ(code([](CudnnConv& c) { c.y[0] = 7; }), Code::kShapeMismatch);
  EXPECT_EQ(code([](CudnnConv& c) { c.y[3] = 13; }), Code::kShapeMismatch);
  EXPECT_EQ(code([](CudnnConv& c) { c.x[1] = 65; }), Code::kShapeMismatch);
  EXPECT_EQ(code([](CudnnConv& c) { c.w[1] = 0; }), Code::kShapeMismatch);
  EXPECT_EQ(code([](CudnnConv& c) { c.w[2] = 17; }), Code::kShapeMismatch);
  EXPECT_EQ(code([](CudnnConv& c) { c.x.push_back(1); }), Code::kShapeMismatch);
  EXPECT_EQ(code([](CudnnConv& c) { c.x[0] = c.y[0] = int64_t{1} << 40; }), Code::kUnsupported);
  EXPECT_EQ(code([](CudnnConv& c) { c.window.dilations = {kMostWindow, 1}; }), Code::kShapeMismatch);
  EXPECT_EQ(code([](CudnnConv& c) { c.x[0] = c.y[0] = 0; }), Code::kOk);
}

TEST_F(CudaCudnn, WindowsStridesDilationsGroups) {
  struct Window {
    Dims x, w;
    Attributes attributes;
  };
  const Window windows[] = {
      {{2, 64, 14, 14}, {96, 64, 3, 3}, kSame3x3},
      {{2, 64, 9, 11}, {32, 64, 1, 1}, {}},
      {{3, 32, 15, 13}, {64, 32, 3, 3}, {{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 1, 2}}}},
      {{1, 48, 20, 17}, {40, 48, 3, 5}, {{"dilations", Ints{2, 3}}, {"pads", Ints{2, 6, 2, 6}}}},
      {{2, 64, 10, 10}, {64, 16, 3, 3}, {{"group", int64_t{4}}, {"pads", Ints{1, 1, 1, 1}}}},
      {{2, 16, 12, 12}, {24, 16, 3, 3}, {{"auto_pad", std::string("VALID")}}},
      {{1, 3, 32, 30}, {16, 3, 7, 7}, {{"strides", Ints{2, 2}}, {"pads", Ints{3, 3, 3, 3}}}},
  };
  for (DType type : kFloats)
    for (const Window& w : windows) expect_taken(conv(w.x, w.w, type, w.attributes));
}

TEST_F(CudaCudnn, OddChannelsAndOneOrThreeAxes) {
  for (DType type : kFloats) {
    expect_taken(conv({2, 5, 9, 11}, {7, 5, 3, 3}, type, kSame3x3));
    NodeCase line{.op = "Conv",
                  .attributes = {{"pads", Ints{2, 2}}, {"strides", Ints{2}}},
                  .inputs = {{.dims = {2, 32, 50}, .type = type, .layout = Layout::channels_last(3)},
                             constant({24, 32, 5}, type),
                             constant({24}, type)},
                  .output_layout = Layout::channels_last(3)};
    expect_taken(line);
    NodeCase deep{.op = "Conv",
                  .attributes = {{"pads", Ints{1, 1, 1, 1, 1, 1}}, {"strides", Ints{1, 2, 1}}},
                  .inputs = {{.dims = {2, 16, 5, 9, 8}, .type = type, .layout = Layout::channels_last(5)},
                             constant({32, 16, 3, 3, 3}, type),
                             constant({32}, type)},
                  .output_layout = Layout::channels_last(5)};
    expect_taken(deep);
  }
}

TEST_F(CudaCudnn, Epilogues) {
  for (DType type : kFloats)
    for (bool own_bias : {false, true})
      for (bool sum : {false, true})
        for (bool relu : {false, true}) {
          NodeCase c = conv({2, 32, 9, 7}, {64, 32, 3, 3}, type, kSame3x3, own_bias);
          if (sum) {
            c.post.push_back(post("Add", {-1, 0}));
            c.extra.push_back(last({2, 64, 9, 7}, type));
          }
          if (relu) c.post.push_back(post("Relu", {-1}));
          expect_taken(c);
        }
  for (const char* activation : {"Swish", "Gelu", "Tanh", "HardSwish"}) {
    NodeCase c = conv({2, 32, 9, 7}, {24, 32, 3, 3}, DType::kF16, kSame3x3);
    c.post = {post(activation, {-1}), post("Add", {-1, 0})};
    c.extra = {last({2, 24, 9, 7}, DType::kF16)};
    expect_taken(c);
    c.post = {post("Add", {-1, 0}), post(activation, {-1})};
    expect_taken(c);
  }
  NodeCase given = conv({2, 32, 9, 7}, {64, 32, 3, 3}, DType::kF32, kSame3x3, false);
  given.inputs.push_back(plain({64}, DType::kF32));
  expect_taken(given);
}

TEST_F(CudaCudnn, TransposedConvolutions) {
  for (DType type : kFloats) {
    for (bool bias : {false, true}) {
      NodeCase c =
          transposed({2, 32, 7, 6}, {32, 16, 4, 3}, type,
                     {{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 1, 2}}, {"output_padding", Ints{1, 0}}}, bias);
      expect_taken(c);
      c.extra = {last(BuiltNode(c).problem().outputs[0].opt, type)};
      c.post = {post("Relu", {-1}), post("Add", {-1, 0})};
      expect_taken(c);
    }
    expect_taken(transposed({1, 12, 9, 9}, {12, 5, 3, 3}, type,
                            {{"group", int64_t{3}}, {"strides", Ints{3, 2}}, {"dilations", Ints{1, 2}}}));
    expect_taken(transposed({1, 16, 3, 5, 4}, {16, 8, 2, 2, 3}, type, {{"strides", Ints{2, 2, 1}}}));
    expect_taken(transposed({2, 16, 11}, {16, 8, 4}, type, {{"strides", Ints{2}}, {"pads", Ints{1, 1}}}));
  }
}

// Sums before and behind the activation.
TEST_F(CudaCudnn, EpiloguesOfThreeAxes) {
  const auto last5 = Layout::channels_last(5);
  for (DType type : kFloats) {
    NodeCase same{.op = "Conv",
                  .attributes = {{"pads", Ints{1, 1, 1, 1, 1, 1}}},
                  .inputs = {{.dims = {2, 24, 4, 7, 6}, .type = type, .layout = last5},
                             constant({40, 24, 3, 3, 3}, type),
                             constant({40}, type)},
                  .output_layout = last5,
                  .extra = {{.dims = {2, 40, 4, 7, 6}, .type = type, .layout = last5}}};
    NodeCase wider = transposed({2, 32, 3, 5, 4}, {32, 24, 2, 2, 2}, type, {{"strides", Ints{2, 2, 2}}});
    wider.extra = {{.dims = {2, 24, 6, 10, 8}, .type = type, .layout = last5}};
    for (NodeCase c : {same, wider})
      for (const std::vector<ir::PostOp>& list : {std::vector{post("Relu", {-1}), post("Add", {-1, 0})},
                                                  {post("Add", {-1, 0}), post("Relu", {-1})},
                                                  {post("Add", {-1, 0})},
                                                  {post("Relu", {-1})}}) {
        c.post = list;
        expect_taken(c);
      }
  }
}

TEST_F(CudaCudnn, Tf32) {
  NodeCase c = conv({2, 32, 9, 7}, {64, 32, 3, 3}, DType::kF32, kSame3x3);
  c.tf32 = true;
  c.tolerance = 1e-3;
  expect_taken(c);
}

TEST_F(CudaCudnn, RandomConvolutions) {
  std::minstd_rand random(7);
  const auto pick = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int i = 0; i < 12; ++i) {
    const DType type = kFloats[i % 3];
    const int64_t groups = pick(1, 3), channels = pick(1, 20), columns = pick(1, 20);
    const Dims kernel{pick(1, 4), pick(1, 4)};
    const Ints pads{pick(0, 2), pick(0, 2)};
    const Attributes attributes{{"group", groups},
                                {"pads", Ints{pads[0], pads[1], pads[0], pads[1]}},
                                {"strides", Ints{pick(1, 3), pick(1, 3)}},
                                {"dilations", Ints{pick(1, 2), pick(1, 2)}}};
    const NodeCase c = conv({pick(1, 3), groups * channels, pick(8, 20), pick(8, 20)},
                            {groups * columns, channels, kernel[0], kernel[1]}, type, attributes);
    if (refusal(c, "cudnn").empty()) (void)check(c);
  }
}

// By kernels that are compiled, with all of the epilogue in them.
TEST_F(CudaCudnn, CompiledConvolutions) {
  const auto expect_compiled = [](NodeCase c) {
    c.compiles = true;
    EXPECT_TRUE(check(c).count("cudnn_compiled")) << BuiltNode(c).problem().str();
  };
  NodeCase c = conv({2, 32, 9, 7}, {64, 32, 3, 3}, DType::kF16, kSame3x3);
  c.compiles = true;
  if (const std::string why = refusal(c, "cudnn_compiled"); !why.empty()) GTEST_SKIP() << why;
  for (const char* activation : {"", "Relu", "Swish", "Gelu", "Sigmoid", "HardSwish"})
    for (bool after : {false, true}) {
      c = conv({2, 32, 9, 7}, {64, 32, 3, 3}, after ? DType::kBF16 : DType::kF16, kSame3x3);
      c.extra = {last({2, 64, 9, 7}, c.inputs[0].type)};
      const ir::PostOp sum = post("Add", {-1, 0});
      c.post = {sum};
      if (*activation) c.post.insert(after ? c.post.begin() : c.post.end(), post(activation, {-1}));
      expect_compiled(c);
    }
}

TEST_F(CudaCudnn, CompiledConvolutionsAreOfOneShape) {
  const CudnnConv conv = large(DType::kF16);
  const auto there = proposals(conv), compiled = proposals(conv, true);
  for (const kernels::CudnnChoice& choice : compiled)
    EXPECT_EQ(std::count(there.begin(), there.end(), choice), 0) << choice.engine;
}

const Tactic& tactic_cudnn() {
  for (const Tactic* tactic : tactic_list().all())
    if (tactic->name == "cudnn") return *tactic;
  throw Error(Code::kNotFound, "there is no tactic cudnn");
}

// What it does for shapes that it has not had takes long, which only layers without another tactic wait for.
TEST_F(CudaCudnn, ImagesOfManySizesAreLeftToOthers) {
  const auto refusal_of_many_sizes = [](const NodeCase& c) {
    const BuiltNode node(c);
    Problem p = node.problem();
    p.inputs[0].is_static = false;
    return tactic_cudnn().accepts(p).reason;
  };
  EXPECT_EQ(refusal_of_many_sizes(conv({2, 8, 9, 9}, {8, 8, 3, 3}, DType::kF16, kSame3x3)),
            "the shape [2,8,9,9] is not the same in every run");
  EXPECT_EQ(refusal_of_many_sizes(transposed({2, 8, 5, 5}, {8, 4, 3, 3}, DType::kF16, {})), "");
}

TEST_F(CudaCudnn, RefusesWithAReason) {
  NodeCase c = conv({2, 32, 9, 7}, {64, 32, 3, 3}, DType::kF16, {{"auto_pad", std::string("SAME_UPPER")}});
  EXPECT_EQ(refusal(c, "cudnn"), "the padding follows from sizes (SAME_UPPER)");
  c = conv({2, 32, 9, 7}, {64, 32, 3, 3}, DType::kF16, kSame3x3);
  c.inputs[0].layout = {};
  EXPECT_EQ(refusal(c, "cudnn"), "an operand has layout row, needs channels last");
  c.inputs[0].layout = kLast;
  c.inputs[1].constant = false;
  EXPECT_EQ(refusal(c, "cudnn"), "the weights are not constant");
  EXPECT_EQ(refusal(transposed({2, 8, 5, 5}, {8, 4, 3, 3}, DType::kF16, {{"output_shape", Ints{11, 11}}}), "cudnn"),
            "the padding follows from the size of the result");
  c = conv({0, 32, 9, 7}, {64, 32, 3, 3}, DType::kF16, kSame3x3);
  EXPECT_EQ(refusal(c, "cudnn"), "there are no results");
}

// The step that the tactic makes of a case, by its first configuration.
Emitted emitted(const BuiltNode& node) {
  return tactic_cudnn().emit(node.problem(), tactic_cudnn().configurations(node.problem()).front());
}

class CudaCudnnRuns : public CudaCudnn {
 protected:
  void SetUp() override {
    CudaCudnn::SetUp();
    if (IsSkipped()) return;
    std::string reason;
    device_ = gpu(reason);
    if (!device_) GTEST_SKIP() << reason;
  }
  void expect_right(PlacedStep& step, Stream& stream, const BuiltNode& node) const {
    const Tensor got = step.results(stream)[0], want = node.wanted()[0];
    ASSERT_EQ(got.dims(), want.dims());
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < want.size(); ++i) {
      difference += std::pow(got.at(i) - want.at(i), 2);
      norm += std::pow(want.at(i), 2);
    }
    EXPECT_LE(std::sqrt(difference), 1e-3 * std::sqrt(norm));
  }
  Device* device_ = nullptr;
};

NodeCase small() { return conv({2, 64, 9, 7}, {64, 64, 3, 3}, DType::kF16, kSame3x3); }

TEST_F(CudaCudnnRuns, OtherShapesThanThoseItWasChosenFor) {
  const BuiltNode chosen(small());
  for (const Dims& x : {Dims{1, 64, 3, 3}, Dims{5, 64, 40, 33}, Dims{0, 64, 9, 7}}) {
    const BuiltNode node(conv(x, {64, 64, 3, 3}, DType::kF16, kSame3x3));
    PlacedStep step(*device_, node, emitted(chosen));
    step.prepare();
    const auto stream = device_->create_stream();
    step.poison(*stream);
    ASSERT_TRUE(step.launch(*stream).ok());
    expect_right(step, *stream, node);
  }
}

TEST_F(CudaCudnnRuns, AnotherVersionOfTheLibrary) {
  const BuiltNode node(small());
  Emitted e = emitted(node);
  e.parameters.set("library", int64_t{1});
  PlacedStep step(*device_, node, e);
  step.prepare();
  const auto stream = device_->create_stream();
  step.poison(*stream);
  ASSERT_TRUE(step.launch(*stream).ok());
  expect_right(step, *stream, node);
}

// Launches of different threads use different handles than those that the plans were made with.
TEST_F(CudaCudnnRuns, ManyThreadsAtOnce) {
  const BuiltNode node(small());
  const Emitted e = emitted(node);
  struct Run {
    std::unique_ptr<Stream> stream;
    std::unique_ptr<PlacedStep> step;
  };
  std::vector<Run> runs;
  for (int i = 0; i < 2 * CudnnHandles::kMost; ++i) {
    Run& run = runs.emplace_back(device_->create_stream(), std::make_unique<PlacedStep>(*device_, node, e));
    run.step->prepare();
    run.step->poison(*run.stream);
    ASSERT_TRUE(run.stream->synchronize().ok());
  }
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (Run& run : runs)
    threads.emplace_back([&run, &failed] {
      for (int i = 0; i < 50; ++i)
        if (!run.step->launch(*run.stream).ok()) ++failed;
      if (!run.stream->synchronize().ok()) ++failed;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  for (Run& run : runs) expect_right(*run.step, *run.stream, node);
}

TEST_F(CudaCudnnRuns, AnyHandleRunsAPlan) {
  const BuiltNode node(small());
  PlacedStep step(*device_, node, emitted(node));
  step.prepare();
  const auto stream = device_->create_stream();
  step.poison(*stream);
  std::string reason;
  const Driver* driver = find_driver(reason);
  ASSERT_TRUE(driver) << reason;
  CUcontext context = nullptr;
  ASSERT_EQ(driver->cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
  const Gpu gpu(driver, context, kChip);
  const CurrentContext current(gpu);
  CudnnHandles& handles = CudnnHandles::of(*library_, gpu);
  {
    const CudnnHandles::Lent first(handles, nullptr), second(handles, nullptr);
    EXPECT_NE(first.get(), second.get());
    EXPECT_GE(handles.made(), 2);
    ASSERT_TRUE(step.launch(*stream).ok());
  }
  EXPECT_LE(handles.made(), CudnnHandles::kMost);
  expect_right(step, *stream, node);
}

TEST_F(CudaCudnnRuns, CapturedAndReplayed) {
  const BuiltNode node(small());
  PlacedStep step(*device_, node, emitted(node));
  step.prepare();
  const auto stream = device_->create_stream();
  ASSERT_TRUE(step.launch(*stream).ok());
  std::unique_ptr<Graph> graph;
  ASSERT_TRUE(stream->begin_capture().ok());
  ASSERT_TRUE(step.launch(*stream).ok());
  ASSERT_TRUE(stream->end_capture(graph).ok());
  ASSERT_TRUE(graph);
  step.poison(*stream);
  ASSERT_TRUE(graph->launch(*stream).ok());
  expect_right(step, *stream, node);
}

}  // namespace
}  // namespace kiln::cuda::testing
