// Builder, configuration, profiles, timing cache.
#pragma once
#include "nvinfer/calibrator.h"
#include "nvinfer/network.h"

namespace nvinfer1 {

// kINT8: products of tensors whose ranges are known compute in int8. kFP16 to kFP4, kTF32 and kSPARSE_WEIGHTS allow what may be faster, never force it: a build on a device without faster kernels of
// that kind says so in the log, by the flag's name, and keeps the types of the network.
enum class BuilderFlag : int32_t {
  kFP16 = 0,
  kINT8 = 1,
  kDISABLE_TIMING_CACHE = 5,  // measure anew; the cache of the configuration is neither read nor filled
  kTF32 = 6,                  // products of float32 with 10 bits of mantissa; set at first
  kSPARSE_WEIGHTS = 7,        // kernels for weights of which two of four are zero
  kOBEY_PRECISION_CONSTRAINTS =
      9,  // a build fails when a layer does not compute in the type that ILayer::setPrecision gives
  kPREFER_PRECISION_CONSTRAINTS = 10,  // the log says so
  kFP8 = 14,
  kERROR_ON_TIMING_CACHE_MISS = 15,  // a build fails when the cache of the configuration lacks a time
  kBF16 = 16,
  // Kernels that are compiled for a layer are neither taken from the cache of the configuration nor left there, where they are up to 64 MiB of
  // what it serializes to. They run as they stand: for a cache that somebody may have written who is not trusted to run code on the device.
  kDISABLE_COMPILATION_CACHE = 17,
  kINT4 = 21,
  kFP4 = 25,
  kEDITABLE_TIMING_CACHE = 26,  // tactics that ITimingCache::update names go before faster ones
};
using BuilderFlags = uint32_t;
enum class MemoryPoolType : int32_t { kWORKSPACE = 0 };  // bytes that one layer may use beside its inputs and outputs

// Libraries that give tactics beside Kiln's own. On the CPU that is oneDNN, which any of these allows.
enum class TacticSource : int32_t { kCUBLAS = 0, kCUBLAS_LT = 1, kCUDNN = 2 };
using TacticSources = uint32_t;  // bits 1 << TacticSource
enum class PreviewFeature : int32_t {
  kFASTER_DYNAMIC_SHAPES_0805 = 0,                     // always so
  kDISABLE_EXTERNAL_TACTIC_SOURCES_FOR_CORE_0805 = 1,  // Kiln's own tactics only, whatever the tactic sources
  kPROFILE_SHARING_0806 = 2,                           // always so: any number of contexts may use a profile
};

// Bounds of the inputs' shapes. Owned by the builder. An engine runs best at kOPT.
class IOptimizationProfile : public INoCopy {
 public:
  virtual bool setDimensions(char const* inputName, OptProfileSelector select, Dims const& dims) noexcept = 0;
  virtual Dims getDimensions(char const* inputName,
                             OptProfileSelector select) const noexcept = 0;  // nbDims -1 when not set
  // Bounds of the elements of an INT32 or INT64 input that gives shapes; 0 <= min <= opt <= max, the same number for each.
  virtual bool setShapeValuesV2(char const* inputName, OptProfileSelector select, int64_t const* values,
                                int32_t nbValues) noexcept = 0;
  virtual int64_t const* getShapeValuesV2(char const* inputName,
                                          OptProfileSelector select) const noexcept = 0;  // null when not set
  virtual bool setShapeValues(char const* inputName, OptProfileSelector select, int32_t const* values,
                              int32_t nbValues) noexcept = 0;
  virtual int32_t const* getShapeValues(char const* inputName, OptProfileSelector select) const noexcept = 0;
  virtual int32_t getNbShapeValues(char const* inputName) const noexcept = 0;  // -1 when not set
  virtual bool isValid() const noexcept = 0;  // all three of each input, min <= opt <= max
};

// Names a problem of the tuner: a layer with shapes and types.
struct TimingCacheKey {
  uint8_t data[16];
};
// The tactic that a build takes from the cache, and its milliseconds.
struct TimingCacheValue {
  uint64_t tacticHash;
  float timingMSec;
  static constexpr uint64_t kINVALID_TACTIC_HASH = UINT64_MAX;
};

// Measured times of tactics and the code that was compiled for them, for the next build on the same device. One thread at a time, builds that use it included.
class ITimingCache : public INoCopy {
 public:
  virtual IHostMemory* serialize() const noexcept = 0;
  virtual bool combine(ITimingCache const& inputCache, bool ignoreMismatch) noexcept = 0;
  virtual bool reset() noexcept = 0;
  // How many keys there are; so many as fit are written to the buffer. -1, reported, for a null buffer of some capacity.
  virtual int64_t queryKeys(TimingCacheKey* keyBuffer, int64_t capacity) const noexcept = 0;
  // tacticHash is kINVALID_TACTIC_HASH for an unknown key.
  virtual TimingCacheValue query(TimingCacheKey const& key) const noexcept = 0;
  // Makes that tactic the one to take, for builds with kEDITABLE_TIMING_CACHE. The verbose log of a build tells each tactic's hash.
  // False for an unknown key, and for a tactic that was not measured for it.
  virtual bool update(TimingCacheKey const& key, TimingCacheValue const& value) noexcept = 0;
};

// Written by the user: the phases of a build. Called from the thread that builds.
class IProgressMonitor : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IProgressMonitor", 1, 0}; }
  virtual void phaseStart(char const* phaseName, char const* parentPhase, int32_t nbSteps) noexcept = 0;
  virtual bool stepComplete(char const* phaseName, int32_t step) noexcept = 0;  // false cancels the build
  virtual void phaseFinish(char const* phaseName) noexcept = 0;
};

