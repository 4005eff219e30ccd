// Loading and running engines: IRuntime, ICudaEngine, IExecutionContext and what they call back.
#pragma once
#include "NvInferLegacyDims.h"
#include "NvInferRuntimeCommon.h"

namespace nvinfer1 {

// How the elements of a tensor lie in memory, whose dimensions are always those of the network. The channels C are the third dimension from
// the end, in formats with a D the fourth; there are at least so many dimensions, and others stand before them as N does here. A number V
// behind C means that elements come in vectors of V channels: what a last one lacks is zero in outputs, and in inputs never read. Memory
// holds ceil(C / V) * V channels. Types are those that an input or output of the format may have.
enum class TensorFormat : int32_t {
  kLINEAR = 0,      // row-major; any type
  kCHW2 = 1,        // [N, ceil(C/2), H, W, 2]; float16, bfloat16
  kHWC8 = 2,        // [N, H, W, ceil(C/8)*8]; float16, bfloat16
  kCHW4 = 3,        // [N, ceil(C/4), H, W, 4]; int8, float16
  kCHW16 = 4,       // [N, ceil(C/16), H, W, 16]; float16
  kCHW32 = 5,       // [N, ceil(C/32), H, W, 32]; int8, float16, float32
  kDHWC8 = 6,       // [N, D, H, W, ceil(C/8)*8]; float16, bfloat16
  kCDHW32 = 7,      // [N, ceil(C/32), D, H, W, 32]; int8, float16
  kHWC = 8,         // [N, H, W, C]; float32, float16, bfloat16, int8, uint8
  kDLA_LINEAR = 9,  // of a DLA, which no device of Kiln has: refused
  kDLA_HWC4 = 10,   // likewise
  kHWC16 = 11,      // [N, H, W, ceil(C/16)*16]; float16, int8, float8
  kDHWC = 12,       // [N, D, H, W, C]; likewise
};
template <> constexpr int32_t EnumMax<TensorFormat>() noexcept { return 13; }
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
enum class SeekPosition : int32_t { kSET = 0, kCUR = 1, kEND = 2 };
enum class EngineStat : int32_t { kTOTAL_WEIGHTS_SIZE = 0 };
// Where a context's memory comes from: the allocator, when the context is made; the same; the user, with setDeviceMemoryV2.
enum class ExecutionContextAllocationStrategy : int32_t { kSTATIC = 0, kON_PROFILE_CHANGE = 1, kUSER_MANAGED = 2 };

// Written by the user: time of each layer of an inference.
class IProfiler : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IProfiler", 1, 0}; }
  virtual void reportLayerTime(char const* layerName, float ms) noexcept = 0;
};

// Written by the user: gives the bytes of an engine in order. read() returns how many it wrote to `destination`; fewer than asked
// for at the end, a negative number on an error.
class IStreamReader : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IStreamReader", 1, 0}; }
  virtual int64_t read(void* destination, int64_t nbBytes) = 0;
};

// The same with positions. `destination` is host memory.
class IStreamReaderV2 : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IStreamReaderV2", 1, 0}; }
  virtual int64_t read(void* destination, int64_t nbBytes, cudaStream_t stream) noexcept = 0;
  virtual bool seek(int64_t offset, SeekPosition where) noexcept = 0;
};

// Written by the user: takes the bytes of an engine in order. Returns how many it took; fewer stop the build.
class IStreamWriter : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IStreamWriter", 1, 0}; }
  virtual int64_t write(void const* data, int64_t nbBytes) = 0;
};

// Written by the user: memory of engines and contexts. Thread-safe. Alignment is a power of two; null refuses. One of deallocate and
// free (as before 8.2) is to be written.
class IGpuAllocator : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IGpuAllocator", 1, 0}; }
  virtual void* allocate(uint64_t const size, uint64_t const alignment, AllocatorFlags const flags) noexcept = 0;
  virtual void* reallocate(void* const /*memory*/, uint64_t /*alignment*/, uint64_t /*newSize*/) noexcept {
    return nullptr;
  }
  virtual bool deallocate(void* const memory) noexcept {
    this->free(memory);
    return true;
  }
  virtual void free(void* const /*memory*/) noexcept {}
  virtual void* allocateAsync(uint64_t const size, uint64_t const alignment, AllocatorFlags const flags,
                              cudaStream_t /*stream*/) noexcept {
    return allocate(size, alignment, flags);
  }
  virtual bool deallocateAsync(void* const memory, cudaStream_t /*stream*/) noexcept { return deallocate(memory); }
};
using IGpuAsyncAllocator = IGpuAllocator;

