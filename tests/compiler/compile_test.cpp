// Graphs as engines: every result agrees with reference evaluation.
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

constexpr const char* kResidual = R"(graph main(%x: float32[1,8,9,7]) {
  %w1 = random float32[16,8,3,3] seed 1
  %b1 = random float32[16] seed 2
  %w2 = random float32[8,16,1,1] seed 3
  %a: float32[1,16,9,7] = Conv(%x, %w1, %b1) {pads=[1,1,1,1]}
  %r: float32[1,16,9,7] = Relu(%a)
  %b: float32[1,8,9,7] = Conv(%r, %w2)
  %s: float32[1,8,9,7] = Add(%b, %x)
  %y: float32[1,8,9,7] = Relu(%s)
  return %y
})";

// A program rounds infinities of float8e5m2 to its largest number, as Cast may; Where moves bits.
TEST(Compile, WhereKeepsInfinitiesOfFloat8) {
  expect_same_as_reference(
      R"(graph main(%m: bool[4], %x: float32[4], %z: float32[4]) {
    %a = Cast(%x) {to="float8e5m2",saturate=0}
    %b = Cast(%z) {to="float8e5m2",saturate=0}
    %w = Where(%m, %a, %b)
    %f = Cast(%w) {to="float32"}
    %y = IsInf(%f)
    return %y
  })",
      {{{Tensor::of<bool>({4}, {true, true, false, false}), Tensor::of<float>({4}, {HUGE_VALF, 1, -HUGE_VALF, 2}),
         Tensor::of<float>({4}, {0, HUGE_VALF, 1, -HUGE_VALF})}}});
}

TEST(Compile, ConvolutionsWithResidual) { expect_same_as_reference(kResidual, {{{random_f32({1, 8, 9, 7}, 5)}}}); }

TEST(Compile, ConcatenationInPlace) {
  expect_same_as_reference(R"(graph main(%x: float32[2,8,6,5]) {
    %w1 = random float32[16,8,3,3] seed 1
    %w2 = random float32[8,8,1,1] seed 2
    %w3 = random float32[8,32,1,1] seed 3
    %a = Conv(%x, %w1) {pads=[1,1,1,1]}
    %b = Conv(%x, %w2)
    %p = MaxPool(%x) {kernel_shape=[3,3],pads=[1,1,1,1]}
    %c = Concat(%a, %b, %p) {axis=1}
    %d = Sigmoid(%c)
    %y = Conv(%d, %w3)
    %z = Tanh(%c)
    return %y, %z
  })",
                           {{{random_f32({2, 8, 6, 5}, 6)}}});
}

TEST(Compile, ConcatenationOfOneValueTwice) {
  expect_same_as_reference(R"(graph main(%x: float32[2,3]) {
    %a = Relu(%x)
    %b = Concat(%a, %a, %x) {axis=-1}
    %c = Concat(%b, %a) {axis=1}
    %y = Neg(%c)
    return %y
  })",
                           {{{random_f32({2, 3}, 7)}}});
}

TEST(Compile, ReshapesShareMemory) {
  expect_same_as_reference(R"(graph main(%x: float32[4,6]) {
    %s1 = constant int64[3]:{2,2,6}
    %s2 = constant int64[2]:{8,3}
    %w = random float32[3,3] seed 1
    %a = Exp(%x)
    %b = Reshape(%a, %s1)
    %c = ReduceSum(%b) {keepdims=0}
    %d = Reshape(%b, %s2)
    %e = MatMul(%d, %w)
    %f = Softmax(%a)
    %g = Reshape(%e, %s1)
    %h = Mul(%g, %c)
    return %h, %f, %g
  })",
                           {{{random_f32({4, 6}, 8)}}});
}

TEST(Compile, PointwiseInPlaceKeepsWhatOthersRead) {
  expect_same_as_reference(R"(graph main(%x: float32[5,33]) {
    %w = random float32[33,33] seed 1
    %m = MatMul(%x, %w)
    %a = Softmax(%m)
    %b = Neg(%a)
    %n = MatMul(%b, %w)
    %c = Add(%a, %n)
    %d = Softmax(%c)
    %e = Mul(%d, %d)
    %y = MatMul(%e, %w)
    return %y
  })",
                           {{{random_f32({5, 33}, 9)}}});
}

