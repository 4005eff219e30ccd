// Engines on a GPU, and on the pretend device where there is none: leaks, threads and streams, several devices, captures, memory that is
// refused. On a GPU the times of the host are printed.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <thread>

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

constexpr const char* kNetwork = R"(graph main(%x: float32[n,8,12,12]) {
  %w1 = random float32[16,8,3,3] seed 1
  %w2 = random float32[16,16,3,3] seed 2
  %w3 = random float32[16,8] seed 3
  %a = Conv(%x, %w1) {pads=[1,1,1,1]}
  %b = Relu(%a)
  %c = Conv(%b, %w2) {pads=[1,1,1,1]}
  %d = Add(%c, %b)
  %e = MaxPool(%d) {kernel_shape=[2,2],strides=[2,2]}
  %g = GlobalAveragePool(%e)
  %f = Flatten(%g)
  %h = MatMul(%f, %w3)
  %y = Softmax(%h)
  return %y, %e
})";

const std::vector<ProfileBounds> kProfiles{{{"x", {{1, 8, 12, 12}, {2, 8, 12, 12}, {6, 8, 12, 12}}}}};

Tensor batch_of(int64_t n, uint64_t seed) { return random_f32({n, 8, 12, 12}, seed); }

// Each test runs on a device by its name.
class Engines : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    pretend::register_pretend();
    std::string reason;
    if (!try_open_device(GetParam(), reason)) GTEST_SKIP() << reason;
  }
  void leave_out(const std::string& reason) const { std::printf("%s: left out: %s\n", GetParam(), reason.c_str()); }
  bool is_gpu() const { return std::string_view(GetParam()) == "cuda"; }
  // Without tuning: the same kernels each time.
  plan::Plan make_plan(const std::string& text = kNetwork) const {
    return build(text, options_of(GetParam(), 0, kProfiles));
  }
  static std::shared_ptr<Engine> load(const plan::Plan& plan, const LoadOptions& options) {
    auto bytes = std::make_shared<std::vector<std::byte>>(plan::write(plan));
    return Engine::load(*bytes, bytes, options);
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, Engines, ::testing::Values("pretend", "cuda"),
                         [](const auto& device) { return std::string(device.param); });

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return x.identical(y); });
}

// In the norm of all elements.
void expect_near(const Tensor& got, const Tensor& want, double tolerance) {
  ASSERT_EQ(got.dims(), want.dims());
  double difference = 0, norm = 0;
  for (int64_t k = 0; k < want.size(); ++k) {
    difference += std::pow(got.at(k) - want.at(k), 2);
    norm += std::pow(want.at(k), 2);
  }
  EXPECT_LE(std::sqrt(difference), tolerance * std::sqrt(norm)) << got.type_string();
}

TEST_P(Engines, SameAsTheReference) {
  const auto engine = reload(make_plan());
  const auto context = engine->create_context();
  for (int64_t n : {1, 6, 2}) {
    const Tensor x = batch_of(n, 5);
    const std::vector<Tensor> got = run(*context, {x}), want = reference(kNetwork, {x});
    for (size_t i = 0; i < want.size(); ++i) expect_near(got[i], want[i], 1e-3);  // as TF32 allows
  }
}

// On a GPU by kernels that are compiled for the layers, where NVRTC is; the engine's binaries, and those made again, compute the same.
TEST_P(Engines, GeneratedKernelsRunAsTheyStandAndMadeAgain) {
  CompileOptions options = options_of(GetParam(), 0, kProfiles);
  if (is_gpu()) options.tuner.disabled = {"pointwise", "channel_affine", "quantize"};
  constexpr const char* kText = R"(graph main(%x: float32[n,8,12,12]) {
    %row = random float32[12] seed 1
    %column = random float32[8,1,1] seed 2
    %a = Mul(%x, %column)
    %b = Add(%a, %row)
    %c = Tanh(%b)
    %s = Softmax(%c)
    %d = Mul(%s, %column)
    %y = Erf(%d)
    return %y, %c
  })";
  const plan::Plan plan = build(kText, options);
  if (plan.kernels.empty()) return leave_out("no kernels are generated here");
  for (const bool trusts : {true, false}) {
    const auto start = std::chrono::steady_clock::now();
    const auto engine = reload(plan, {.trusts_kernels = trusts});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("%s: loaded with %zu kernels %s in %.1f ms\n", GetParam(), plan.kernels.size(),
                trusts ? "as they stand" : "made again", 1e3 * seconds);
    const auto context = engine->create_context();
    for (int64_t n : {1, 6, 2}) {
      const Tensor x = batch_of(n, 5);
      const std::vector<Tensor> got = run(*context, {x}), want = reference(kText, {x});
      for (size_t i = 0; i < want.size(); ++i) expect_near(got[i], want[i], 1e-5);
    }
  }
}

