// Engines with steps of oneDNN's device: chosen where nothing else runs the operator, saved, reloaded, damaged, switched off.
#include <fstream>

#include "base/error.h"
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

constexpr const char* kVolumes = R"(graph main(%x: float32[n,6,5,9,7]) {
  %w1 = random float32[16,6,3,3,3] seed 1
  %b1 = random float32[16] seed 2
  %w2 = random float32[16,5,2,2,2] seed 3
  %a = Conv(%x, %w1, %b1) {pads=[1,1,1,1,1,1]}
  %r = Relu(%a)
  %t = ConvTranspose(%r, %w2) {strides=[2,2,2]}
  %s = Sigmoid(%t)
  %y = GlobalAveragePool(%s)
  return %y, %s
})";
const std::vector<ProfileBounds> kProfiles = {{{"x", {{0, 6, 5, 9, 7}, {2, 6, 5, 9, 7}, {3, 6, 5, 9, 7}}}}};

Tensor volume(int64_t n, uint64_t seed) { return random_f32({n, 6, 5, 9, 7}, seed); }

int64_t steps_on(const plan::Plan& plan, const std::string& device) {
  const auto& steps = plan.programs[0].steps;
  return std::count_if(steps.begin(), steps.end(), [&](const plan::StepInfo& s) { return s.device == device; });
}

bool has_onednn() {
  std::string reason;
  if (!try_open_device("onednn", reason)) return false;
  for (const Tactic* t : find_target("cpu").tactics().all())
    if (t->device == "onednn") return true;
  return false;
}

// Skipped where oneDNN is not there.
class OnednnEngines : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_onednn()) GTEST_SKIP() << "oneDNN is not there";
  }
};

TEST_F(OnednnEngines, RunWhatNoOtherKernelRuns) {
  EXPECT_GE(steps_on(build(kVolumes, options_of("cpu", 0, kProfiles)), "onednn"), 2);
  expect_same_as_reference(kVolumes, {{{volume(2, 5)}}, {{volume(0, 6)}}, {{volume(3, 7)}}, {{volume(1, 8)}}},
                           kProfiles);
}

TEST_F(OnednnEngines, AreSwitchedOffByDeviceOrName) {
  CompileOptions o = options_of("cpu", 0, kProfiles);
  o.tuner.disabled = {"onednn"};
  EXPECT_EQ(steps_on(build(kVolumes, o), "onednn"), 0);
  o.tuner.disabled = {"onednn_conv", "onednn_deconv", "onednn_pool"};
  EXPECT_EQ(steps_on(build(kVolumes, o), "onednn"), 0);
  o.tuner.disabled = {"onednn_conv"};
  EXPECT_GE(steps_on(build(kVolumes, o), "onednn"), 1);
}

constexpr const char* kPlain = R"(graph main(%x: float32[1,8,9,24]) {
  %w = random float32[16,8,3,3] seed 1
  %m = random float32[22,40] seed 2
  %a = Conv(%x, %w)
  %y = MatMul(%a, %m)
  return %y
})";

TEST_F(OnednnEngines, DoNotComeFirstWhereOurKernelsRun) {
  EXPECT_EQ(steps_on(build(kPlain, options_of("cpu", 0)), "onednn"), 0);
}

TEST_F(OnednnEngines, TimesInTheCacheNameTheLibrary) {
  CompileOptions o = options_of("cpu", 5);
  TimingCache cache(find_target("cpu").device().fingerprint());
  o.tuner.cache = &cache;
  build(kPlain, o);
  const auto bytes = cache.serialize();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string fingerprint = open_device("onednn").fingerprint();
  EXPECT_EQ(fingerprint.find("oneDNN 3."), 0u) << fingerprint;
  EXPECT_NE(text.find("onednn_matmul.1{} on " + fingerprint), std::string::npos) << text;
  EXPECT_NE(text.find("gemm_packed.1{"), std::string::npos) << text;
  EXPECT_EQ(text.find("} on x86"), std::string::npos) << text;
}

// What the cache says of our own kernels decides whether the library's are timed at all.
TEST_F(OnednnEngines, AreNotMeasuredWhereTheyCannotWin) {
  CompileOptions o = options_of("cpu", 4);
  TimingCache cache(find_target("cpu").device().fingerprint());
  o.tuner.cache = &cache;
  o.tuner.disabled = {"onednn"};
  build(kPlain, o);
  constexpr double kAtOnce = 1e-6;
  for (const Hash128& problem : cache.problems()) cache.put(problem, cache.best(problem)->first, {kAtOnce, kAtOnce});
  o.tuner.disabled.clear();
  build(kPlain, o);
  const auto bytes = cache.serialize();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()).find("onednn"), std::string::npos);
}

TEST_F(OnednnEngines, DamagedWeightsAreRefused) {
  const plan::Plan plan = build(kVolumes, options_of("cpu", 0, kProfiles));
  const auto damaged = [&](const std::string& name, const Attribute& value) {
    plan::Plan copy = plan;
    for (plan::StepInfo& step : copy.programs[0].steps)
      if (step.kernel == "conv") step.parameters.set(name, value);
    auto engine = reload(copy);
    auto context = engine->create_context();
    try {
      run(*context, {volume(2, 5)});
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("conv"), std::string::npos) << error.what();
      return error.code();
    }
    return Code::kOk;
  };
  EXPECT_EQ(damaged("copied", int64_t{1}), Code::kOk);
  EXPECT_EQ(damaged("weights", std::string("no such layout")), Code::kMalformedPlan);
  EXPECT_EQ(damaged("weights", std::string("")), Code::kMalformedPlan);
  EXPECT_NE(damaged("groups", int64_t{2}), Code::kOk);
}

// Is a library with this in its name part of the process?
bool is_loaded(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find(name) != std::string::npos) return true;
  return false;
}

TEST_F(OnednnEngines, ShareOneRuntimeOfThreads) {
  reload(build(kVolumes, options_of("cpu", 0, kProfiles)));
  EXPECT_TRUE(is_loaded("libdnnl.so"));
  EXPECT_TRUE(is_loaded("libgomp"));
  EXPECT_FALSE(is_loaded("libiomp5"));
  EXPECT_FALSE(is_loaded("libomp.so"));
}

}  // namespace
}  // namespace kiln::testing
