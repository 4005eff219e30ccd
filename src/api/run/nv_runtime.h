// Engines and contexts behind NvInferRuntime.h.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "api/run/nv_common.h"
#include "runtime/context.h"
#include "runtime/engine.h"

namespace kiln::api {

class EngineImpl final : public nvinfer1::ICudaEngine {
 public:
  // `bytes` live as long as the engine.
  EngineImpl(std::shared_ptr<Engine> engine, std::span<const std::byte> bytes, const Reporter& reporter,
             nvinfer1::IGpuAllocator* allocator);

  char const* getName() const noexcept override { return engine_->plan().name.c_str(); }
  int32_t getNbLayers() const noexcept override { return static_cast<int32_t>(engine_->main().steps.size()); }
  nvinfer1::IHostMemory* serialize() const noexcept override;
  nvinfer1::ISerializationConfig* createSerializationConfig() noexcept override;
  nvinfer1::IHostMemory* serializeWithConfig(nvinfer1::ISerializationConfig&) const noexcept override {
    return serialize();
  }
  nvinfer1::IExecutionContext* createExecutionContext(
      nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept override;
  nvinfer1::IExecutionContext* createExecutionContext(nvinfer1::IRuntimeConfig* config) noexcept override;
  nvinfer1::IExecutionContext* createExecutionContextWithoutDeviceMemory() noexcept override {
    return createExecutionContext(nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED);
  }
  nvinfer1::IRuntimeConfig* createRuntimeConfig() noexcept override;
  nvinfer1::IEngineInspector* createEngineInspector() const noexcept override;
  size_t getDeviceMemorySize() const noexcept override { return engine_->context_memory(); }
  int64_t getDeviceMemorySizeV2() const noexcept override { return static_cast<int64_t>(engine_->context_memory()); }
  size_t getDeviceMemorySizeForProfile(int32_t profile) const noexcept override;
  int64_t getDeviceMemorySizeForProfileV2(int32_t profile) const noexcept override {
    return static_cast<int64_t>(getDeviceMemorySizeForProfile(profile));
  }
  int64_t getEngineStat(nvinfer1::EngineStat stat) const noexcept override;
  int32_t getNbAuxStreams() const noexcept override { return static_cast<int32_t>(engine_->aux_streams()); }
  nvinfer1::EngineCapability getEngineCapability() const noexcept override {
    return nvinfer1::EngineCapability::kSTANDARD;
  }
  nvinfer1::ProfilingVerbosity getProfilingVerbosity() const noexcept override;
  bool isRefittable() const noexcept override { return false; }
  bool isDebugTensor(char const* name) const noexcept override;
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { reporter_.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return reporter_.recorder(); }

  int32_t getNbIOTensors() const noexcept override { return static_cast<int32_t>(io_.size()); }
  char const* getIOTensorName(int32_t index) const noexcept override;
  nvinfer1::TensorIOMode getTensorIOMode(char const* name) const noexcept override;
  nvinfer1::DataType getTensorDataType(char const* name) const noexcept override;
  nvinfer1::Dims getTensorShape(char const* name) const noexcept override;
  nvinfer1::TensorLocation getTensorLocation(char const* name) const noexcept override {
    return isShapeInferenceIO(name) ? nvinfer1::TensorLocation::kHOST : nvinfer1::TensorLocation::kDEVICE;
  }
  nvinfer1::TensorFormat getTensorFormat(char const* name) const noexcept override;
  char const* getTensorFormatDesc(char const* name) const noexcept override;
  int32_t getTensorBytesPerComponent(char const* name) const noexcept override;
  int32_t getTensorComponentsPerElement(char const* name) const noexcept override;
  int32_t getTensorVectorizedDim(char const* name) const noexcept override;
  bool isShapeInferenceIO(char const* name) const noexcept override { return value_count(tensor(name)) > 0; }
  char const* getAliasedInputTensor(char const* name) const noexcept override { return tensor(name), nullptr; }
  int64_t const* getProfileTensorValuesV2(char const* name, int32_t profile,
                                          nvinfer1::OptProfileSelector select) const noexcept override;
  int32_t const* getProfileTensorValues(char const* name, int32_t profile,
                                        nvinfer1::OptProfileSelector select) const noexcept override;
  int32_t getNbOptimizationProfiles() const noexcept override {
    return static_cast<int32_t>(engine_->plan().profiles.size());
  }
  nvinfer1::Dims getProfileShape(char const* name, int32_t profile,
                                 nvinfer1::OptProfileSelector select) const noexcept override;

  int32_t getNbBindings() const noexcept override { return getNbIOTensors() * getNbOptimizationProfiles(); }
  int32_t getBindingIndex(char const* name) const noexcept override;
  char const* getBindingName(int32_t index) const noexcept override;
  bool bindingIsInput(int32_t index) const noexcept override;
  nvinfer1::Dims getBindingDimensions(int32_t index) const noexcept override {
    return getTensorShape(getBindingName(index));
  }
  nvinfer1::DataType getBindingDataType(int32_t index) const noexcept override {
    return getTensorDataType(getBindingName(index));
  }
  nvinfer1::Dims getProfileDimensions(int32_t index, int32_t profile,
                                      nvinfer1::OptProfileSelector select) const noexcept override {
    return getProfileShape(getBindingName(index), profile, select);
  }
  bool hasImplicitBatchDimension() const noexcept override { return false; }

  // Index of an input or output in the main program; -1, reported, for a wrong name.
  int32_t tensor(const char* name) const noexcept;
  int32_t shown_tensor(std::string_view name) const noexcept;  // -1 for what is no debug tensor
  size_t value_count(int32_t tensor) const noexcept;           // elements that give shapes
  const std::vector<int32_t>& io() const { return io_; }
  const plan::TensorInfo& info(int32_t tensor) const { return engine_->main().tensors[static_cast<size_t>(tensor)]; }
  const std::shared_ptr<Engine>& engine() const { return engine_; }
  Reporter& reporter() const { return reporter_; }

 private:
  const plan::ProfileDims* profile_values(char const* name, int32_t profile,
                                          nvinfer1::OptProfileSelector select) const noexcept;

  std::shared_ptr<Engine> engine_;
  std::span<const std::byte> bytes_;
  std::vector<int32_t> io_;
  std::unique_ptr<UserAllocator> allocator_;
  std::vector<std::string> formats_;          // described, in the order of io_
  std::vector<std::vector<int32_t>> narrow_;  // values of profiles as getProfileTensorValues gives them
  mutable Reporter reporter_;
};

nvinfer1::IExecutionContext* make_context(EngineImpl& engine, Allocator* allocator,
                                          nvinfer1::ExecutionContextAllocationStrategy strategy);
nvinfer1::IRuntimeConfig* make_runtime_config();
nvinfer1::IEngineInspector* make_inspector(const EngineImpl& engine);

}  // namespace kiln::api