// On a GPU by plans that cuDNN compiles for the layers: they are read from the file, or compiled again, and read the parts of the product
// where they lie.
TEST_P(Engines, PlansOfALibraryRunAsTheyStandAndCompiledAgain) {
  CompileOptions options = options_of(GetParam(), 0, {});
  if (is_gpu()) options.tuner.disabled = {"attention", "row_norm"};
  constexpr const char* kText = R"(graph main(%x: float16[2,100,192], %mask: float32[2,1,1,100]) {
    %w = random float16[192,576] seed 1
    %s = random float16[192] seed 2
    %n = LayerNormalization(%x, %s) {axis=-1}
    %p = MatMul(%n, %w)
    %q, %k, %v = Split(%p) {axis=2,num_outputs=3}
    %y = Attention(%q, %k, %v) {q_num_heads=3,kv_num_heads=3,is_causal=1}
    %z = Attention(%q, %k, %v, %mask) {q_num_heads=3,kv_num_heads=3}
    return %y, %z
  })";
  const plan::Plan plan = build(kText, options);
  std::set<std::string> kernels;
  for (const plan::StepInfo& step : plan.programs[0].steps) kernels.insert(step.kernel);
  if (!kernels.count("cudnn_attention")) return leave_out("cuDNN compiles nothing here");
  EXPECT_TRUE(kernels.count("cudnn_norm"));
  EXPECT_FALSE(kernels.count("concat_split"));
  for (const bool trusts : {true, false}) {
    const auto start = std::chrono::steady_clock::now();
    const auto engine = reload(plan, {.trusts_kernels = trusts});
    const auto context = engine->create_context();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("%s: loaded with %zu plans %s in %.1f ms\n", GetParam(), plan.kernels.size(),
                trusts ? "as they stand" : "compiled again", 1e3 * seconds);
    const Tensor x = random_f32({2, 100, 192}, 5).cast(DType::kF16), mask = random_f32({2, 1, 1, 100}, 6);
    const std::vector<Tensor> got = run(*context, {x, mask}), want = reference(kText, {x, mask});
    for (size_t i = 0; i < want.size(); ++i) expect_near(got[i], want[i], 3e-3);
  }
}

// Integers are the same on every device, bit for bit, and none of their layers runs on the host.
TEST_P(Engines, QuantizedNetworksGiveTheIntegersOfTheProcessor) {
  constexpr const char* kQuantized = R"(graph main(%x: float32[n,3,12,12]) {
  %s = constant float32[]:{0.02}
  %z = constant uint8[]:{117}
  %t = constant float32[]:{0.011}
  %o = constant int8[]:{0}
  %w1 = random int8[16,3,3,3] seed 1
  %w2 = random int8[16,1,3,3] seed 2
  %w3 = random int8[16,16,1,1] seed 3
  %w4 = random int8[400,10] seed 4
  %r = constant float32[]:{0.3}
  %xq = QuantizeLinear(%x, %s, %z)
  %xd = DequantizeLinear(%xq, %s, %z)
  %d1 = DequantizeLinear(%w1, %t, %o)
  %c1 = Conv(%xd, %d1) {pads=[1,1,1,1]}
  %a1 = Relu(%c1)
  %q1 = QuantizeLinear(%a1, %r, %z)
  %e1 = DequantizeLinear(%q1, %r, %z)
  %d2 = DequantizeLinear(%w2, %t, %o)
  %c2 = Conv(%e1, %d2) {pads=[1,1,1,1],group=16}
  %q2 = QuantizeLinear(%c2, %r, %z)
  %e2 = DequantizeLinear(%q2, %r, %z)
  %d3 = DequantizeLinear(%w3, %t, %o)
  %c3 = Conv(%e2, %d3)
  %b3 = Add(%c3, %e1)
  %q3 = QuantizeLinear(%b3, %r, %z)
  %e3 = DequantizeLinear(%q3, %r, %z)
  %p = MaxPool(%e3) {kernel_shape=[3,3],strides=[2,2]}
  %q4 = QuantizeLinear(%p, %r, %z)
  %e4 = DequantizeLinear(%q4, %r, %z)
  %f = Flatten(%e4)
  %d4 = DequantizeLinear(%w4, %t, %o)
  %h = MatMul(%f, %d4)
  %y = QuantizeLinear(%h, %r, %z)
  return %y, %q3, %h
})";
  const std::vector<ProfileBounds> profiles{{{"x", {{1, 3, 12, 12}, {2, 3, 12, 12}, {6, 3, 12, 12}}}}};
  const plan::Plan plan = build(kQuantized, options_of(GetParam(), 0, profiles));
  for (const plan::StepInfo& step : plan.programs.at(0).steps)
    EXPECT_TRUE(step.is_transfer() || step.device == plan.device) << step.kernel << " of " << step.device;
  const auto engine = reload(plan), on_host = reload(build(kQuantized, options_of("cpu", 0, profiles)));
  const auto context = engine->create_context(), host_context = on_host->create_context();
  for (int64_t n : {1, 6, 2}) {
    const Tensor x = random_f32({n, 3, 12, 12}, 7);
    EXPECT_TRUE(same_bits(run(*context, {x}), run(*host_context, {x}))) << n;
  }
}