// How to build. What is set by pointer or reference (cache, monitor, profiles, stream) outlives the builds.
class IBuilderConfig : public INoCopy {
 public:
  virtual void setFlags(BuilderFlags builderFlags) noexcept = 0;
  virtual BuilderFlags getFlags() const noexcept = 0;
  virtual void setFlag(BuilderFlag builderFlag) noexcept = 0;
  virtual void clearFlag(BuilderFlag builderFlag) noexcept = 0;
  virtual bool getFlag(BuilderFlag builderFlag) const noexcept = 0;
  // A build fails when a layer takes more.
  virtual void setMemoryPoolLimit(MemoryPoolType pool, std::size_t poolSize) noexcept = 0;
  virtual std::size_t getMemoryPoolLimit(MemoryPoolType pool) const noexcept = 0;
  void setMaxWorkspaceSize(std::size_t size) noexcept { setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, size); }
  std::size_t getMaxWorkspaceSize() const noexcept { return getMemoryPoolLimit(MemoryPoolType::kWORKSPACE); }
  // 0 (quickest build) to 5 (fastest engine); 3 at first.
  virtual void setBuilderOptimizationLevel(int32_t level) noexcept = 0;
  virtual int32_t getBuilderOptimizationLevel() noexcept = 0;
  virtual void setAvgTimingIterations(int32_t avgTiming) noexcept = 0;  // runs of each tactic; 8 at first
  virtual int32_t getAvgTimingIterations() const noexcept = 0;
  virtual int32_t addOptimizationProfile(IOptimizationProfile const* profile) noexcept = 0;  // its index, or -1
  virtual int32_t getNbOptimizationProfiles() const noexcept = 0;
  virtual void setProfilingVerbosity(ProfilingVerbosity verbosity) noexcept = 0;
  virtual ProfilingVerbosity getProfilingVerbosity() const noexcept = 0;
  // Empty blob: an empty cache. Null when the bytes are damaged or another device's.
  virtual ITimingCache* createTimingCache(void const* blob, std::size_t size) const noexcept = 0;
  // The cache outlives the builds; they read and fill it.
  virtual bool setTimingCache(ITimingCache const& cache, bool ignoreMismatch) noexcept = 0;
  virtual ITimingCache const* getTimingCache() const noexcept = 0;
  virtual void setProgressMonitor(IProgressMonitor* monitor) noexcept = 0;
  virtual IProgressMonitor* getProgressMonitor() const noexcept = 0;
  // The build waits for the work that is queued here before it measures; null for none.
  virtual void setProfileStream(cudaStream_t stream) noexcept = 0;
  virtual cudaStream_t getProfileStream() const noexcept = 0;
  // Tactics that are measured for each layer, the ones that are expected to be fast first; -1, as at first: the level decides.
  virtual void setMaxNbTactics(int32_t maxTactics) noexcept = 0;
  virtual int32_t getMaxNbTactics() const noexcept = 0;
  virtual bool setTacticSources(
      TacticSources tacticSources) noexcept = 0;  // all at first; false for bits that name no source
  virtual TacticSources getTacticSources() const noexcept = 0;
  virtual void setPreviewFeature(PreviewFeature feature, bool enable) noexcept = 0;
  virtual bool getPreviewFeature(PreviewFeature feature) const noexcept = 0;
  virtual void setEngineCapability(EngineCapability capability) noexcept = 0;
  virtual EngineCapability getEngineCapability() const noexcept = 0;
  // What gives ranges to a build with BuilderFlag::kINT8; null for none: then only tensors with a range of their own, and what the network
  // quantizes itself, are of int8. The profile bounds dynamic inputs while data is looked at; none: the first.
  virtual void setInt8Calibrator(IInt8Calibrator* calibrator) noexcept = 0;
  virtual IInt8Calibrator* getInt8Calibrator() const noexcept = 0;
  virtual bool setCalibrationProfile(IOptimizationProfile const* profile) noexcept = 0;  // false for an invalid one
  virtual IOptimizationProfile const* getCalibrationProfile() noexcept = 0;
  // Streams beside that of an enqueue in which independent layers may run, at most: an engine takes as many of them as the times of its
  // layers let expect a gain from (ICudaEngine::getNbAuxStreams), and no more than 7. 0: layers run one after another. At first -1: up to
  // 4, where the whole engine is measured to be faster, in captured inferences alone where the host cannot keep several streams busy. Devices that run one stream at a time, as the CPU, take none.
  virtual void setMaxAuxStreams(int32_t nbStreams) noexcept = 0;
  virtual int32_t getMaxAuxStreams() const noexcept = 0;
  virtual void reset() noexcept = 0;
};

