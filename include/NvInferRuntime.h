// Loading and running engines: IRuntime, ICudaEngine, IExecutionContext and what they call back.
#pragma once
#include "NvInferRuntimeBase.h"

namespace nvinfer1 {

enum class TensorFormat : int32_t { kLINEAR = 0 };  // row-major
using PluginFormat = TensorFormat;
using TensorFormats = uint32_t;
enum class TensorLocation : int32_t { kDEVICE = 0, kHOST = 1 };
enum class TensorIOMode : int32_t { kNONE = 0, kINPUT = 1, kOUTPUT = 2 };
enum class OptProfileSelector : int32_t { kMIN = 0, kOPT = 1, kMAX = 2 };
enum class ProfilingVerbosity : int32_t { kLAYER_NAMES_ONLY = 0, kNONE = 1, kDETAILED = 2 };
enum class LayerInformationFormat : int32_t { kONELINE = 0, kJSON = 1 };
enum class EngineCapability : int32_t { kSTANDARD = 0 };
enum class AllocatorFlag : int32_t { kRESIZABLE = 0 };
using AllocatorFlags = uint32_t;

// Written by the user: time of each layer of an inference.
class IProfiler {
 public:
  virtual void reportLayerTime(char const* layerName, float ms) noexcept = 0;
  virtual ~IProfiler() noexcept = default;
};

// Written by the user: memory of engines and contexts. Thread-safe. Alignment is a power of two; null refuses.
class IGpuAllocator {
 public:
  virtual void* allocate(uint64_t const size, uint64_t const alignment, AllocatorFlags const flags) noexcept = 0;
  virtual bool deallocate(void* const memory) noexcept = 0;
  virtual ~IGpuAllocator() = default;
};

// Written by the user: memory of an output. With one, the output needs no address.
class IOutputAllocator {
 public:
  // Memory of `size` bytes; may be `currentMemory` when that is large enough. Null refuses.
  virtual void* reallocateOutput(char const* /*tensorName*/, void* /*currentMemory*/, uint64_t /*size*/,
                                 uint64_t /*alignment*/) noexcept {
    return nullptr;
  }
  virtual void* reallocateOutputAsync(char const* tensorName, void* currentMemory, uint64_t size, uint64_t alignment,
                                      cudaStream_t /*stream*/) {
    return reallocateOutput(tensorName, currentMemory, size, alignment);
  }
  virtual void notifyShape(char const* tensorName, Dims const& dims) noexcept = 0;
  virtual ~IOutputAllocator() = default;
};

class IExecutionContext;
class ICudaEngine;

// Describes layers of an engine, as much as the profiling verbosity of the build kept. Texts live as long as the inspector.
class IEngineInspector : public INoCopy {
 public:
  virtual bool setExecutionContext(IExecutionContext const* context) noexcept = 0;
  virtual IExecutionContext const* getExecutionContext() const noexcept = 0;
  virtual AsciiChar const* getLayerInformation(int32_t layerIndex, LayerInformationFormat format) const noexcept = 0;
  virtual AsciiChar const* getEngineInformation(LayerInformationFormat format) const noexcept = 0;
  virtual void setErrorRecorder(IErrorRecorder* recorder) noexcept = 0;
  virtual IErrorRecorder* getErrorRecorder() const noexcept = 0;
};

// The state of one inference. One thread at a time. Its engine outlives it.
class IExecutionContext : public INoCopy {
 public:
  virtual ICudaEngine const& getEngine() const noexcept = 0;
  virtual void setName(char const* name) noexcept = 0;
  virtual char const* getName() const noexcept = 0;
  virtual void setErrorRecorder(IErrorRecorder* recorder) noexcept = 0;
  virtual IErrorRecorder* getErrorRecorder() const noexcept = 0;

  // Shapes. Inputs of fixed shape need none.
  virtual bool setInputShape(char const* tensorName, Dims const& dims) noexcept = 0;
  // nbDims is -1 for a wrong name; d[i] is -1 while the inputs do not decide it.
  virtual Dims getTensorShape(char const* tensorName) const noexcept = 0;
  virtual Dims getTensorStrides(char const* tensorName) const noexcept = 0;  // elements
  virtual bool allInputDimensionsSpecified() const noexcept = 0;
  // Number of inputs that still lack a shape; their names in tensorNames, as many as fit. -1 on an error.
  virtual int32_t inferShapes(int32_t nbMaxNames, char const** tensorNames) noexcept = 0;
  virtual bool setOptimizationProfileAsync(int32_t profileIndex, cudaStream_t stream) noexcept = 0;
  virtual int32_t getOptimizationProfile() const noexcept = 0;

  // Addresses, by name.
  virtual bool setTensorAddress(char const* tensorName, void* data) noexcept = 0;
  virtual void const* getTensorAddress(char const* tensorName) const noexcept = 0;
  virtual bool setInputTensorAddress(char const* tensorName, void const* data) noexcept = 0;
  virtual bool setOutputTensorAddress(char const* tensorName, void* data) noexcept = 0;
  virtual void* getOutputTensorAddress(char const* tensorName) const noexcept = 0;
  virtual bool setOutputAllocator(char const* tensorName, IOutputAllocator* outputAllocator) noexcept = 0;
  virtual IOutputAllocator* getOutputAllocator(char const* tensorName) const noexcept = 0;

  // Running. V2 forms take an address per binding, in the order of the engine's bindings.
  virtual bool enqueueV3(cudaStream_t stream) noexcept = 0;
  virtual bool enqueueV2(void* const* bindings, cudaStream_t stream, cudaEvent_t* inputConsumed) noexcept = 0;
  virtual bool executeV2(void* const* bindings) noexcept = 0;
  virtual bool setBindingDimensions(int32_t bindingIndex, Dims const& dimensions) noexcept = 0;
  virtual Dims getBindingDimensions(int32_t bindingIndex) const noexcept = 0;
  virtual bool allInputShapesSpecified() const noexcept = 0;