// The loop's body has layers that are worth copies to the device, a branch of its own, and a state that stays on the host.
TEST_P(Engines, LoopsAndBranches) {
  constexpr const char* kLoop = R"(graph main(%x: float32[n,8,12,12], %trips: int64[]) {
  %shape = constant int64[2]:{-1,1152}
  %v = Reshape(%x, %shape)
  %y, %all = Loop(%trips, _, %v) regions {
    graph body(%i: int64[], %go: bool[], %s: float32[n,1152]) {
      %w = random float32[1152,1152] seed 4
      %small = constant float32[]:{0.003}
      %q = Mul(%s, %small)
      %m = MatMul(%q, %w)
      %h = Tanh(%m)
      %zero = constant int64[]:{0}
      %first = Equal(%i, %zero)
      %b = If(%first, %h, %s) {captures=2} regions {
        graph yes(%a: float32[n,1152], %o: float32[n,1152]) {
          %r = Add(%a, %o)
          return %r
        }
        graph no(%a: float32[n,1152], %o: float32[n,1152]) {
          %r = Sub(%a, %o)
          return %r
        }
      }
      %t = Identity(%go)
      return %t, %b, %h
    }
  }
  return %y, %all
})";
  std::vector<ProfileBounds> profiles = kProfiles;
  profiles[0]["trips"] = {{}, {}, {}};
  const plan::Plan plan = build(kLoop, options_of(GetParam(), 0, profiles));
  const auto on_device = [&](const plan::StepInfo& s) { return s.device == plan.device; };
  EXPECT_TRUE(std::any_of(plan.programs.at(1).steps.begin(), plan.programs[1].steps.end(), on_device));
  const auto engine = reload(plan);
  const auto context = engine->create_context();
  for (int64_t n : {1, 6, 2}) {
    const std::vector<Tensor> in{batch_of(n, 5), Tensor::scalar(3 - n % 3)};
    const std::vector<Tensor> got = run(*context, in), want = reference(kLoop, in);
    for (size_t i = 0; i < want.size(); ++i) expect_near(got[i], want[i], 1e-3);
  }
}

// Slices and transposes write their parts of what is joined, and read parts of what is cut.
TEST_P(Engines, PartsLieInPlace) {
  constexpr const char* kRolled = R"(graph main(%x: float32[n,8,12,12]) {
  %none = constant int64[1]:{0}
  %five = constant int64[1]:{5}
  %end = constant int64[1]:{12}
  %down = constant int64[1]:{2}
  %across = constant int64[1]:{3}
  %v = Relu(%x)
  %a = Slice(%v, %five, %end, %down)
  %b = Slice(%v, %none, %five, %down)
  %c = Concat(%a, %b) {axis=2}
  %d = Slice(%c, %five, %end, %across)
  %e = Slice(%c, %none, %five, %across)
  %f = Concat(%d, %e) {axis=3}
  %g, %h = Split(%f) {axis=1,num_outputs=2}
  %i = Transpose(%g) {perm=[0,1,3,2]}
  %j = Concat(%i, %h, %i) {axis=1}
  return %j, %f
})";
  const auto engine = reload(make_plan(kRolled));
  const auto context = engine->create_context();
  for (int64_t n : {1, 6}) {
    const Tensor x = batch_of(n, 4);
    EXPECT_TRUE(same_bits(run(*context, {x}), reference(kRolled, {x}))) << "batch " << n;
  }
}