constexpr const char* kSequence = R"(graph main(%x: float32[batch,seq,12]) {
  %w = random float32[12,12] seed 1
  %g = random float32[12] seed 2
  %q = MatMul(%x, %w)
  %t = Transpose(%x) {perm=[0,2,1]}
  %s = MatMul(%q, %t)
  %p = Softmax(%s)
  %v = MatMul(%p, %x)
  %r = Add(%v, %x)
  %y = LayerNormalization(%r, %g)
  return %y
})";

TEST(Compile, DynamicBatchAndSequence) {
  std::vector<InputSet> sets;
  for (const Dims& dims : {Dims{1, 1, 12}, Dims{3, 7, 12}, Dims{4, 17, 12}, Dims{2, 9, 12}})
    sets.push_back({{random_f32(dims, 10)}});
  expect_same_as_reference(kSequence, sets, {{{"x", {{1, 1, 12}, {2, 8, 12}, {4, 17, 12}}}}});
}

TEST(Compile, TwoProfiles) {
  expect_same_as_reference(
      kSequence,
      {{{random_f32({1, 2, 12}, 1)}, 0},
       {{random_f32({8, 30, 12}, 2)}, 1},
       {{random_f32({2, 3, 12}, 3)}, 0},
       {{random_f32({5, 21, 12}, 4)}, 1}},
      {{{"x", {{1, 1, 12}, {1, 2, 12}, {2, 3, 12}}}}, {{"x", {{4, 20, 12}, {8, 24, 12}, {8, 30, 12}}}}});
}

TEST(Compile, DynamicConvolution) {
  std::vector<InputSet> sets;
  for (const Dims& dims : {Dims{1, 3, 8, 8}, Dims{3, 3, 11, 9}, Dims{4, 3, 16, 16}})
    sets.push_back({{random_f32(dims, 11)}});
  expect_same_as_reference(R"(graph main(%x: float32[n,3,h,w]) {
    %w1 = random float32[8,3,3,3] seed 1
    %w2 = random float32[8,8,3,3] seed 2
    %a = Conv(%x, %w1) {strides=[2,2],pads=[1,1,1,1]}
    %b = Relu(%a)
    %c = Conv(%b, %w2) {pads=[1,1,1,1]}
    %d = Concat(%b, %c) {axis=1}
    %y = GlobalAveragePool(%d)
    %f = Flatten(%y)
    return %f, %d
  })",
                           sets, {{{"x", {{1, 3, 8, 8}, {2, 3, 12, 12}, {4, 3, 16, 16}}}}});
}

TEST(Compile, Branch) {
  std::vector<InputSet> sets;
  for (bool yes : {true, false}) sets.push_back({{Tensor::scalar(yes), random_f32({3, 4}, 12)}});
  expect_same_as_reference(R"(graph main(%c: bool[], %x: float32[3,4]) {
    %w = random float32[4,4] seed 4
    %m = MatMul(%x, %w)
    %y = If(%c, %m) {captures=1} regions {
      graph yes(%a: float32[3,4]) {
        %v = random float32[4,5] seed 5
        %b = MatMul(%a, %v)
        return %b
      }
      graph no(%a: float32[3,4]) {
        %s = Neg(%a)
        return %s
      }
    }
    %z = Exp(%y)
    return %z
  })",
                           sets);
}

TEST(Compile, LoopWithKernelsInItsBody) {
  std::vector<InputSet> sets;
  for (int64_t trips : {3, 1, 5}) sets.push_back({{Tensor::scalar(trips), random_f32({1, 4, 8, 8}, 13)}});
  expect_same_as_reference(R"(graph main(%n: int64[], %x: float32[1,4,8,8]) {
    %y, %all = Loop(%n, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %v: float32[1,4,8,8]) {
        %w = random float32[4,4,3,3] seed 5
        %d = Conv(%v, %w) {pads=[1,1,1,1]}
        %e = Tanh(%d)
        %m = Softmax(%e) {axis=1}
        %t = Identity(%c)
        %s = GlobalAveragePool(%m)
        return %t, %m, %s
      }
    }
    return %y, %all
  })",
                           sets);
}

