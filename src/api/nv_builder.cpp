// IBuilder, IBuilderConfig, IOptimizationProfile, ITimingCache.
#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <optional>

#include "api/nv_network.h"
#include "compiler/compile.h"

namespace kiln::api {
namespace {

using Select = nvinfer1::OptProfileSelector;

class ProfileImpl final : public nvinfer1::IOptimizationProfile {
 public:
  explicit ProfileImpl(const Reporter& reporter) : reporter_(reporter) {}
  bool setDimensions(char const* input, Select select, nvinfer1::Dims const& dims) noexcept override {
    const auto at = static_cast<size_t>(select);
    return guarded(reporter_, false, [&] {
      if (!input || at > 2)
        throw Error(Code::kInvalidArgument, "setDimensions needs an input's name and kMIN, kOPT or kMAX");
      const Dims given = from_nv(dims);
      if (std::any_of(given.begin(), given.end(), [](int64_t d) { return d < 0; }))
        throw Error(Code::kInvalidArgument, std::string("the profile of '") + input + "' has a negative dimension");
      bounds_[input][at] = given;
      return true;
    });
  }
  nvinfer1::Dims getDimensions(char const* input, Select select) const noexcept override {
    const auto it = input ? bounds_.find(input) : bounds_.end();
    const auto at = static_cast<size_t>(select);
    if (it == bounds_.end() || at > 2 || !it->second[at]) return unknown_dims();
    return guarded(reporter_, unknown_dims(), [&] { return to_nv(*it->second[at]); });
  }
  bool isValid() const noexcept override {
    return std::all_of(bounds_.begin(), bounds_.end(), [](const auto& item) {
      const auto& b = item.second;
      if (!b[0] || !b[1] || !b[2] || b[0]->size() != b[1]->size() || b[1]->size() != b[2]->size()) return false;
      for (size_t i = 0; i < b[0]->size(); ++i)
        if ((*b[0])[i] > (*b[1])[i] || (*b[1])[i] > (*b[2])[i]) return false;
      return true;
    });
  }
  ProfileBounds bounds() const {
    ProfileBounds out;
    for (const auto& [name, b] : bounds_) out[name] = {*b[0], *b[1], *b[2]};
    return out;
  }

 private:
  mutable Reporter reporter_;
  std::map<std::string, std::array<std::optional<Dims>, 3>> bounds_;
};

class TimingCacheImpl final : public nvinfer1::ITimingCache {
 public:
  TimingCacheImpl(const Reporter& reporter, TimingCache cache, std::string fingerprint)
      : cache(std::move(cache)), reporter_(reporter), fingerprint_(std::move(fingerprint)) {}
  nvinfer1::IHostMemory* serialize() const noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::IHostMemory*>(nullptr),
                   [&] { return new HostMemory(cache.serialize()); });
  }
  bool combine(nvinfer1::ITimingCache const& other, bool ignore_mismatch) noexcept override {
    return guarded(reporter_, false, [&] {
      return cache.combine(static_cast<const TimingCacheImpl&>(other).cache, ignore_mismatch), true;
    });
  }
  bool reset() noexcept override { return cache.clear(), true; }
  const std::string& fingerprint() const { return fingerprint_; }

  mutable TimingCache cache;  // builds fill it

 private:
  mutable Reporter reporter_;
  std::string fingerprint_;
};