// Convolutions and products do too, where the joined axis is innermost in memory; others are copied.
TEST_P(Engines, ProductsStoreTheirPartsOfWhatIsJoined) {
  constexpr const char* kBranches = R"(graph main(%x: float32[n,8,12,12]) {
  %wa = random float32[16,8,1,1] seed 1
  %wb = random float32[12,8,3,3] seed 2
  %wc = random float32[20,28,3,3] seed 3
  %wd = random float32[12,7] seed 4
  %we = random float32[12,64] seed 5
  %a = Conv(%x, %wa)
  %ar = Relu(%a)
  %b = Conv(%x, %wb) {pads=[1,1,1,1]}
  %j = Concat(%ar, %b) {axis=1}
  %c = Conv(%j, %wc) {pads=[1,1,1,1]}
  %d = MatMul(%c, %wd)
  %e = MatMul(%c, %we)
  %f = Concat(%d, %e) {axis=3}
  %y = Softmax(%f)
  return %y
})";
  for (const char* disabled : {"", "conv_wgmma", "conv_window"}) {
    CompileOptions options = options_of(GetParam(), 0, kProfiles);
    if (*disabled) options.tuner.disabled = {disabled, "conv_stream", "cublaslt", "cudnn"};
    const plan::Plan plan = build(kBranches, options);
    const auto& tensors = plan.programs[0].tensors;
    const auto parts = std::count_if(tensors.begin(), tensors.end(), [](const auto& t) { return t.view_of >= 0; });
    EXPECT_GE(parts, is_gpu() && *disabled ? 2 : 0);
    const auto engine = reload(plan);
    const auto context = engine->create_context();
    for (int64_t n : {1, 3, 6}) {
      const Tensor x = batch_of(n, 4);
      const auto got = run(*context, {x}), want = reference(kBranches, {x});
      for (size_t i = 0; i < want.size(); ++i) expect_near(got[i], want[i], is_gpu() ? 2e-3 : 1e-5);
    }
  }
}

// So do those whose results a program joins with two tensors.
TEST_P(Engines, ProgramsOfTwoTensorsStoreTheirPartsOfWhatIsJoined) {
  constexpr const char* kGates = R"(graph main(%x: float32[n,8,12,12]) {
  %wa = random float32[16,8,1,1] seed 1
  %wb = random float32[12,8,3,3] seed 2
  %wc = random float32[16,8,1,1] seed 3
  %wd = random float32[12,9] seed 4
  %we = random float32[12,9] seed 5
  %a = Conv(%x, %wa)
  %b = Conv(%x, %wb) {pads=[1,1,1,1]}
  %s = Sigmoid(%a)
  %c = Conv(%x, %wc)
  %d = Mul(%c, %s)
  %e = Add(%d, %a)
  %j = Concat(%e, %b) {axis=1}
  %p = MatMul(%j, %wd)
  %t = Tanh(%p)
  %q = MatMul(%j, %we)
  %r = Add(%q, %p)
  %u = HardSwish(%r)
  %v = Mul(%u, %t)
  %k = Concat(%v, %t) {axis=3}
  %y = Softmax(%k)
  return %y
})";
  for (const char* disabled : {"", "conv_wgmma", "programs_on_results"}) {
    CompileOptions options = options_of(GetParam(), 0, kProfiles);
    options.tuner.disabled = {"conv_stream", "cublaslt", "cudnn", disabled};
    options.passes.disabled = {disabled};
    const plan::Plan plan = build(kGates, options);
    const auto engine = reload(plan);
    const auto context = engine->create_context();
    for (int64_t n : {1, 3, 6}) {
      const Tensor x = batch_of(n, 4);
      const auto got = run(*context, {x}), want = reference(kGates, {x});
      for (size_t i = 0; i < want.size(); ++i) expect_near(got[i], want[i], is_gpu() ? 2e-3 : 1e-5);
    }
  }
}