TEST(Compile, Scan) {
  expect_same_as_reference(R"(graph main(%s: float32[3], %x: float32[5,3]) {
    %last, %all = Scan(%s, %x) {num_scan_inputs=1} regions {
      graph body(%a: float32[3], %e: float32[3]) {
        %b = Add(%a, %e)
        %o = Mul(%b, %b)
        return %b, %o
      }
    }
    return %last, %all
  })",
                           {{{random_f32({3}, 14), random_f32({5, 3}, 15)}}});
}

TEST(Compile, SizesKnownWhileRunning) {
  expect_same_as_reference(
      R"(graph main(%x: float32[3,4]) {
    %r = Relu(%x)
    %i = NonZero(%r)
    %t = Transpose(%i) {perm=[1,0]}
    %v = GatherND(%x, %t)
    %y = Exp(%v)
    return %y, %t
  })",
      {{{random_f32({3, 4}, 16)}}, {{Tensor::allocate(DType::kF32, {3, 4})}}, {{random_f32({3, 4}, 17)}}});
}

TEST(Compile, DimensionsOfSizeZero) {
  std::vector<InputSet> sets;
  for (int64_t n : {0, 3}) sets.push_back({{random_f32({n, 4}, 18)}});
  expect_same_as_reference(R"(graph main(%x: float32[n,4]) {
    %w = random float32[4,6] seed 1
    %k = random float32[2,6] seed 2
    %a = MatMul(%x, %w)
    %b = Softmax(%a)
    %c = Concat(%b, %k) {axis=0}
    %y = ReduceSum(%b) {keepdims=0}
    return %c, %y, %b
  })",
                           sets, {{{"x", {{0, 4}, {2, 4}, {3, 4}}}}});
}

TEST(Compile, InputsAndConstantsAsOutputs) {
  expect_same_as_reference(R"(graph main(%x: float32[2,3]) {
    %k = random float32[2,3] seed 1
    %j = Neg(%k)
    %i = Identity(%x)
    %y = Add(%x, %k)
    return %j, %i, %y, %k
  })",
                           {{{random_f32({2, 3}, 19)}}});
}

TEST(Compile, ConcatenationOfConcatenations) {
  std::vector<InputSet> sets;
  for (int64_t n : {1, 3, 4}) sets.push_back({{random_f32({n, 4, 6, 6}, 20)}});
  expect_same_as_reference(R"(graph main(%x: float32[n,4,6,6]) {
    %w1 = random float32[8,4,3,3] seed 1
    %w2 = random float32[8,12,1,1] seed 2
    %w3 = random float32[8,20,3,3] seed 3
    %r = Exp(%x)
    %a = Conv(%r, %w1) {pads=[1,1,1,1]}
    %b = Concat(%r, %a) {axis=1}
    %c = Conv(%b, %w2)
    %d = Concat(%b, %c) {axis=1}
    %e = Conv(%d, %w3) {pads=[1,1,1,1]}
    %f = Concat(%e, %d) {axis=1}
    %g = Neg(%f)
    %y = ReduceMean(%g) {keepdims=0}
    return %g, %y
  })",
                           sets, {{{"x", {{1, 4, 6, 6}, {2, 4, 6, 6}, {4, 4, 6, 6}}}}});
}

TEST(Compile, LoopsThatDoNotRun) {
  std::vector<InputSet> sets;
  for (int64_t trips : {2, 0, 1})
    for (bool go : {true, false}) sets.push_back({{Tensor::scalar(trips), Tensor::scalar(go), random_f32({2, 3}, 21)}});
  expect_same_as_reference(R"(graph main(%n: int64[], %c: bool[], %x: float32[2,3]) {
    %y, %all = Loop(%n, %c, %x) regions {
      graph body(%i: int64[], %go: bool[], %v: float32[2,3]) {
        %e = Tanh(%v)
        %t = Identity(%go)
        return %t, %e, %v
      }
    }
    return %y, %all
  })",
                           sets);
}

