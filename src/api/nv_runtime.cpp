// IRuntime and ICudaEngine.
#include "api/nv_runtime.h"

#include <cstring>

namespace kiln::api {
namespace {

class RuntimeImpl final : public nvinfer1::IRuntime {
 public:
  explicit RuntimeImpl(nvinfer1::ILogger* logger) : reporter_(logger) {}
  nvinfer1::ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::ICudaEngine*>(nullptr),
                   [&] { return load_engine(blob, size, reporter_, allocator_); });
  }
  void setGpuAllocator(nvinfer1::IGpuAllocator* allocator) noexcept override { allocator_ = allocator; }
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { reporter_.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return reporter_.recorder(); }
  nvinfer1::ILogger* getLogger() const noexcept override { return reporter_.logger(); }

 private:
  Reporter reporter_;
  nvinfer1::IGpuAllocator* allocator_ = nullptr;
};

}  // namespace

nvinfer1::ICudaEngine* load_engine(const void* bytes, size_t size, const Reporter& reporter,
                                   nvinfer1::IGpuAllocator* allocator) {
  if (!bytes || size == 0) throw Error(Code::kMalformedPlan, "the engine is empty (0 bytes)");
  auto copy = std::make_shared<Tensor>(Tensor::allocate(DType::kU8, {static_cast<int64_t>(size)}));
  std::memcpy(copy->mutable_data(), bytes, size);
  const std::span<const std::byte> view(static_cast<const std::byte*>(copy->data()), size);
  return new EngineImpl(Engine::load(view, copy), view, reporter, allocator);
}

EngineImpl::EngineImpl(std::shared_ptr<Engine> engine, std::span<const std::byte> bytes, const Reporter& reporter,
                       nvinfer1::IGpuAllocator* allocator)
    : engine_(std::move(engine)),
      bytes_(bytes),
      allocator_(allocator ? std::make_unique<UserAllocator>(allocator) : nullptr),
      reporter_(reporter) {
  io_ = engine_->main().inputs;
  io_.insert(io_.end(), engine_->main().outputs.begin(), engine_->main().outputs.end());
}

int32_t EngineImpl::tensor(const char* name) const noexcept {
  if (name)
    for (int32_t t : io_)
      if (info(t).name == name) return t;
  return guarded(reporter_, -1, [&]() -> int32_t {
    throw Error(Code::kInvalidArgument, std::string("the engine has no input or output '") + (name ? name : "") + "'");
  });
}

nvinfer1::IHostMemory* EngineImpl::serialize() const noexcept {
  return guarded(reporter_, static_cast<nvinfer1::IHostMemory*>(nullptr),
                 [&] { return new HostMemory({bytes_.begin(), bytes_.end()}); });
}

nvinfer1::IExecutionContext* EngineImpl::createExecutionContext() noexcept {
  return guarded(reporter_, static_cast<nvinfer1::IExecutionContext*>(nullptr),
                 [&] { return make_context(*this, allocator_.get()); });
}

nvinfer1::IEngineInspector* EngineImpl::createEngineInspector() const noexcept {
  return guarded(reporter_, static_cast<nvinfer1::IEngineInspector*>(nullptr), [&] { return make_inspector(*this); });
}

// The builder notes the verbosity as "profiling_verbosity":N.
nvinfer1::ProfilingVerbosity EngineImpl::getProfilingVerbosity() const noexcept {
  constexpr std::string_view key = "\"profiling_verbosity\":";
  const std::string& text = engine_->plan().build_info;
  const size_t at = text.find(key);
  if (at == std::string::npos || at + key.size() >= text.size()) return nvinfer1::ProfilingVerbosity::kDETAILED;
  return static_cast<nvinfer1::ProfilingVerbosity>(text[at + key.size()] - '0');
}

char const* EngineImpl::getIOTensorName(int32_t index) const noexcept {
  if (index < 0 || index >= getNbIOTensors()) {
    reporter_.report(Code::kInvalidArgument, "getIOTensorName: the index is out of range");
    return nullptr;
  }
  return info(io_[static_cast<size_t>(index)]).name.c_str();
}