// So do convolutions of many rows and of each channel alone, where the parts begin at whole words.
TEST_P(Engines, LargeConvolutionsStoreTheirPartsOfWhatIsJoined) {
  const int64_t size = is_gpu() ? 32 : 4, most = 9;  // rows for 72 tiles
  const auto network = [size](const std::string& wide, const std::string& odd) {
    const std::string side = std::to_string(size);
    return "graph main(%x: float16[n,16," + side + "," + side + "]) {\n  %wa = random float16[" + wide +
           ",16,1,1] seed 1\n  %wb = random float16[" + odd +
           ",16,3,3] seed 2\n  %wd = random float16[16,1,3,3] seed 3\n"
           "  %a = Conv(%x, %wa)\n  %ar = Relu(%a)\n  %b = Conv(%x, %wb) {pads=[1,1,1,1]}\n"
           "  %d = Conv(%x, %wd) {group=16,pads=[1,1,1,1]}\n  %j = Concat(%ar, %d, %b) {axis=1}\n"
           "  %y = MaxPool(%j) {kernel_shape=[2,2],strides=[2,2]}\n  return %y\n}\n";
  };
  const std::vector<ProfileBounds> profiles{
      {{"x", {{1, 16, size, size}, {most, 16, size, size}, {most, 16, size, size}}}}};
  const std::pair<std::string, std::string> kColumns[] = {{"64", "72"}, {"64", "68"}, {"36", "72"}};
  for (const auto& [wide, odd] : kColumns)
    for (const char* depthwise : {"depthwise_boxes", "conv_depthwise"}) {
      const std::string text = network(wide, odd);
      CompileOptions options = options_of(GetParam(), 0, profiles);
      options.tuner.disabled = {"conv_wgmma", "conv_window", "conv_mma", "cublaslt", "cudnn"};
      if (is_gpu()) options.tuner.disabled.insert(depthwise);
      const plan::Plan plan = build(text, options);
      const bool in_words = wide == "64" && odd == "72";
      const auto& tensors = plan.programs[0].tensors;
      const auto parts = std::count_if(tensors.begin(), tensors.end(), [](const auto& t) { return t.view_of >= 0; });
      const auto& steps = plan.programs[0].steps;
      const auto runs = [&](std::string_view tactic) {
        return std::any_of(steps.begin(), steps.end(), [&](const auto& step) { return step.tactic == tactic; });
      };
      if (runs("conv_stream")) {
        EXPECT_EQ(parts >= 2, in_words) << "without " << depthwise;
      }
      for (const plan::StepInfo& step : plan.programs[0].steps)
        if (!in_words && (step.tactic == "conv_stream" || step.tactic == "depthwise_boxes")) {
          EXPECT_LT(tensors.at(static_cast<size_t>(step.outputs.at(0))).view_of, 0) << step.name;
        }
      const auto engine = reload(plan);
      const auto context = engine->create_context();
      for (int64_t n : {int64_t{1}, most}) {
        const Tensor x = random_f32({n, 16, size, size}, 4).cast(DType::kF16);
        const auto got = run(*context, {x}), want = reference(text, {x});
        for (size_t i = 0; i < want.size(); ++i) expect_near(got[i], want[i], 2e-3);
      }
    }
}

// By kernels of ours, and on a GPU by those of libraries and generated ones too.
TEST_P(Engines, NothingIsLeaked) {
  CompileOptions by_libraries = options_of(GetParam(), 0, kProfiles);
  if (is_gpu())
    by_libraries.tuner.disabled = {"conv_few",    "skinny",   "product_wgmma", "conv_window", "conv_wgmma",
                                   "conv_stream", "conv_mma", "pointwise",     "attention"};
  const Device& device = open_device(GetParam());
  const auto use = [](const plan::Plan& plan) {
    const auto engine = reload(plan);
    const auto first = engine->create_context(), second = engine->create_context();
    run(*first, {batch_of(2, 1)});
    auto stream = engine->device().create_stream();
    const Bound bound = bind(*second, {batch_of(3, 2)});
    std::unique_ptr<Graph> graph;
    ASSERT_TRUE(stream->begin_capture().ok());
    const Status queued = second->enqueue(*stream);
    ASSERT_TRUE(stream->end_capture(graph).ok() && queued.ok()) << second->error_text();
    ASSERT_TRUE(graph->launch(*stream).ok() && stream->synchronize().ok());
  };
  for (const auto& [plan, times] :
       {std::pair{make_plan(), is_gpu() ? 1000 : 20}, std::pair{build(kNetwork, by_libraries), is_gpu() ? 30 : 20}}) {
    for (int i = 0; i < 5; ++i) use(plan);
    const int64_t before = device.free_memory();
    for (int i = 0; i < times && !HasFatalFailure(); ++i) use(plan);
    const int64_t lost = before - device.free_memory();
    std::printf("%s: device memory after %d engines and contexts: %lld bytes less\n", GetParam(), times,
                static_cast<long long>(lost));
    constexpr int64_t kDriverPage = 2 << 20;
    EXPECT_LE(lost, is_gpu() ? kDriverPage : 0);
  }
}