TEST(Compile, ProductsOfSizesKnownWhileRunning) {
  std::vector<InputSet> sets;
  for (uint64_t seed : {1, 2, 3}) sets.push_back({{random_f32({9}, seed), random_f32({9, 8}, 22)}});
  expect_same_as_reference(R"(graph main(%k: float32[9], %x: float32[9,8]) {
    %w = random float32[8,16] seed 4
    %r = Relu(%k)
    %i = NonZero(%r)
    %s = constant int64[1]:{-1}
    %f = Reshape(%i, %s)
    %g = Gather(%x, %f)
    %m = MatMul(%g, %w)
    %t = Transpose(%m) {perm=[1,0]}
    %y = Softmax(%t)
    return %y
  })",
                           sets);
}

TEST(Compile, KernelsTakeSizesKnownWhileRunning) {
  const char* text = R"(graph main(%k: float32[9], %x: float32[9,8]) {
    %w = random float32[8,16] seed 4
    %i = NonZero(%k)
    %s = constant int64[1]:{-1}
    %f = Reshape(%i, %s)
    %g = Gather(%x, %f)
    %m = MatMul(%g, %w)
    %y = Softmax(%m)
    return %y
  })";
  CompileReport report;
  static_cast<void>(compile(ir::parse_graph(text), options_of("cpu", 3), &report));
  for (const auto& layer : report.layers)
    EXPECT_TRUE(layer.op == "NonZero" || layer.tactic != "reference") << layer.op << " runs by the reference";
}

TEST(Compile, BroadcastsOfSizesKnownWhileRunning) {
  std::vector<InputSet> sets;
  for (int64_t n : {1, 4, 1}) {
    Tensor k = Tensor::allocate(DType::kF32, {4}), one = Tensor::allocate(DType::kF32, {4});
    for (int64_t i = 0; i < n; ++i) k.set(i, 1);
    for (int64_t i = 0; i < (n == 1 ? 4 : 1); ++i) one.set(i, 1);
    sets.push_back({{k, one}});
  }
  expect_same_as_reference(R"(graph main(%a: float32[4], %b: float32[4]) {
    %i = NonZero(%a)
    %j = NonZero(%b)
    %y = Add(%i, %j)
    %z = Neg(%y)
    return %y, %z
  })",
                           sets);
}

TEST(Compile, SlicesThatStartAtADimension) {
  const std::string text = R"(graph main(%x: float32[n,4], %t: float32[9,5]) {
    %s = Shape(%x) {end=1}
    %e = constant int64[1]:{9}
    %a = constant int64[1]:{0}
    %y = Slice(%t, %s, %e, %a)
    return %y
  })";
  const std::vector<ProfileBounds> profiles{{{"x", {{0, 4}, {3, 4}, {9, 4}}}}};
  std::vector<InputSet> sets;
  for (int64_t n : {3, 0, 9, 8}) sets.push_back({{random_f32({n, 4}, 1), random_f32({9, 5}, 2)}});
  expect_same_as_reference(text, sets, profiles);
  CompileReport report;
  static_cast<void>(compile(ir::parse_graph(text), options_of("cpu", 0, profiles), &report));
  for (const auto& layer : report.layers) EXPECT_NE(layer.tactic, "reference") << layer.op;
}

TEST(Compile, DenseKernelsInTheBodyOfALoop) {
  expect_same_as_reference(R"(graph main(%n: int64[], %x: float32[3,4]) {
    %y, %all = Loop(%n, _, %x) regions {
      graph body(%i: int64[], %c: bool[], %v: float32[3,4]) {
        %t = Identity(%c)
        %s = Softmax(%v) {axis=1}
        %z = NonZero(%s)
        %g = Transpose(%z) {perm=[1,0]}
        return %t, %s, %s
      }
    }
    return %y, %all
  })",
                           {{{Tensor::scalar(int64_t{3}), random_f32({3, 4}, 13)}}});
}