// Written by the user: memory of an output. With one, the output needs no address.
class IOutputAllocator : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IOutputAllocator", 1, 0}; }
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
};

// Written by the user: sees the debug tensors of an inference while it runs. `addr` is host memory in row-major order, and valid until the
// call returns; `location` is kHOST. Called from the thread that enqueues. False ends the inference.
class IDebugListener : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IDebugListener", 1, 0}; }
  virtual bool processDebugTensor(void const* addr, TensorLocation location, DataType type, Dims const& shape,
                                  char const* name, cudaStream_t stream) = 0;
};

// What goes into a serialised engine.
enum class SerializationFlag : int32_t { kEXCLUDE_LEAN_RUNTIME = 1 };  // engines never hold one
using SerializationFlags = uint32_t;                                   // bits 1 << SerializationFlag
class ISerializationConfig : public INoCopy {
 public:
  virtual bool setFlags(SerializationFlags serializationFlags) noexcept = 0;  // false for bits that are no flags
  virtual SerializationFlags getFlags() const noexcept = 0;
  virtual bool clearFlag(SerializationFlag serializationFlag) noexcept = 0;
  virtual bool setFlag(SerializationFlag serializationFlag) noexcept = 0;
  virtual bool getFlag(SerializationFlag serializationFlag) const noexcept = 0;
};

class IExecutionContext;
class ICudaEngine;

// How contexts are made.
class IRuntimeConfig : public INoCopy {
 public:
  virtual void setExecutionContextAllocationStrategy(ExecutionContextAllocationStrategy strategy) noexcept = 0;
  virtual ExecutionContextAllocationStrategy getExecutionContextAllocationStrategy() const noexcept = 0;
};

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
  virtual Dims getTensorStrides(
      char const* tensorName) const noexcept = 0;  // elements; vectors where the format has them
  virtual bool allInputDimensionsSpecified() const noexcept = 0;
  // Number of inputs that still lack a shape; their names in tensorNames, as many as fit. -1 on an error.
  virtual int32_t inferShapes(int32_t nbMaxNames, char const** tensorNames) noexcept = 0;
  virtual bool setOptimizationProfileAsync(int32_t profileIndex, cudaStream_t stream) noexcept = 0;
  virtual int32_t getOptimizationProfile() const noexcept = 0;
  bool setOptimizationProfile(int32_t profileIndex) noexcept {
    return setOptimizationProfileAsync(profileIndex, nullptr);
  }

  // Memory of a context that was made without: context-size bytes of the device, a multiple of 256 in address, kept by the caller.
  virtual void setDeviceMemory(void* memory) noexcept = 0;
  virtual bool setDeviceMemoryV2(void* memory, int64_t size) noexcept = 0;
  virtual size_t
  updateDeviceMemorySizeForShapes() noexcept = 0;  // bytes that the shapes of the moment need; 0 on an error

  // Addresses, by name. Those of shape tensors among the inputs are host memory, read by inferShapes and when running.
  virtual bool setTensorAddress(char const* tensorName, void* data) noexcept = 0;
  virtual void const* getTensorAddress(char const* tensorName) const noexcept = 0;
  virtual bool setInputTensorAddress(char const* tensorName, void const* data) noexcept = 0;
  virtual bool setOutputTensorAddress(char const* tensorName, void* data) noexcept = 0;
  virtual void* getOutputTensorAddress(char const* tensorName) const noexcept = 0;
  virtual bool setOutputAllocator(char const* tensorName, IOutputAllocator* outputAllocator) noexcept = 0;
  virtual IOutputAllocator* getOutputAllocator(char const* tensorName) const noexcept = 0;
  // Bytes of an output at the largest shapes of the profile; -1 when only running can tell, or on an error.
  virtual int64_t getMaxOutputSize(char const* tensorName) const noexcept = 0;

  // Running. V2 forms take an address per binding, in the order of the engine's bindings.
  virtual bool enqueueV3(cudaStream_t stream) noexcept = 0;
  virtual bool enqueueV2(void* const* bindings, cudaStream_t stream, cudaEvent_t* inputConsumed) noexcept = 0;
  virtual bool executeV2(void* const* bindings) noexcept = 0;
  // As before 10.0. The batch is one of the dimensions, whatever batchSize says; it is at least 1.
  virtual bool enqueue(int32_t batchSize, void* const* bindings, cudaStream_t stream,
                       cudaEvent_t* inputConsumed) noexcept = 0;
  virtual bool execute(int32_t batchSize, void* const* bindings) noexcept = 0;
  virtual bool setBindingDimensions(int32_t bindingIndex, Dims const& dimensions) noexcept = 0;
  virtual Dims getBindingDimensions(int32_t bindingIndex) const noexcept = 0;
  virtual bool allInputShapesSpecified() const noexcept = 0;
  // Elements of a shape tensor among the inputs, which are copied; the same as they are now.
  virtual bool setInputShapeBinding(int32_t bindingIndex, int32_t const* data) noexcept = 0;
  virtual bool getShapeBinding(int32_t bindingIndex, int32_t* data) const noexcept = 0;

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
  // How much the NVTX ranges of layers say; at first as the engine was built. False for more than the build kept.
  virtual bool setNvtxVerbosity(ProfilingVerbosity verbosity) noexcept = 0;
  virtual ProfilingVerbosity getNvtxVerbosity() const noexcept = 0;
  // Debug tensors: whoever listens hears of those whose state is true; at first it is false. The setters return false for a tensor that is
  // not marked for debugging. While one is heard, enqueueV3 waits after each layer, and allocates.
  virtual bool setDebugListener(IDebugListener* listener) noexcept = 0;  // null for none
  virtual IDebugListener* getDebugListener() noexcept = 0;
  virtual bool setTensorDebugState(char const* name, bool flag) noexcept = 0;
  virtual bool getDebugState(char const* name) const noexcept = 0;
  virtual bool setAllTensorsDebugState(bool flag) noexcept = 0;
  virtual bool setUnfusedTensorsDebugState(bool flag) noexcept = 0;
  virtual bool getUnfusedTensorsDebugState() const noexcept = 0;
  // Waits after each layer, so that an error names the layer.
  virtual void setDebugSync(bool sync) noexcept = 0;
  virtual bool getDebugSync() const noexcept = 0;
  // Memory beyond the context's own: workspaces of layers whose sizes only running tells. Null: the device's own. It outlives the context.
  virtual bool setTemporaryStorageAllocator(IGpuAllocator* allocator) noexcept = 0;
  virtual IGpuAllocator* getTemporaryStorageAllocator() const noexcept = 0;
  virtual IRuntimeConfig* getRuntimeConfig() const noexcept = 0;  // as at the making of the context, which owns it
  // A limit that engines keep anyway: they take no persistent cache.
  virtual void setPersistentCacheLimit(size_t size) noexcept = 0;
  virtual size_t getPersistentCacheLimit() const noexcept = 0;
  // Streams in which layers run beside that of the call, from the next enqueue on: of more than ICudaEngine::getNbAuxStreams the first ones,
  // and where there are fewer the context's own take the place of the others; 0 streams: all are the context's own. They wait for the stream
  // of the call when an enqueue begins, and it waits for them before the enqueue ends. They are no default streams, none is there twice,
  // none is the stream of the call, and they live until others are set or the context goes. Streams that are refused change nothing.
  virtual void setAuxStreams(cudaStream_t* auxStreams, int32_t nbStreams) noexcept = 0;
};