TEST_P(Engines, ThreadsAndStreamsAtOnce) {
  const auto engine = reload(make_plan());
  constexpr int kThreads = 4, kRuns = 25;
  std::vector<std::vector<Tensor>> wanted;
  for (int t = 0; t < kThreads; ++t)
    wanted.push_back(run(*engine->create_context(), {batch_of(1 + t, static_cast<uint64_t>(t))}));
  std::vector<int> wrong(kThreads, 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      const auto one = engine->create_context(), two = engine->create_context();
      for (int i = 0; i < kRuns; ++i)
        for (Context* context : {one.get(), two.get()}) {
          if (i % 3 == 1) run(*context, {batch_of(6 - t, 9)});
          wrong[static_cast<size_t>(t)] +=
              !same_bits(run(*context, {batch_of(1 + t, static_cast<uint64_t>(t))}), wanted[static_cast<size_t>(t)]);
        }
    });
  for (std::thread& thread : threads) thread.join();
  for (int w : wrong) EXPECT_EQ(w, 0);
}

TEST_P(Engines, SeveralDevicesAtOnce) {
  std::string reason;
  if (!try_open_device(std::string(GetParam()) + ":1", reason)) return leave_out(reason);
  const plan::Plan plan = make_plan();
  const std::vector<Tensor> wanted = run(*reload(plan)->create_context(), {batch_of(4, 3)});
  std::vector<int> wrong(2, 0);
  std::vector<std::thread> threads;
  for (int ordinal : {0, 1})
    threads.emplace_back([&, ordinal] {
      const auto engine = load(plan, {.device = &open_device(std::string(GetParam()) + ":" + std::to_string(ordinal))});
      const auto context = engine->create_context();
      for (int i = 0; i < 20; ++i)
        wrong[static_cast<size_t>(ordinal)] += !same_bits(run(*context, {batch_of(4, 3)}), wanted);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, (std::vector<int>{0, 0}));
}

TEST_P(Engines, MemoryOfAnotherDeviceIsRefused) {
  std::string reason;
  Device* other = try_open_device(std::string(GetParam()) + ":1", reason);
  if (!other || !is_gpu()) return leave_out(other ? "memory of this device is one for all" : reason);
  const auto engine = reload(make_plan());
  const auto context = engine->create_context();
  void* const memory = other->allocator().allocate(1 << 20, 256);
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(context->set_address(*engine->find_io("x"), memory).code, Code::kInvalidArgument);
  other->allocator().deallocate(memory);
}

TEST_P(Engines, CapturedInferencesReadTheirInputsAnew) {
  const auto engine = reload(make_plan());
  const auto context = engine->create_context();
  Bound bound = bind(*context, {batch_of(2, 1)});
  Device& device = engine->device();
  const auto stream = device.create_stream();
  std::unique_ptr<Graph> graph;
  ASSERT_TRUE(context->enqueue(*stream).ok());
  ASSERT_TRUE(stream->synchronize().ok());
  ASSERT_TRUE(stream->begin_capture().ok());
  EXPECT_TRUE(context->enqueue(*stream).ok()) << context->error_text();
  ASSERT_TRUE(stream->end_capture(graph).ok());
  for (uint64_t seed : {7u, 8u}) {
    const Tensor x = batch_of(2, seed);
    ASSERT_TRUE(device
                    .copy(*stream, context->address(*engine->find_io("x")), x.data(), static_cast<size_t>(x.bytes()),
                          CopyKind::kHostToDevice)
                    .ok());
    ASSERT_TRUE(graph->launch(*stream).ok());
    ASSERT_TRUE(stream->synchronize().ok());
    const Tensor got = bound.results[0]->fetch().clone();
    EXPECT_TRUE(got.identical(run(*engine->create_context(), {x})[0])) << "seed " << seed;
  }
}

TEST_P(Engines, AddressesOfTheHostAreRefused) {
  const auto engine = reload(make_plan());
  const auto context = engine->create_context();
  const Tensor host = batch_of(2, 1);
  const Status status = context->set_address(*engine->find_io("x"), const_cast<void*>(host.data()));
  if (status.ok()) return leave_out("this GPU reads the host's memory");
  EXPECT_EQ(status.code, Code::kInvalidArgument);
  EXPECT_EQ(run(*context, {host}).size(), 2u);
}

class Limited final : public Allocator {
 public:
  explicit Limited(Allocator& from) : from_(from) {}
  void* allocate(size_t size, size_t alignment) noexcept override {
    return left-- > 0 ? from_.allocate(size, alignment) : nullptr;
  }
  void deallocate(void* memory) noexcept override { from_.deallocate(memory); }
  int left = 0;

 private:
  Allocator& from_;
};

TEST_P(Engines, MemoryThatIsRefusedIsAnError) {
  const plan::Plan plan = make_plan();
  Limited limited(open_device(GetParam()).allocator());
  const auto code_of = [](const auto& make) {
    try {
      make();
    } catch (const Error& e) {
      return e.code();
    }
    return Code::kOk;
  };
  EXPECT_EQ(code_of([&] { load(plan, {.allocator = &limited}); }), Code::kOutOfMemory);
  limited.left = 1;
  const auto engine = load(plan, {.allocator = &limited});
  EXPECT_EQ(code_of([&] { engine->create_context(&limited); }), Code::kOutOfMemory);
  EXPECT_EQ(code_of([&] { run(*engine->create_context(), {batch_of(1, 1)}); }), Code::kOk);
}

template <class F> std::string text_of(const F& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// The last layer writes to memory that is gone. In a process of its own, which has no GPU from then on; it ends with 0 when all errors say so.
void fault(const plan::Plan& plan) {
  const auto engine = reload(plan);
  Device& device = engine->device();
  const auto context = engine->create_context(), other = engine->create_context();
  const Bound bound = bind(*context, {batch_of(2, 1)});
  const auto stream = device.create_stream();
  constexpr size_t kManyPages = 64 << 20;
  void* const gone = device.allocator().allocate(kManyPages, 256);
  throw_if_error(context->set_address(*engine->find_io("y"), gone));
  device.allocator().deallocate(gone);
  context->set_step_by_step(true);
  const Status status = context->enqueue(*stream);
  const std::string texts[] = {context->error_text(), text_of([&] { reload(plan); }),
                               text_of([&] { engine->create_context(); }),
                               text_of([&] { throw_if_error(stream->synchronize()); }),
                               text_of([&] { throw_if_error(other->set_address(*engine->find_io("y"), gone)); })};
  bool right = !status.ok() && texts[0].find("(Softmax): ") != std::string::npos;
  for (const std::string& text : texts) {
    std::fprintf(stderr, "%s\n", text.c_str());
    right = right && text.find("context is lost") != std::string::npos;
  }
  std::_Exit(right ? 0 : 1);
}

TEST_P(Engines, AFaultNamesItsLayerAndTheLossOfTheContext) {
  if (!is_gpu()) return leave_out("addresses are checked");
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(fault(make_plan()), ::testing::ExitedWithCode(0), "");
}

// Both types of 16 bits are allowed: what float16 cannot hold is not infinite.
TEST_P(Engines, WeightsThatFloat16CannotHoldComputeInBfloat16) {
  constexpr const char* kLarge = R"(graph main(%x: float32[n,8,12,12]) {
    %w1 = random float32[16,8,3,3] seed 1
    %r = random float32[16,16,3,3] seed 2
    %many = constant float32[]:{80000.0}
    %few = constant float32[]:{0.001}
    %w2 = Mul(%r, %many)
    %w3 = random float32[8,16,1,1] seed 3
    %a = Conv(%x, %w1) {pads=[1,1,1,1]}
    %b = Mul(%a, %few)
    %c = Conv(%b, %w2) {pads=[1,1,1,1]}
    %d = Relu(%c)
    %y = Conv(%d, %w3)
    return %y
  })";
  CompileOptions options = options_of(GetParam(), 0, kProfiles);
  options.precisions = {.compute = DType::kF16, .second = DType::kBF16};
  const auto engine = reload(build(kLarge, options));
  const auto context = engine->create_context();
  for (int64_t n : {1, 6}) {
    const Tensor x = batch_of(n, 5);
    expect_near(run(*context, {x})[0], reference(kLarge, {x})[0], 3e-2);
  }
}