TEST(Compile, OutputsKeepTheirNames) {
  const auto engine =
      reload(build("graph main(%x: float32[2]) { %k = random float32[2] seed 1 %y = Neg(%x) return %k, %y, %y }",
                   options_of("cpu", 0)));
  ASSERT_EQ(engine->main().outputs.size(), 3u);
  EXPECT_EQ(engine->find_io("k"), engine->main().outputs[0]);
  EXPECT_TRUE(engine->find_io("y").has_value());
}

TEST(Compile, SameBytesTwice) {
  TimingCache cache(find_target("cpu").device().fingerprint());
  CompileOptions options = options_of("cpu", 3);
  options.tuner.cache = &cache;
  build(kResidual, options);
  EXPECT_GT(cache.size(), 0u);
  const size_t known = cache.size();
  const auto first = plan::write(build(kResidual, options)), second = plan::write(build(kResidual, options));
  EXPECT_EQ(cache.size(), known);
  EXPECT_TRUE(first == second);
}

TEST(Compile, DamagedPlansAreRefused) {
  const auto bytes = plan::write(build(kResidual, options_of("cpu", 0)));
  for (size_t i = 0; i < bytes.size(); i += 53) {
    auto damaged = std::make_shared<std::vector<std::byte>>(bytes);
    (*damaged)[i] ^= std::byte{4};
    EXPECT_THROW(Engine::load(*damaged, damaged), Error) << "byte " << i;
    EXPECT_THROW(Engine::load(std::span(*damaged).first(i), damaged), Error) << "length " << i;
  }
  plan::Plan other = build(kResidual, options_of("cpu", 0));
  other.fingerprint = "another processor";
  try {
    reload(other);
    FAIL() << "an engine of another device was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kPlanDevice);
  }
}

TEST(Compile, TheHostsStepsAreForOneProcessorToo) {
  pretend::register_pretend();
  plan::Plan plan = build(R"(graph main(%x: float32[3,4]) {
    %r = Relu(%x)
    %i = NonZero(%r)
    return %i
  })",
                          options_of("pretend", 0));
  ASSERT_FALSE(plan.others.empty());
  plan.others[0].fingerprint = "another processor";
  try {
    reload(plan);
    FAIL() << "steps of another processor were taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kPlanDevice);
    EXPECT_NE(error.cause().find("another processor"), std::string::npos);
  }
}

TEST(Compile, MistakesOfCallersHaveText) {
  const auto engine = reload(build(kSequence, options_of("cpu", 0, {{{"x", {{1, 1, 12}, {2, 8, 12}, {4, 16, 12}}}}})));
  auto context = engine->create_context();
  auto stream = engine->device().create_stream();
  const int32_t x = *engine->find_io("x"), y = *engine->find_io("y");
  auto expect = [&](Status s, Code code, const char* part) {
    EXPECT_EQ(s.code, code) << s.detail;
    EXPECT_NE(std::string(s.detail).find(part), std::string::npos) << s.detail;
  };
  expect(context->enqueue(*stream), Code::kShapeNotSet, "'x'");
  expect(context->set_input_dims(x, Dims{5, 1, 12}), Code::kShapeOutOfProfile, "[5,1,12]");
  expect(context->set_input_dims(x, Dims{1, 1, 11}), Code::kShapeOutOfProfile, "'x'");
  expect(context->set_input_dims(x, Dims{1, 12}), Code::kShapeOutOfProfile, "[1,12]");
  expect(context->set_input_dims(y, Dims{1, 1, 12}), Code::kInvalidArgument, "not an input");
  expect(context->set_profile(1), Code::kInvalidArgument, "profile");
  ASSERT_TRUE(context->set_input_dims(x, Dims{1, 1, 12}).ok());
  expect(context->enqueue(*stream), Code::kShapeNotSet, "address");
  EXPECT_STRNE(context->error_text(), "");
  Tensor in = random_f32({1, 1, 12}, 1);
  ASSERT_TRUE(context->set_address(x, in.mutable_data()).ok());
  expect(context->enqueue(*stream), Code::kShapeNotSet, "'y'");
  EXPECT_FALSE(engine->find_io("q").has_value());
}