class ConfigImpl final : public nvinfer1::IBuilderConfig {
 public:
  explicit ConfigImpl(const Reporter& reporter) : reporter_(reporter) {}
  void setFlags(nvinfer1::BuilderFlags flags) noexcept override { s.flags = flags; }
  nvinfer1::BuilderFlags getFlags() const noexcept override { return s.flags; }
  void setFlag(nvinfer1::BuilderFlag flag) noexcept override { s.flags |= 1U << static_cast<uint32_t>(flag); }
  void clearFlag(nvinfer1::BuilderFlag flag) noexcept override { s.flags &= ~(1U << static_cast<uint32_t>(flag)); }
  bool getFlag(nvinfer1::BuilderFlag flag) const noexcept override {
    return s.flags >> static_cast<uint32_t>(flag) & 1;
  }
  void setMemoryPoolLimit(nvinfer1::MemoryPoolType pool, std::size_t size) noexcept override {
    if (pool != nvinfer1::MemoryPoolType::kWORKSPACE)
      return reporter_.report(Code::kInvalidArgument, "setMemoryPoolLimit: the device has no such pool");
    s.workspace = size;
  }
  std::size_t getMemoryPoolLimit(nvinfer1::MemoryPoolType pool) const noexcept override {
    return pool == nvinfer1::MemoryPoolType::kWORKSPACE ? s.workspace : 0;
  }
  void setBuilderOptimizationLevel(int32_t level) noexcept override {
    if (level < 0 || level > 5)
      return reporter_.report(Code::kInvalidArgument, "the builder optimisation level is 0 to 5");
    s.level = level;
  }
  int32_t getBuilderOptimizationLevel() noexcept override { return s.level; }
  void setAvgTimingIterations(int32_t count) noexcept override {
    if (count < 1) return reporter_.report(Code::kInvalidArgument, "the number of timing iterations is at least 1");
    s.iterations = count;
  }
  int32_t getAvgTimingIterations() const noexcept override { return s.iterations; }
  int32_t addOptimizationProfile(nvinfer1::IOptimizationProfile const* profile) noexcept override {
    if (!profile || !profile->isValid())
      return reporter_.report(Code::kInvalidArgument,
                              "the optimisation profile is not complete, or not min <= opt <= max"),
             -1;
    return guarded(reporter_, -1, [&] {
      return s.profiles.push_back(static_cast<const ProfileImpl*>(profile)), getNbOptimizationProfiles() - 1;
    });
  }
  int32_t getNbOptimizationProfiles() const noexcept override { return static_cast<int32_t>(s.profiles.size()); }
  void setProfilingVerbosity(nvinfer1::ProfilingVerbosity verbosity) noexcept override { s.verbosity = verbosity; }
  nvinfer1::ProfilingVerbosity getProfilingVerbosity() const noexcept override { return s.verbosity; }
  nvinfer1::ITimingCache* createTimingCache(void const* blob, std::size_t size) const noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::ITimingCache*>(nullptr), [&] {
      const std::string fingerprint = api_device().fingerprint();
      TimingCache cache(fingerprint);
      if (blob && size > 0) cache = TimingCache::parse({static_cast<const std::byte*>(blob), size}, fingerprint);
      return new TimingCacheImpl(reporter_, std::move(cache), fingerprint);
    });
  }
  bool setTimingCache(nvinfer1::ITimingCache const& cache, bool ignore_mismatch) noexcept override {
    const auto& own = static_cast<const TimingCacheImpl&>(cache);
    return guarded(reporter_, false, [&] {
      if (!ignore_mismatch && own.fingerprint() != api_device().fingerprint())
        throw Error(Code::kMalformedCache, "the timing cache is another device's");
      s.cache = &own;
      return true;
    });
  }
  nvinfer1::ITimingCache const* getTimingCache() const noexcept override { return s.cache; }
  void setProgressMonitor(nvinfer1::IProgressMonitor* monitor) noexcept override { s.monitor = monitor; }
  nvinfer1::IProgressMonitor* getProgressMonitor() const noexcept override { return s.monitor; }
  void reset() noexcept override { s = {}; }

  struct Settings {
    nvinfer1::BuilderFlags flags = 0;
    std::size_t workspace = SIZE_MAX;
    int32_t level = 3, iterations = 8;
    nvinfer1::ProfilingVerbosity verbosity = nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY;
    std::vector<const ProfileImpl*> profiles;
    const TimingCacheImpl* cache = nullptr;
    nvinfer1::IProgressMonitor* monitor = nullptr;
  } s;

 private:
  mutable Reporter reporter_;
};

// Tells the user's monitor about the choice of tactics, which takes nearly all of a build.
class Progress {
 public:
  explicit Progress(nvinfer1::IProgressMonitor* monitor) : monitor_(monitor) {
    if (monitor_) monitor_->phaseStart(kBuild, nullptr, 1);
  }
  ~Progress() {
    if (!monitor_) return;
    if (total_) monitor_->phaseFinish(kTactics);
    monitor_->phaseFinish(kBuild);
  }
  bool step(size_t done, size_t total) {
    if (!monitor_) return true;
    if (!total_) monitor_->phaseStart(kTactics, kBuild, static_cast<int32_t>(total));
    total_ = total;
    return monitor_->stepComplete(kTactics, static_cast<int32_t>(done));
  }

 private:
  static constexpr const char* kBuild = "Building the engine";
  static constexpr const char* kTactics = "Choosing tactics";
  nvinfer1::IProgressMonitor* monitor_;
  size_t total_ = 0;
};