// Microseconds of the host, the median of many calls.
template <class F> double median_microseconds(int calls, const F& call) {
  std::vector<double> times;
  for (int i = 0; i < calls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    call(i);
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + calls / 2, times.end());
  return times[static_cast<size_t>(calls / 2)];
}

// A row of convolutions, as many as ResNet-50 has layers.
std::string deep_network() {
  std::string text = "graph main(%x: float32[n,8,12,12]) {\n  %w = random float32[8,8,3,3] seed 1\n  %v0 = Relu(%x)\n";
  constexpr int kLayers = 53;
  for (int i = 0; i < kLayers; ++i)
    text += "  %v" + std::to_string(i + 1) + " = Conv(%v" + std::to_string(i) + ", %w) {pads=[1,1,1,1]}\n";
  return text + "  return %v" + std::to_string(kLayers) + "\n}";
}

// The host reads `dims` when shapes are set: memory of the device is no place for it.
TEST_P(Engines, AddressesOfTheDeviceAreRefusedForWhatTheHostReads) {
  constexpr const char* kShaped = R"(graph main(%x: float32[2,8], %dims: int64[2]) {
    %y = Reshape(%x, %dims)
    return %y
  })";
  CompileOptions options = options_of(GetParam(), 0, {{{"x", {{2, 8}, {2, 8}, {2, 8}}}, {"dims", {{2}, {2}, {2}}}}});
  options.values = {{{"dims", {{1, 1}, {4, 4}, {16, 16}}}}};
  auto graph = ir::parse_graph(kShaped);
  std::vector<Dim> elements;
  for (int64_t i : {0, 1}) elements.push_back(Dim::symbol(plan::value_symbol("dims", i)));
  graph->find_value("dims")->set_elements(elements);
  graph->infer_types();
  const auto engine = reload(compile(std::move(graph), options));
  const int32_t dims = *engine->find_io("dims");
  ASSERT_TRUE(engine->main().tensors[static_cast<size_t>(dims)].on_host);
  const auto context = engine->create_context();
  Allocator& allocator = engine->device().allocator();
  void* memory = allocator.allocate(2 * sizeof(int64_t), 256);
  const Status status = context->set_address(dims, memory);
  EXPECT_EQ(status.code, Code::kInvalidArgument);
  const std::string text = status.detail;
  EXPECT_NE(text.find("tensor 'dims', which the host reads or writes: the address lies in memory of "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("give one of the host"), std::string::npos) << text;
  EXPECT_EQ(context->address(dims), nullptr);
  allocator.deallocate(memory);
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{4, 4}, std::vector<int64_t>{16, 1}}) {
    const std::vector<Tensor> inputs{random_f32({2, 8}, 1), Tensor::of<int64_t>({2}, shape)};
    expect_close(run(*context, inputs)[0], reference(kShaped, inputs)[0], "after a refusal");
  }
}

