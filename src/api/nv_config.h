// Configurations of builds, profiles, timing caches.
#pragma once
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>

#include "NvInfer.h"
#include "api/run/nv_common.h"
#include "compiler/compile.h"

namespace kiln::api {

class ProfileImpl final : public nvinfer1::IOptimizationProfile {
 public:
  using Select = nvinfer1::OptProfileSelector;
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
  bool setShapeValuesV2(char const* input, Select select, int64_t const* values, int32_t count) noexcept override {
    return set_values(input, select, values, count);
  }
  int64_t const* getShapeValuesV2(char const* input, Select select) const noexcept override {
    const Dims* values = find_values(input, select);
    return values ? values->data() : nullptr;
  }
  bool setShapeValues(char const* input, Select select, int32_t const* values, int32_t count) noexcept override {
    return set_values(input, select, values, count);
  }
  int32_t const* getShapeValues(char const* input, Select select) const noexcept override;
  int32_t getNbShapeValues(char const* input) const noexcept override {
    for (Select select : {Select::kMIN, Select::kOPT, Select::kMAX})
      if (const Dims* values = find_values(input, select)) return static_cast<int32_t>(values->size());
    return -1;
  }
  bool isValid() const noexcept override { return complete(bounds_) && complete(values_); }
  ProfileBounds bounds() const { return all(bounds_); }
  ProfileBounds values() const { return all(values_); }

 private:
  using Three = std::array<std::optional<Dims>, 3>;
  template <class T> bool set_values(char const* input, Select select, T const* values, int32_t count) noexcept {
    return guarded(reporter_, false, [&] {
      const auto at = static_cast<size_t>(select);
      if (!input || at > 2 || !values || count < 1)
        throw Error(Code::kInvalidArgument, "setShapeValues needs an input's name, kMIN, kOPT or kMAX, and values");
      values_[input][at] = Dims(values, values + count);
      return true;
    });
  }
  const Dims* find_values(char const* input, Select select) const noexcept {
    const auto it = input ? values_.find(input) : values_.end();
    const auto at = static_cast<size_t>(select);
    return it == values_.end() || at > 2 || !it->second[at] ? nullptr : &*it->second[at];
  }
  static bool complete(const std::map<std::string, Three>& bounds);
  static ProfileBounds all(const std::map<std::string, Three>& bounds) {
    ProfileBounds out;
    for (const auto& [name, b] : bounds) out[name] = {*b[0], *b[1], *b[2]};
    return out;
  }

  mutable Reporter reporter_;
  std::map<std::string, Three> bounds_, values_;
  mutable std::map<std::pair<std::string, Select>, std::vector<int32_t>> narrow_;  // what getShapeValues gave out
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
  int64_t queryKeys(nvinfer1::TimingCacheKey* buffer, int64_t capacity) const noexcept override {
    return guarded(reporter_, int64_t{-1}, [&] {
      if (capacity < 0 || (!buffer && capacity > 0))
        throw Error(Code::kInvalidArgument, "queryKeys: the buffer is null, or its capacity negative");
      const std::vector<Hash128> problems = cache.problems();
      for (size_t i = 0; i < problems.size() && static_cast<int64_t>(i) < capacity; ++i)
        std::memcpy(buffer[i].data, &problems[i], sizeof(buffer[i].data));
      return static_cast<int64_t>(problems.size());
    });
  }
  nvinfer1::TimingCacheValue query(nvinfer1::TimingCacheKey const& key) const noexcept override {
    constexpr nvinfer1::TimingCacheValue unknown{nvinfer1::TimingCacheValue::kINVALID_TACTIC_HASH, -1};
    return guarded(reporter_, unknown, [&] {
      const auto best = cache.best(problem_of(key));
      return best ? nvinfer1::TimingCacheValue{tactic_hash(best->first), static_cast<float>(best->second)} : unknown;
    });
  }
  bool update(nvinfer1::TimingCacheKey const& key, nvinfer1::TimingCacheValue const& value) noexcept override {
    return guarded(reporter_, false, [&] {
      if (!(value.timingMSec >= 0) || !cache.pin(problem_of(key), value.tacticHash, value.timingMSec))
        throw Error(Code::kInvalidArgument, "update: the cache has no time of tactic " +
                                                std::to_string(value.tacticHash) +
                                                " for the key, or the new time is negative")
            .remedy("take keys from queryKeys, and hashes from the verbose log of the build that filled the cache");
      return true;
    });
  }
  const std::string& fingerprint() const { return fingerprint_; }

  mutable TimingCache cache;  // builds fill it