nvinfer1::TensorIOMode EngineImpl::getTensorIOMode(char const* name) const noexcept {
  const int32_t t = tensor(name);
  if (t < 0) return nvinfer1::TensorIOMode::kNONE;
  return engine_->is_input(t) ? nvinfer1::TensorIOMode::kINPUT : nvinfer1::TensorIOMode::kOUTPUT;
}

nvinfer1::DataType EngineImpl::getTensorDataType(char const* name) const noexcept {
  const int32_t t = tensor(name);
  return t < 0 ? nvinfer1::DataType::kFLOAT
               : guarded(reporter_, nvinfer1::DataType::kFLOAT, [&] { return to_nv(info(t).dtype); });
}

nvinfer1::Dims EngineImpl::getTensorShape(char const* name) const noexcept {
  const int32_t t = tensor(name);
  if (t < 0 || !info(t).ranked) return unknown_dims();
  return guarded(reporter_, unknown_dims(), [&] {
    Dims dims;
    for (uint32_t d : info(t).dims) {
      const auto value = evaluate(engine_->plan().dims[d], [](const std::string&) { return std::optional<int64_t>(); });
      dims.push_back(value.value_or(-1));
    }
    return to_nv(dims);
  });
}

char const* EngineImpl::getTensorFormatDesc(char const* name) const noexcept {
  const int32_t t = tensor(name);
  return t < 0 ? "" : "Row-major linear format (kLINEAR)";
}

int32_t EngineImpl::getTensorBytesPerComponent(char const* name) const noexcept {
  const int32_t t = tensor(name);
  return t < 0 || bits(info(t).dtype) < 8 ? -1 : bits(info(t).dtype) / 8;
}

nvinfer1::Dims EngineImpl::getProfileShape(char const* name, int32_t profile,
                                           nvinfer1::OptProfileSelector select) const noexcept {
  const int32_t t = tensor(name);
  const auto& inputs = engine_->main().inputs;
  const auto at = std::find(inputs.begin(), inputs.end(), t);
  if (profile < 0 || profile >= getNbOptimizationProfiles() || at == inputs.end()) {
    reporter_.report(Code::kInvalidArgument,
                     "getProfileShape: there is no such profile, or the tensor is not an input");
    return unknown_dims();
  }
  const plan::ProfileDims& d =
      engine_->plan().profiles[static_cast<size_t>(profile)].inputs[static_cast<size_t>(at - inputs.begin())];
  const bool min = select == nvinfer1::OptProfileSelector::kMIN, opt = select == nvinfer1::OptProfileSelector::kOPT;
  return guarded(reporter_, unknown_dims(), [&] { return to_nv(min ? d.min : opt ? d.opt : d.max); });
}

int32_t EngineImpl::getBindingIndex(char const* name) const noexcept {
  const int32_t t = tensor(name);
  return t < 0 ? -1 : static_cast<int32_t>(std::find(io_.begin(), io_.end(), t) - io_.begin());
}

char const* EngineImpl::getBindingName(int32_t index) const noexcept {
  return getIOTensorName(index < 0 || index >= getNbBindings() ? -1 : index % getNbIOTensors());
}

bool EngineImpl::bindingIsInput(int32_t index) const noexcept {
  return getTensorIOMode(getBindingName(index)) == nvinfer1::TensorIOMode::kINPUT;
}

}  // namespace kiln::api

extern "C" {

void* createInferRuntime_INTERNAL(void* logger, int32_t version) noexcept {
  if (!logger || version / 10000 != NV_TENSORRT_MAJOR) return nullptr;
  return static_cast<nvinfer1::IRuntime*>(new (std::nothrow)
                                              kiln::api::RuntimeImpl(static_cast<nvinfer1::ILogger*>(logger)));
}
int32_t getInferLibVersion() noexcept { return NV_TENSORRT_VERSION; }
int32_t getInferLibMajorVersion() noexcept { return NV_TENSORRT_MAJOR; }
int32_t getInferLibMinorVersion() noexcept { return NV_TENSORRT_MINOR; }
int32_t getInferLibPatchVersion() noexcept { return NV_TENSORRT_PATCH; }
int32_t getInferLibBuildVersion() noexcept { return NV_TENSORRT_BUILD; }

}  // extern "C"