// Makes networks and configurations, and engines out of both. One thread at a time; builders of different threads are independent. What it
// makes is deleted by the user, profiles excepted. It outlives its networks.
class IBuilder : public INoCopy {
 public:
  virtual INetworkDefinition* createNetworkV2(NetworkDefinitionCreationFlags flags) noexcept = 0;
  virtual IBuilderConfig* createBuilderConfig() noexcept = 0;
  virtual IOptimizationProfile* createOptimizationProfile() noexcept = 0;  // lives as long as the builder
  // Null, with the reason at the logger and the error recorder, when the network cannot be built.
  virtual IHostMemory* buildSerializedNetwork(INetworkDefinition& network, IBuilderConfig& config) noexcept = 0;
  virtual bool buildSerializedNetworkToStream(INetworkDefinition& network, IBuilderConfig& config,
                                              IStreamWriter& writer) noexcept = 0;
  virtual ICudaEngine* buildEngineWithConfig(INetworkDefinition& network, IBuilderConfig& config) noexcept = 0;
  virtual bool isNetworkSupported(INetworkDefinition const& network, IBuilderConfig const& config) const noexcept = 0;
  virtual void setGpuAllocator(IGpuAllocator* allocator) noexcept = 0;  // of the engines that are built
  virtual void setErrorRecorder(IErrorRecorder* recorder) noexcept = 0;
  virtual IErrorRecorder* getErrorRecorder() const noexcept = 0;
  virtual ILogger* getLogger() const noexcept = 0;
  // Threads of the device that measured tactics use, at least 1; all that there are at first. Times for other numbers are kept apart.
  virtual bool setMaxThreads(int32_t maxThreads) noexcept = 0;
  virtual int32_t getMaxThreads() const noexcept = 0;
  virtual void reset() noexcept = 0;  // no allocator, no error recorder, no limit of threads
  // What the device has kernels for that are faster than those of float32.
  virtual bool platformHasFastFp16() const noexcept = 0;
  virtual bool platformHasFastInt8() const noexcept = 0;
  virtual bool platformHasTf32() const noexcept = 0;
  virtual int32_t getNbDLACores() const noexcept = 0;       // 0
  virtual int32_t getMaxDLABatchSize() const noexcept = 0;  // 0
};

}  // namespace nvinfer1