 private:
  static Hash128 problem_of(const nvinfer1::TimingCacheKey& key) {
    Hash128 problem;
    static_assert(sizeof(problem) == sizeof(key.data));
    std::memcpy(&problem, key.data, sizeof(problem));
    return problem;
  }
  mutable Reporter reporter_;
  std::string fingerprint_;
};

class ConfigImpl final : public nvinfer1::IBuilderConfig {
 public:
  explicit ConfigImpl(const Reporter& reporter) : reporter_(reporter) {}
  void setFlags(nvinfer1::BuilderFlags flags) noexcept override { s.flags = flags; }
  nvinfer1::BuilderFlags getFlags() const noexcept override { return s.flags; }
  void setFlag(nvinfer1::BuilderFlag flag) noexcept override { s.flags |= bit(flag); }
  void clearFlag(nvinfer1::BuilderFlag flag) noexcept override { s.flags &= ~bit(flag); }
  bool getFlag(nvinfer1::BuilderFlag flag) const noexcept override { return s.flags & bit(flag); }
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
  void setProfileStream(cudaStream_t stream) noexcept override { s.stream = stream; }
  cudaStream_t getProfileStream() const noexcept override { return s.stream; }
  void setMaxNbTactics(int32_t count) noexcept override {
    if (count < -1 || count == 0)
      return reporter_.report(Code::kInvalidArgument, "setMaxNbTactics: the number is at least 1, or -1 for no limit");
    s.max_tactics = count;
  }
  int32_t getMaxNbTactics() const noexcept override { return s.max_tactics; }
  bool setTacticSources(nvinfer1::TacticSources sources) noexcept override {
    if (sources & ~kAllSources)
      return reporter_.report(Code::kInvalidArgument, "setTacticSources: a bit names no source"), false;
    s.sources = sources;
    return true;
  }
  nvinfer1::TacticSources getTacticSources() const noexcept override { return s.sources; }
  void setPreviewFeature(nvinfer1::PreviewFeature feature, bool enable) noexcept override {
    if (feature == kOwnOnly) s.own_only = enable;
    else if (feature != kShapes && feature != kSharing)
      reporter_.report(Code::kInvalidArgument, "setPreviewFeature: there is no such feature");
    else if (!enable)
      reporter_.log(Severity::kInfo, "setPreviewFeature: engines are always so; the call changes nothing");
  }
  bool getPreviewFeature(nvinfer1::PreviewFeature feature) const noexcept override {
    return feature == kOwnOnly ? s.own_only : feature == kShapes || feature == kSharing;
  }
  void setEngineCapability(nvinfer1::EngineCapability capability) noexcept override {
    if (capability != nvinfer1::EngineCapability::kSTANDARD)
      reporter_.report(Code::kUnsupported, "setEngineCapability: engines are EngineCapability::kSTANDARD");
  }
  nvinfer1::EngineCapability getEngineCapability() const noexcept override {
    return nvinfer1::EngineCapability::kSTANDARD;
  }
  void setInt8Calibrator(nvinfer1::IInt8Calibrator* calibrator) noexcept override { s.calibrator = calibrator; }
  nvinfer1::IInt8Calibrator* getInt8Calibrator() const noexcept override { return s.calibrator; }
  bool setCalibrationProfile(nvinfer1::IOptimizationProfile const* profile) noexcept override {
    if (profile && !profile->isValid())
      return reporter_.report(Code::kInvalidArgument, "setCalibrationProfile: the profile is not complete"), false;
    s.calibration_profile = static_cast<const ProfileImpl*>(profile);
    return true;
  }
  nvinfer1::IOptimizationProfile const* getCalibrationProfile() noexcept override { return s.calibration_profile; }
  void setMaxAuxStreams(int32_t count) noexcept override {
    if (count < 0)
      return reporter_.report(Code::kInvalidArgument, "setMaxAuxStreams: a number of streams is 0 at least");
    s.aux_streams = count;
  }
  int32_t getMaxAuxStreams() const noexcept override { return s.aux_streams; }
  void reset() noexcept override { s = {}; }

  static constexpr nvinfer1::TacticSources kAllSources = 7;
  static constexpr auto kShapes = nvinfer1::PreviewFeature::kFASTER_DYNAMIC_SHAPES_0805;
  static constexpr auto kOwnOnly = nvinfer1::PreviewFeature::kDISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805;
  static constexpr auto kSharing = nvinfer1::PreviewFeature::kPROFILE_SHARING_0806;
  struct Settings {
    nvinfer1::BuilderFlags flags = 1U << static_cast<uint32_t>(nvinfer1::BuilderFlag::kTF32);
    std::size_t workspace = SIZE_MAX;
    int32_t level = 3, iterations = 8;
    nvinfer1::ProfilingVerbosity verbosity = nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY;
    std::vector<const ProfileImpl*> profiles;
    const TimingCacheImpl* cache = nullptr;
    nvinfer1::IProgressMonitor* monitor = nullptr;
    nvinfer1::IInt8Calibrator* calibrator = nullptr;
    const ProfileImpl* calibration_profile = nullptr;
    cudaStream_t stream = nullptr;
    int32_t aux_streams = -1, max_tactics = -1;
    nvinfer1::TacticSources sources = kAllSources;
    bool own_only = false;
  } s;

 private:
  // Nothing for numbers that are no flag.
  static nvinfer1::BuilderFlags bit(nvinfer1::BuilderFlag flag) {
    const auto i = static_cast<uint32_t>(flag);
    return i < 32 ? 1U << i : 0;
  }
  mutable Reporter reporter_;
};

}  // namespace kiln::api