class BuilderImpl final : public nvinfer1::IBuilder {
 public:
  explicit BuilderImpl(nvinfer1::ILogger* logger) : reporter_(logger) {}
  nvinfer1::INetworkDefinition* createNetworkV2(nvinfer1::NetworkDefinitionCreationFlags flags) noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::INetworkDefinition*>(nullptr),
                   [&] { return new NetworkImpl(*this, reporter_, flags); });
  }
  nvinfer1::IBuilderConfig* createBuilderConfig() noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::IBuilderConfig*>(nullptr),
                   [&] { return new ConfigImpl(reporter_); });
  }
  nvinfer1::IOptimizationProfile* createOptimizationProfile() noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::IOptimizationProfile*>(nullptr),
                   [&] { return profiles_.emplace_back(std::make_unique<ProfileImpl>(reporter_)).get(); });
  }
  nvinfer1::IHostMemory* buildSerializedNetwork(nvinfer1::INetworkDefinition& network,
                                                nvinfer1::IBuilderConfig& config) noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::IHostMemory*>(nullptr),
                   [&] { return new HostMemory(build(network, config)); });
  }
  nvinfer1::ICudaEngine* buildEngineWithConfig(nvinfer1::INetworkDefinition& network,
                                               nvinfer1::IBuilderConfig& config) noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::ICudaEngine*>(nullptr), [&] {
      const std::vector<std::byte> bytes = build(network, config);
      return load_engine(bytes.data(), bytes.size(), reporter_, allocator_);
    });
  }
  bool isNetworkSupported(nvinfer1::INetworkDefinition const& network,
                          nvinfer1::IBuilderConfig const&) const noexcept override {
    return guarded(reporter_, false, [&] {
      auto& own = const_cast<NetworkImpl&>(static_cast<const NetworkImpl&>(network));
      return ir::verify(*own.lower()), true;
    });
  }
  void setGpuAllocator(nvinfer1::IGpuAllocator* allocator) noexcept override { allocator_ = allocator; }
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { reporter_.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return reporter_.recorder(); }
  nvinfer1::ILogger* getLogger() const noexcept override { return reporter_.logger(); }

 private:
  std::vector<std::byte> build(nvinfer1::INetworkDefinition& network, nvinfer1::IBuilderConfig& config) {
    const auto& settings = static_cast<ConfigImpl&>(config).s;
    Progress progress(settings.monitor);
    CompileOptions options;
    options.name = network.getName();
    options.logger = &reporter_;
    options.passes.logger = &reporter_;
    for (const ProfileImpl* profile : settings.profiles) options.profiles.push_back(profile->bounds());
    options.tuner.level = settings.level;
    options.tuner.iterations = settings.iterations;
    if (settings.cache && !config.getFlag(nvinfer1::BuilderFlag::kDISABLE_TIMING_CACHE))
      options.tuner.cache = &settings.cache->cache;
    options.tuner.progress = [&](size_t done, size_t total, const std::string&) { return progress.step(done, total); };
    plan::Plan plan = compile(static_cast<NetworkImpl&>(network).lower(), options);
    for (const plan::Program& program : plan.programs)
      for (const plan::StepInfo& step : program.steps)
        if (step.workspace_size > settings.workspace)
          throw Error(Code::kOutOfMemory, "tactic " + step.tactic + " takes a workspace of " +
                                              std::to_string(step.workspace_size) + " bytes")
              .node(step.name)
              .cause("the limit is " + std::to_string(settings.workspace))
              .remedy("raise it with setMemoryPoolLimit(kWORKSPACE)");
    plan.build_info = "{\"profiling_verbosity\":" + std::to_string(static_cast<int32_t>(settings.verbosity)) + "}";
    return plan::write(plan);
  }

  mutable Reporter reporter_;
  std::vector<std::unique_ptr<ProfileImpl>> profiles_;
  nvinfer1::IGpuAllocator* allocator_ = nullptr;
};

}  // namespace
}  // namespace kiln::api

extern "C" void* createInferBuilder_INTERNAL(void* logger, int32_t version) noexcept {
  if (!logger || version / 10000 != NV_TENSORRT_MAJOR) return nullptr;
  return static_cast<nvinfer1::IBuilder*>(new (std::nothrow)
                                              kiln::api::BuilderImpl(static_cast<nvinfer1::ILogger*>(logger)));
}