// A built engine: immutable, used by any number of contexts and threads.
class ICudaEngine : public INoCopy {
 public:
  virtual char const* getName() const noexcept = 0;
  virtual int32_t getNbLayers() const noexcept = 0;
  virtual IHostMemory* serialize() const noexcept = 0;
  virtual ISerializationConfig* createSerializationConfig() noexcept = 0;
  virtual IHostMemory* serializeWithConfig(ISerializationConfig& config) const noexcept = 0;
  virtual IExecutionContext* createExecutionContext(
      ExecutionContextAllocationStrategy strategy = ExecutionContextAllocationStrategy::kSTATIC) noexcept = 0;
  virtual IExecutionContext* createExecutionContext(IRuntimeConfig* runtimeConfig) noexcept = 0;
  virtual IExecutionContext* createExecutionContextWithoutDeviceMemory() noexcept = 0;
  virtual IRuntimeConfig* createRuntimeConfig() noexcept = 0;
  virtual IEngineInspector* createEngineInspector() const noexcept = 0;
  virtual size_t getDeviceMemorySize() const noexcept = 0;  // bytes that each context takes
  virtual int64_t getDeviceMemorySizeV2() const noexcept = 0;
  virtual size_t getDeviceMemorySizeForProfile(int32_t profileIndex) const noexcept = 0;  // 0 for a wrong index
  virtual int64_t getDeviceMemorySizeForProfileV2(int32_t profileIndex) const noexcept = 0;
  virtual int64_t getEngineStat(EngineStat stat) const noexcept = 0;  // bytes
  virtual int32_t getNbAuxStreams() const noexcept = 0;  // streams beside that of the call in which layers run
  virtual EngineCapability getEngineCapability() const noexcept = 0;
  virtual ProfilingVerbosity getProfilingVerbosity() const noexcept = 0;
  virtual bool isRefittable() const noexcept = 0;
  virtual bool isDebugTensor(char const* name) const noexcept = 0;
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
  // Elements of a vector, and the dimension that vectors lie along: 1 and -1 where the format has none. Memory holds whole vectors.
  virtual int32_t getTensorComponentsPerElement(char const* tensorName) const noexcept = 0;
  virtual int32_t getTensorVectorizedDim(char const* tensorName) const noexcept = 0;
  virtual bool isShapeInferenceIO(char const* tensorName) const noexcept = 0;
  virtual char const* getAliasedInputTensor(
      char const* tensorName) const noexcept = 0;  // null: outputs have memory of their own
  // The same in every profile.
  TensorFormat getTensorFormat(char const* tensorName, int32_t) const noexcept { return getTensorFormat(tensorName); }
  char const* getTensorFormatDesc(char const* tensorName, int32_t) const noexcept {
    return getTensorFormatDesc(tensorName);
  }
  int32_t getTensorBytesPerComponent(char const* tensorName, int32_t) const noexcept {
    return getTensorBytesPerComponent(tensorName);
  }
  int32_t getTensorComponentsPerElement(char const* tensorName, int32_t) const noexcept {
    return getTensorComponentsPerElement(tensorName);
  }
  int32_t getTensorVectorizedDim(char const* tensorName, int32_t) const noexcept {
    return getTensorVectorizedDim(tensorName);
  }

