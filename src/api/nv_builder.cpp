// IBuilder.
#include <algorithm>
#include <chrono>
#include <new>

#include "api/nv_calibration.h"
#include "api/run/streams.h"
#include "base/work.h"

namespace kiln::api {

bool ProfileImpl::complete(const std::map<std::string, Three>& bounds) {
  return std::all_of(bounds.begin(), bounds.end(), [](const auto& item) {
    const Three& b = item.second;
    if (!b[0] || !b[1] || !b[2] || b[0]->size() != b[1]->size() || b[1]->size() != b[2]->size()) return false;
    for (size_t i = 0; i < b[0]->size(); ++i)
      if ((*b[0])[i] > (*b[1])[i] || (*b[1])[i] > (*b[2])[i]) return false;
    return true;
  });
}

int32_t const* ProfileImpl::getShapeValues(char const* input, Select select) const noexcept {
  const Dims* values = find_values(input, select);
  return guarded(reporter_, static_cast<int32_t const*>(nullptr), [&]() -> int32_t const* {
    if (!values) return nullptr;
    auto& narrow = narrow_[{input, select}];
    narrow.assign(values->begin(), values->end());
    return narrow.data();
  });
}

namespace {

// Flags that allow what the device may not have, with what the build does instead.
struct Permission {
  nvinfer1::BuilderFlag flag;
  DType type;
  const char* text;
};
constexpr const char* kCast = "remedy: cast tensors of the network where you want that type";
constexpr const char* kQuantize = "remedy: quantise the network with IQuantizeLayer and IDequantizeLayer";
constexpr Permission kPermissions[] = {
    {nvinfer1::BuilderFlag::kFP16, DType::kF16, kCast},
    {nvinfer1::BuilderFlag::kBF16, DType::kBF16, kCast},
    {nvinfer1::BuilderFlag::kINT8, DType::kI8, kQuantize},
    {nvinfer1::BuilderFlag::kFP8, DType::kF8E4M3FN, kQuantize},
    {nvinfer1::BuilderFlag::kINT4, DType::kI4, kQuantize},
    {nvinfer1::BuilderFlag::kFP4, DType::kF4E2M1, kQuantize},
    {nvinfer1::BuilderFlag::kSPARSE_WEIGHTS, DType::kInvalid, "weights are used as dense ones"},
};

const char* name_of(nvinfer1::BuilderFlag flag) {
  using F = nvinfer1::BuilderFlag;
  switch (flag) {
    case F::kFP16: return "kFP16";
    case F::kBF16: return "kBF16";
    case F::kINT8: return "kINT8";
    case F::kFP8: return "kFP8";
    case F::kINT4: return "kINT4";
    case F::kFP4: return "kFP4";
    default: return "kSPARSE_WEIGHTS";
  }
}

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
  // Asks now and then whether to go on; also between and inside steps.
  bool stopped() {
    const auto now = std::chrono::steady_clock::now();
    if (!monitor_ || now - asked_ < kOften) return false;
    asked_ = now;
    return !monitor_->stepComplete(total_ ? kTactics : kBuild, done_);
  }
  bool step(size_t done, size_t total) {
    if (!monitor_) return true;
    if (!total_) monitor_->phaseStart(kTactics, kBuild, static_cast<int32_t>(total));
    total_ = total;
    done_ = static_cast<int32_t>(done);
    return monitor_->stepComplete(kTactics, static_cast<int32_t>(done));
  }