TEST(Compile, AnotherProfileForgetsShapesOutsideIt) {
  const auto engine = reload(build(kSequence, options_of("cpu", 0,
                                                         {{{"x", {{1, 1, 12}, {1, 2, 12}, {2, 3, 12}}}},
                                                          {{"x", {{4, 20, 12}, {4, 20, 12}, {4, 20, 12}}}}})));
  auto context = engine->create_context();
  const Bound bound = bind(*context, {random_f32({1, 1, 12}, 1)});
  ASSERT_TRUE(context->set_profile(1).ok());
  auto stream = engine->device().create_stream();
  EXPECT_EQ(context->enqueue(*stream).code, Code::kShapeNotSet);
}

TEST(Compile, DimensionsThatDisagree) {
  const auto engine = reload(build("graph main(%a: float32[n], %b: float32[n]) { %y = Add(%a, %b) return %y }",
                                   options_of("cpu", 0, {{{"a", {{1}, {2}, {4}}}, {"b", {{1}, {2}, {4}}}}})));
  auto context = engine->create_context();
  try {
    bind(*context, {random_f32({2}, 1), random_f32({3}, 1)});
    FAIL() << "n is 2 and 3";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kShapeMismatch);
    EXPECT_NE(error.message().find("'n'"), std::string::npos) << error.message();
  }
}

TEST(Compile, RefusedOptions) {
  const char* text = "graph main(%a: float32[n]) { %y = Neg(%a) return %y }";
  EXPECT_THROW(build(text, options_of("cpu", 0)), Error);                                       // no profile
  EXPECT_THROW(build(text, options_of("cpu", 0, {{{"a", {{3}, {2}, {4}}}}})), Error);           // min > opt
  EXPECT_THROW(build(text, options_of("cpu", 0, {{{"a", {{1, 1}, {2, 2}, {4, 4}}}}})), Error);  // rank
  EXPECT_THROW(build(text, options_of("nowhere", 0, {{{"a", {{1}, {2}, {4}}}}})), Error);       // target
  EXPECT_THROW(build(text, options_of("cpu", 0, {{{"z", {{1}, {2}, {4}}}, {"a", {{1}, {2}, {4}}}}})), Error);  // name
}

TEST(Compile, MeansOfPixelsReadChannelsLast) {
  for (const char* keep : {"0", "1"}) {
    const std::string text = std::string(R"(graph main(%x: float32[2,8,9,7]) {
      %w = random float32[16,8,3,3] seed 1
      %axes = constant int64[2]:{-1,2}
      %c = Conv(%x, %w)
      %m = ReduceMean(%c, %axes) {keepdims=)") +
                             keep + R"(}
      %y = Exp(%m)
      return %y
    })";
    CompileReport report;
    compile(ir::parse_graph(text), options_of("cpu", 0), &report);
    std::vector<std::string> tactics;
    for (const LayerReport& layer : report.layers) tactics.push_back(layer.tactic);
    ASSERT_GE(tactics.size(), 3u);
    EXPECT_EQ(tactics[0], "copy");
    EXPECT_EQ(tactics[2], "mean_pixels");
    expect_same_as_reference(text, {{{random_f32({2, 8, 9, 7}, 31)}}});
  }
}

TEST(Compile, OneSymbolHasOneSizeInAProfile) {
  const std::string text = R"(graph main(%a: float32[n,2], %b: float32[n,2]) {
    %y = Add(%a, %b)
    return %y
  })";
  const auto bounds = [](int64_t low, int64_t high) { return InputBounds{{low, 2}, {high, 2}, {high, 2}}; };
  try {
    static_cast<void>(build(text, options_of("cpu", 0, {{{"a", bounds(1, 3)}, {"b", bounds(4, 5)}}})));
    FAIL() << "the profile was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_NE(std::string(e.what()).find("'n'"), std::string::npos) << e.what();
  }
  expect_same_as_reference(text, {{{random_f32({3, 2}, 1), random_f32({3, 2}, 2)}}},
                           {{{"a", bounds(1, 3)}, {"b", bounds(2, 5)}}});
}