TEST_P(Engines, TimesOfTheHost) {
  if (!is_gpu()) return leave_out("only times of a GPU are shown");
  const auto start = std::chrono::steady_clock::now();
  const plan::Plan plan = make_plan(deep_network());
  const double built = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::shared_ptr<Engine> engine;
  const double loaded = median_microseconds(5, [&](int) { engine = reload(plan); });
  const auto context = engine->create_context();
  const Bound bound = bind(*context, {batch_of(6, 1)});
  const auto stream = engine->device().create_stream();
  const int32_t x = *engine->find_io("x");
  const auto enqueue = [&] { ASSERT_TRUE(context->enqueue(*stream).ok()) << context->error_text(); };
  const auto wait = [&] { ASSERT_TRUE(stream->synchronize().ok()); };
  enqueue(), wait();
  const double same = median_microseconds(200, [&](int) { enqueue(); });
  wait();
  const double changed = median_microseconds(200, [&](int i) {
    ASSERT_TRUE(context->set_input_dims(x, Dims{1 + i % 6, 8, 12, 12}).ok());
    enqueue();
  });
  wait();
  std::unique_ptr<Graph> graph;
  ASSERT_TRUE(stream->begin_capture().ok());
  enqueue();
  ASSERT_TRUE(stream->end_capture(graph).ok());
  ASSERT_TRUE(graph->launch(*stream).ok());
  wait();
  const double replay = median_microseconds(200, [&](int) { ASSERT_TRUE(graph->launch(*stream).ok()); });
  wait();
  const size_t steps = engine->main().steps.size();
  std::printf(
      "host, engine of %zu steps:\n  build without tuning %.3f s\n  load %.2f ms\n  enqueue %.1f us (%.2f a step)\n",
      steps, built, loaded / 1e3, same, same / static_cast<double>(steps));
  std::printf("  enqueue after a change of shapes %.1f us (%.2f times)\n  launch of its graph %.1f us\n", changed,
              changed / same, replay);
}

}  // namespace
}  // namespace kiln::testing