 private:
  static constexpr const char* kBuild = "Building the engine";
  static constexpr const char* kTactics = "Choosing tactics";
  static constexpr auto kOften = std::chrono::milliseconds(50);
  nvinfer1::IProgressMonitor* monitor_;
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
  size_t total_ = 0;
  int32_t done_ = 0;
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
  bool buildSerializedNetworkToStream(nvinfer1::INetworkDefinition& network, nvinfer1::IBuilderConfig& config,
                                      nvinfer1::IStreamWriter& writer) noexcept override {
    return guarded(reporter_, false, [&] {
      const std::vector<std::byte> bytes = build(network, config);
      const auto size = static_cast<int64_t>(bytes.size());
      if (const int64_t taken = writer.write(bytes.data(), size); taken != size)
        throw Error(Code::kIo,
                    "the stream writer took " + std::to_string(taken) + " of " + std::to_string(size) + " bytes");
      return true;
    });
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
      return ir::verify(*own.lower().graph), true;
    });
  }
  void setGpuAllocator(nvinfer1::IGpuAllocator* allocator) noexcept override { allocator_ = allocator; }
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { reporter_.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return reporter_.recorder(); }
  nvinfer1::ILogger* getLogger() const noexcept override { return reporter_.logger(); }
  bool setMaxThreads(int32_t count) noexcept override {
    if (count < 1) return reporter_.report(Code::kInvalidArgument, "setMaxThreads: the number is at least 1"), false;
    return max_threads_ = count, true;
  }
  int32_t getMaxThreads() const noexcept override {
    return max_threads_ > 0 ? max_threads_ : device_threads(reporter_);
  }
  void reset() noexcept override { allocator_ = nullptr, max_threads_ = 0, reporter_.set_recorder(nullptr); }
  bool platformHasFastFp16() const noexcept override {
    return guarded(reporter_, false, [] { return default_target().computes_in(DType::kF16); });
  }
  bool platformHasFastInt8() const noexcept override {
    return guarded(reporter_, false, [] { return default_target().computes_in(DType::kI8); });
  }
  bool platformHasTf32() const noexcept override { return false; }
  int32_t getNbDLACores() const noexcept override { return 0; }
  int32_t getMaxDLABatchSize() const noexcept override { return 0; }

 private:
  // Says which permissions change nothing here.
  void warn(const nvinfer1::IBuilderConfig& config) {
    for (const Permission& p : kPermissions)
      if (config.getFlag(p.flag) && !default_target().computes_in(p.type))
        reporter_.log(Severity::kWarning,
                      std::string("BuilderFlag::") + name_of(p.flag) +
                          ": this device has no faster kernels of that kind; layers keep the types of "
                          "the network\n  " +
                          p.text);
  }
  // What the layers ask for counts where a flag says so.
  static void put_precisions(NetworkImpl& network, const nvinfer1::IBuilderConfig& config, Precisions& precisions) {
    precisions.obey = config.getFlag(nvinfer1::BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
    if (!precisions.obey && !config.getFlag(nvinfer1::BuilderFlag::kPREFER_PRECISION_CONSTRAINTS)) return;
    for (const auto& layer : network.layers())
      if (layer->precision) precisions.layers.push_back({layer->name, *layer->precision});
  }
  std::vector<std::byte> build(nvinfer1::INetworkDefinition& network, nvinfer1::IBuilderConfig& config) {
    const auto& settings = static_cast<ConfigImpl&>(config).s;
    warn(config);
    if (settings.stream) throw_if_error(stream_of(api_device(), settings.stream).synchronize());
    Progress progress(settings.monitor);
    const WorkScope scope({.name = "the build", .stopped = [&] { return progress.stopped(); }});
    CompileOptions options;
    options.name = network.getName();
    options.logger = &reporter_;
    options.passes.logger = &reporter_;
    std::set<std::string> valued;
    for (const ProfileImpl* profile : settings.profiles) {
      options.profiles.push_back(profile->bounds());
      options.values.push_back(profile->values());
      for (const auto& [input, bounds] : options.values.back()) valued.insert(input);
    }
    using Flag = nvinfer1::BuilderFlag;
    for (const auto& [flag, type] : {std::pair{Flag::kBF16, DType::kBF16}, std::pair{Flag::kFP16, DType::kF16}})
      if (config.getFlag(flag) && default_target().computes_in(type)) options.precisions.compute = type;
    if (options.precisions.compute == DType::kF16 && config.getFlag(Flag::kBF16) &&
        default_target().computes_in(DType::kBF16))
      options.precisions.second = DType::kBF16;
    options.precisions.tf32 = config.getFlag(Flag::kTF32);
    options.tuner.level = settings.level;
    options.tuner.iterations = settings.iterations;
    if (settings.cache && !config.getFlag(nvinfer1::BuilderFlag::kDISABLE_TIMING_CACHE))
      options.tuner.cache = &settings.cache->cache;
    options.tuner.keeps_code = !config.getFlag(nvinfer1::BuilderFlag::kDISABLE_COMPILATION_CACHE);
    options.tuner.cache_only =
        options.tuner.cache && config.getFlag(nvinfer1::BuilderFlag::kERROR_ON_TIMING_CACHE_MISS);
    options.tuner.progress = [&](size_t done, size_t total, const std::string&) { return progress.step(done, total); };
    options.tuner.obey_pins = config.getFlag(nvinfer1::BuilderFlag::kEDITABLE_TIMING_CACHE);
    options.tuner.own_only = settings.own_only || settings.sources == 0;
    using Source = nvinfer1::TacticSource;
    for (const auto& [source, tactic] :
         {std::pair{Source::kCUBLAS_LT, "cublaslt"}, std::pair{Source::kCUDNN, "cudnn"}}) {
      const bool is_wanted = settings.sources >> static_cast<uint32_t>(source) & 1;
      if (options.tuner.own_only || !is_wanted) options.passes.disabled.insert(tactic);
    }
    options.tuner.max_candidates = settings.max_tactics;
    options.tuner.max_threads = max_threads_;
    options.max_aux_streams = settings.aux_streams;
    options.tuner.workspace = settings.workspace;
    auto& own = static_cast<NetworkImpl&>(network);
    put_precisions(own, config, options.precisions);
    const bool bytes = config.getFlag(Flag::kINT8) && default_target().computes_in(DType::kI8);
    if (bytes && settings.calibrator) {
      const ProfileImpl* first = settings.profiles.empty() ? nullptr : settings.profiles[0];
      options.ranges = calibrated_ranges(
          own, *settings.calibrator, settings.calibration_profile ? settings.calibration_profile : first, reporter_);
    }
    NetworkImpl::Lowered lowered = own.lower(valued, bytes);
    for (const auto& [name, range] : lowered.ranges) options.ranges[name] = range;
    options.watched = std::move(lowered.watched);
    options.returned = lowered.returned;
    options.output_layouts = std::move(lowered.layouts);
    options.shows_results = own.shows_results();
    plan::Plan plan = compile(std::move(lowered.graph), options);
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
  int32_t max_threads_ = 0;
};

}  // namespace
}  // namespace kiln::api

extern "C" void* createInferBuilder_INTERNAL(void* logger, int32_t version) noexcept {
  if (!logger || version / 10000 != NV_TENSORRT_MAJOR) return nullptr;
  return static_cast<nvinfer1::IBuilder*>(new (std::nothrow)
                                              kiln::api::BuilderImpl(static_cast<nvinfer1::ILogger*>(logger)));
}