TEST(Compile, SizesThatAllProfilesAgreeOnAreFixed) {
  const std::string text = R"(graph main(%x: float32[n,c,4]) {
    %s = Shape(%x)
    %f = Cast(%s) {to="float32"}
    %two = constant float32[]:{2}
    %h = Div(%f, %two)
    %i = Cast(%h) {to="int64"}
    %y = Expand(%x, %s)
    %z = ConstantOfShape(%i)
    return %y, %z
  })";
  const auto bounds = [](int64_t low, int64_t high) { return InputBounds{{low, 6, 4}, {high, 6, 4}, {high, 6, 4}}; };
  const plan::Plan varies = build(text, options_of("cpu", 0, {{{"x", bounds(2, 2)}}, {{"x", bounds(3, 3)}}}));
  EXPECT_FALSE(varies.dims.empty());
  const plan::Plan fixed = build(text, options_of("cpu", 0, {{{"x", bounds(2, 2)}}, {{"x", bounds(2, 2)}}}));
  for (const auto& program : fixed.dims)
    for (const DimOp& op : program) EXPECT_EQ(op.kind, DimOp::kConstant) << op.symbol;
  expect_same_as_reference(text, {{{random_f32({2, 6, 4}, 1)}}}, {{{"x", bounds(2, 2)}}});
}

TEST(Compile, WorkspacesOfOperandsWhoseLargestShapesCannotMeet) {
  const std::string text =
      R"(graph main(%q: float32[n,4,s,8], %k: float32[n,4,s,8], %p: float32[n,4,past,8], %m: float32[n,1,s,total]) {
    %a = Concat(%p, %k) {axis=2}
    %t = Transpose(%a) {perm=[0,1,3,2]}
    %b = MatMul(%q, %t)
    %c = Add(%b, %m)
    %d = Softmax(%c)
    %h = Cast(%d) {to="float16"}
    %f = Cast(%h) {to="float32"}
    %y = MatMul(%f, %a)
    return %y
  })";
  std::vector<InputSet> sets;
  for (const auto& [n, s, past] : {std::tuple<int64_t, int64_t, int64_t>(1, 8, 0), {2, 1, 9}, {1, 3, 7}})
    sets.push_back({{random_f32({n, 4, s, 8}, 1), random_f32({n, 4, s, 8}, 2), random_f32({n, 4, past, 8}, 3),
                     random_f32({n, 1, s, s + past}, 4)}});
  expect_same_as_reference(text, sets,
                           {{{"q", {{1, 4, 1, 8}, {1, 4, 8, 8}, {2, 4, 8, 8}}},
                             {"k", {{1, 4, 1, 8}, {1, 4, 8, 8}, {2, 4, 8, 8}}},
                             {"p", {{1, 4, 0, 8}, {1, 4, 0, 8}, {2, 4, 9, 8}}},
                             {"m", {{1, 1, 1, 8}, {1, 1, 8, 8}, {2, 1, 8, 10}}}}});
}

TEST(Compile, RunTimeShapesThatDoNotFitAreRefused) {
  const char* kTexts[] = {R"(graph main(%x: float32[2,6], %s: float32[1]) {
    %i = Cast(%s) {to="int64"}
    %y = Reshape(%x, %i)
    return %y
  })",
                          R"(graph main(%x: float32[2,6], %s: float32[1]) {
    %i = Cast(%s) {to="int64"}
    %three = constant int64[1]:{3}
    %v = Concat(%i, %three) {axis=0}
    %y = Reshape(%x, %v)
    %z = Neg(%y)
    return %z
  })",
                          R"(graph main(%x: float32[2,6], %s: float32[1]) {
    %i = Cast(%s) {to="int64"}
    %y = Squeeze(%x, %i)
    return %y
  })"};
  for (const char* text : kTexts)
    for (const char* target : {"cpu", "ref"}) {
      const auto engine = Engine::from_plan(build(text, options_of(target, 0)));
      auto context = engine->create_context();
      EXPECT_THROW(static_cast<void>(run(*context, {random_f32({2, 6}, 1), Tensor::of<float>({1}, {5})})), Error)
          << target << text;
    }
}