  // Recorded when the inputs may be overwritten; null for none.
  virtual bool setInputConsumedEvent(cudaEvent_t event) noexcept = 0;
  virtual cudaEvent_t getInputConsumedEvent() const noexcept = 0;
  // With a profiler, running waits until the work is done and then reports; unless setEnqueueEmitsProfile(false), then
  // reportToProfiler reports the last inference.
  virtual void setProfiler(IProfiler* profiler) noexcept = 0;
  virtual IProfiler* getProfiler() const noexcept = 0;
  virtual void setEnqueueEmitsProfile(bool enqueueEmitsProfile) noexcept = 0;
  virtual bool getEnqueueEmitsProfile() const noexcept = 0;
  virtual bool reportToProfiler() const noexcept = 0;
};

// A built engine: immutable, used by any number of contexts and threads.
class ICudaEngine : public INoCopy {
 public:
  virtual char const* getName() const noexcept = 0;
  virtual int32_t getNbLayers() const noexcept = 0;
  virtual IHostMemory* serialize() const noexcept = 0;
  virtual IExecutionContext* createExecutionContext() noexcept = 0;
  virtual IEngineInspector* createEngineInspector() const noexcept = 0;
  virtual size_t getDeviceMemorySize() const noexcept = 0;  // bytes that each context takes
  virtual int64_t getDeviceMemorySizeV2() const noexcept = 0;
  virtual EngineCapability getEngineCapability() const noexcept = 0;
  virtual ProfilingVerbosity getProfilingVerbosity() const noexcept = 0;
  virtual bool isRefittable() const noexcept = 0;
  virtual void setErrorRecorder(IErrorRecorder* recorder) noexcept = 0;
  virtual IErrorRecorder* getErrorRecorder() const noexcept = 0;

  // Inputs and outputs by name; inputs come first in getIOTensorName.
  virtual int32_t getNbIOTensors() const noexcept = 0;
  virtual char const* getIOTensorName(int32_t index) const noexcept = 0;
  virtual TensorIOMode getTensorIOMode(char const* tensorName) const noexcept = 0;
  virtual DataType getTensorDataType(char const* tensorName) const noexcept = 0;
  virtual Dims getTensorShape(char const* tensorName) const noexcept = 0;
  virtual TensorLocation getTensorLocation(char const* tensorName) const noexcept = 0;
  virtual TensorFormat getTensorFormat(char const* tensorName) const noexcept = 0;
  virtual char const* getTensorFormatDesc(char const* tensorName) const noexcept = 0;
  virtual int32_t getTensorBytesPerComponent(char const* tensorName) const noexcept = 0;
  virtual int32_t getTensorComponentsPerElement(char const* tensorName) const noexcept = 0;
  virtual int32_t getTensorVectorizedDim(char const* tensorName) const noexcept = 0;
  virtual bool isShapeInferenceIO(char const* tensorName) const noexcept = 0;

  virtual int32_t getNbOptimizationProfiles() const noexcept = 0;
  virtual Dims getProfileShape(char const* tensorName, int32_t profileIndex,
                               OptProfileSelector select) const noexcept = 0;

  // The same by binding index, as programs before 10.0 do: the inputs, then the outputs, once per profile.
  virtual int32_t getNbBindings() const noexcept = 0;
  virtual int32_t getBindingIndex(char const* name) const noexcept = 0;
  virtual char const* getBindingName(int32_t bindingIndex) const noexcept = 0;
  virtual bool bindingIsInput(int32_t bindingIndex) const noexcept = 0;
  virtual Dims getBindingDimensions(int32_t bindingIndex) const noexcept = 0;
  virtual DataType getBindingDataType(int32_t bindingIndex) const noexcept = 0;
  virtual Dims getProfileDimensions(int32_t bindingIndex, int32_t profileIndex,
                                    OptProfileSelector select) const noexcept = 0;
  virtual bool hasImplicitBatchDimension() const noexcept = 0;
};

class IRuntime : public INoCopy {
 public:
  // The bytes are copied. Null when they are damaged, or made by another version or for another device.
  virtual ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) noexcept = 0;
  virtual void setGpuAllocator(IGpuAllocator* allocator) noexcept = 0;  // null: the device's own
  virtual void setErrorRecorder(IErrorRecorder* recorder) noexcept = 0;
  virtual IErrorRecorder* getErrorRecorder() const noexcept = 0;
  virtual ILogger* getLogger() const noexcept = 0;
};

}  // namespace nvinfer1

extern "C" TENSORRTAPI void* createInferRuntime_INTERNAL(void* logger, int32_t version) noexcept;
extern "C" TENSORRTAPI int32_t getInferLibVersion() noexcept;
extern "C" TENSORRTAPI int32_t getInferLibMajorVersion() noexcept;
extern "C" TENSORRTAPI int32_t getInferLibMinorVersion() noexcept;
extern "C" TENSORRTAPI int32_t getInferLibPatchVersion() noexcept;
extern "C" TENSORRTAPI int32_t getInferLibBuildVersion() noexcept;

namespace nvinfer1 {
namespace {
// Null when the library is of another version than this header. The logger outlives all that is made with it.
inline IRuntime* createInferRuntime(ILogger& logger) noexcept {
  return static_cast<IRuntime*>(createInferRuntime_INTERNAL(&logger, NV_TENSORRT_VERSION));
}
}  // namespace
}  // namespace nvinfer1
