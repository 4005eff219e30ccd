// Builder, configuration, profiles, timing cache.
#pragma once
#include "nvinfer/network.h"

namespace nvinfer1 {

// kFP16 to kFP4, kTF32 and kSPARSE_WEIGHTS allow what may be faster, never force it: a build on a device without faster kernels of
// that kind says so in the log, by the flag's name, and keeps the types of the network.
enum class BuilderFlag : int32_t {
  kFP16 = 0,
  kINT8 = 1,
  kDISABLE_TIMING_CACHE = 5,  // measure anew; the cache of the configuration is neither read nor filled
  kTF32 = 6,                  // products of float32 with 10 bits of mantissa; set at first
  kSPARSE_WEIGHTS = 7,        // kernels for weights of which two of four are zero
  kFP8 = 14,
  kERROR_ON_TIMING_CACHE_MISS = 15,  // a build fails when the cache of the configuration lacks a time
  kBF16 = 16,
  kINT4 = 21,
  kFP4 = 25,
};
using BuilderFlags = uint32_t;
enum class MemoryPoolType : int32_t { kWORKSPACE = 0 };  // bytes that one layer may use beside its inputs and outputs

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

// Measured times of tactics, for the next build on the same device.
class ITimingCache : public INoCopy {
 public:
  virtual IHostMemory* serialize() const noexcept = 0;
  virtual bool combine(ITimingCache const& inputCache, bool ignoreMismatch) noexcept = 0;
  virtual bool reset() noexcept = 0;
};

// Written by the user: the phases of a build. Called from the thread that builds.
class IProgressMonitor : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IProgressMonitor", 1, 0}; }
  virtual void phaseStart(char const* phaseName, char const* parentPhase, int32_t nbSteps) noexcept = 0;
  virtual bool stepComplete(char const* phaseName, int32_t step) noexcept = 0;  // false cancels the build
  virtual void phaseFinish(char const* phaseName) noexcept = 0;
};

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
  virtual void setEngineCapability(EngineCapability capability) noexcept = 0;
  virtual EngineCapability getEngineCapability() const noexcept = 0;
  virtual void setMaxAuxStreams(int32_t nbStreams) noexcept = 0;  // engines take none
  virtual int32_t getMaxAuxStreams() const noexcept = 0;
  virtual void reset() noexcept = 0;
};

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
  virtual void reset() noexcept = 0;  // no allocator, no error recorder
  // What the device has kernels for that are faster than those of float32.
  virtual bool platformHasFastFp16() const noexcept = 0;
  virtual bool platformHasFastInt8() const noexcept = 0;
  virtual bool platformHasTf32() const noexcept = 0;
  virtual int32_t getNbDLACores() const noexcept = 0;       // 0
  virtual int32_t getMaxDLABatchSize() const noexcept = 0;  // 0
};

}  // namespace nvinfer1