TEST(Compile, LoopsThatDoNotRunKeepKnownDimensions) {
  std::vector<InputSet> sets;
  for (int64_t trips : {0, 2}) sets.push_back({{Tensor::scalar(trips), random_f32({6}, 1), random_f32({6, 3}, 2)}});
  expect_same_as_reference(R"(graph main(%n: int64[], %k: float32[6], %x: float32[6,3]) {
    %i = NonZero(%k)
    %s = constant int64[1]:{-1}
    %f = Reshape(%i, %s)
    %g = Gather(%x, %f)
    %all = Loop(%n, _, %g) {captures=1} regions {
      graph body(%j: int64[], %c: bool[], %v: float32[m,3]) {
        %t = Identity(%c)
        %e = Tanh(%v)
        return %t, %e
      }
    }
    return %all
  })",
                           sets);
}

// What a loop or scan was given and does not change outlives the memory in which it was given.
TEST(Compile, StatesOfLoopsThatDoNotRunAreTheirOwn) {
  std::vector<InputSet> sets;
  for (int64_t trips : {0, 1}) sets.push_back({{Tensor::scalar(trips), random_f32({64}, 1), random_f32({0, 2}, 2)}});
  expect_same_as_reference(R"(graph main(%n: int64[], %x: float32[64], %none: float32[0,2]) {
    %a = Tanh(%x)
    %y = Loop(%n, _, %a) regions {
      graph body(%j: int64[], %c: bool[], %v: float32[64]) {
        %t = Identity(%c)
        %e = Identity(%v)
        return %t, %e
      }
    }
    %p = Neg(%x)
    %z, %w = Scan(%p, %none) {num_scan_inputs=1} regions {
      graph body(%v: float32[64], %s: float32[2]) {
        %e = Identity(%v)
        return %e, %s
      }
    }
    %axis = constant int64[]:{0}
    %b = CumSum(%x, %axis)
    %c = CumSum(%b, %axis)
    %d = CumSum(%c, %axis)
    return %y, %z, %d
  })",
                           sets);
}

// Only a run of the body tells how long its result is.
TEST(Compile, LoopsThatDoNotRunHaveTheShapesOfOneTrip) {
  std::vector<InputSet> sets;
  for (int64_t trips : {2, 0, 1, 0})
    for (int64_t rows : {3, 0})
      sets.push_back({{Tensor::scalar(trips), random_f32({rows, 3}, 2), Tensor::of<int64_t>({4}, {1, 2, 1, 3})}});
  expect_same_as_reference(R"(graph main(%n: int64[], %x: float32[rows,3], %k: int64[4]) {
    %all = Loop(%n, _, %k) {captures=1} regions {
      graph body(%j: int64[], %c: bool[], %v: int64[4]) {
        %t = Identity(%c)
        %u = Unique(%v)
        return %t, %u
      }
    }
    %rest = Scan(%x, %k) {num_scan_inputs=1, captures=1, scan_output_axes=[1]} regions {
      graph body(%s: float32[3], %v: int64[4]) {
        %u = Unique(%v)
        return %u
      }
    }
    return %all, %rest
  })",
                           sets, {{{"x", {{0, 3}, {3, 3}, {3, 3}}}}});
}

// Elements of less than a byte behind a convolution, whose result is channels-last.
TEST(Compile, PackedElementsAreRowMajor) {
  expect_same_as_reference(R"(graph main(%x: float32[1,3,6,6]) {
    %w = random float32[8,3,3,3] seed 3
    %c = Conv(%x, %w)
    %t = Tanh(%c)
    %i = Cast(%t) {to="int8"}
    %p = Cast(%i) {to="int4"}
    return %p
  })",
                           {{{random_f32({1, 3, 6, 6}, 1)}}});
}

}  // namespace
}  // namespace kiln::testing