  virtual int32_t getNbOptimizationProfiles() const noexcept = 0;
  virtual Dims getProfileShape(char const* tensorName, int32_t profileIndex,
                               OptProfileSelector select) const noexcept = 0;
  // Bounds of the elements of a shape tensor among the inputs; null for others.
  virtual int64_t const* getProfileTensorValuesV2(char const* tensorName, int32_t profileIndex,
                                                  OptProfileSelector select) const noexcept = 0;
  virtual int32_t const* getProfileTensorValues(char const* tensorName, int32_t profileIndex,
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
  int32_t const* getProfileShapeValues(int32_t profileIndex, int32_t inputIndex,
                                       OptProfileSelector select) const noexcept {
    return getProfileTensorValues(getBindingName(inputIndex), profileIndex, select);
  }
  TensorFormat getBindingFormat(int32_t bindingIndex) const noexcept {
    return getTensorFormat(getBindingName(bindingIndex));
  }
  char const* getBindingFormatDesc(int32_t bindingIndex) const noexcept {
    return getTensorFormatDesc(getBindingName(bindingIndex));
  }
  int32_t getBindingBytesPerComponent(int32_t bindingIndex) const noexcept {
    return getTensorBytesPerComponent(getBindingName(bindingIndex));
  }
  int32_t getBindingComponentsPerElement(int32_t bindingIndex) const noexcept {
    return getTensorComponentsPerElement(getBindingName(bindingIndex));
  }
  int32_t getBindingVectorizedDim(int32_t bindingIndex) const noexcept {
    return getTensorVectorizedDim(getBindingName(bindingIndex));
  }
  TensorLocation getLocation(int32_t bindingIndex) const noexcept {
    return getTensorLocation(getBindingName(bindingIndex));
  }
  bool isShapeBinding(int32_t bindingIndex) const noexcept { return isShapeInferenceIO(getBindingName(bindingIndex)); }
  bool isExecutionBinding(int32_t bindingIndex) const noexcept { return !isShapeBinding(bindingIndex); }
  virtual bool hasImplicitBatchDimension() const noexcept = 0;
};

// Loads engines. Any number of threads may load at once; the setters are for one at a time. Engines outlive neither the logger nor the
// allocator that the runtime had when it loaded them; the runtime itself may go first.
class IRuntime : public INoCopy {
 public:
  // The bytes are copied. Null when they are damaged, or made by another version or for another device.
  virtual ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) noexcept = 0;
  virtual ICudaEngine* deserializeCudaEngine(IStreamReader& streamReader) noexcept = 0;
  virtual ICudaEngine* deserializeCudaEngine(IStreamReaderV2& streamReader) noexcept = 0;
  // As before 10.0; the last argument is null.
  ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size, std::nullptr_t) noexcept {
    return deserializeCudaEngine(blob, size);
  }
  // Threads of the device that each context of the engines loaded from then on uses, at least 1; all that there are at first.
  virtual bool setMaxThreads(int32_t maxThreads) noexcept = 0;
  virtual int32_t getMaxThreads() const noexcept = 0;
  virtual int32_t getNbDLACores() const noexcept = 0;                   // 0
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
