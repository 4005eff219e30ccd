// IRuntime and ICudaEngine.
#include "api/run/nv_runtime.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "api/run/layer_information.h"
#include "api/run/tensor_formats.h"
#include "base/index.h"
#include "plan/container.h"

namespace kiln::api {
namespace {

class RuntimeImpl final : public nvinfer1::IRuntime {
 public:
  explicit RuntimeImpl(nvinfer1::ILogger* logger) : reporter_(logger) {}
  nvinfer1::ICudaEngine* deserializeCudaEngine(void const* blob, std::size_t size) noexcept override {
    return guarded(reporter_, static_cast<nvinfer1::ICudaEngine*>(nullptr),
                   [&] { return load_engine(blob, size, reporter_, allocator_, max_threads_); });
  }
  nvinfer1::ICudaEngine* deserializeCudaEngine(nvinfer1::IStreamReader& reader) noexcept override {
    return read_all([&](void* to, int64_t size) { return reader.read(to, size); });
  }
  nvinfer1::ICudaEngine* deserializeCudaEngine(nvinfer1::IStreamReaderV2& reader) noexcept override {
    return read_all([&](void* to, int64_t size) { return reader.read(to, size, nullptr); });
  }
  bool setMaxThreads(int32_t count) noexcept override {
    if (count < 1) return reporter_.report(Code::kInvalidArgument, "setMaxThreads: the number is at least 1"), false;
    return max_threads_ = count, true;
  }
  int32_t getMaxThreads() const noexcept override {
    return max_threads_ > 0 ? max_threads_ : device_threads(reporter_);
  }
  int32_t getNbDLACores() const noexcept override { return 0; }
  void setGpuAllocator(nvinfer1::IGpuAllocator* allocator) noexcept override { allocator_ = allocator; }
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { reporter_.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return reporter_.recorder(); }
  nvinfer1::ILogger* getLogger() const noexcept override { return reporter_.logger(); }

 private:
  template <class F> nvinfer1::ICudaEngine* read_all(F&& read) noexcept {
    return guarded(reporter_, static_cast<nvinfer1::ICudaEngine*>(nullptr), [&] {
      constexpr size_t kPiece = 1 << 20;
      std::vector<std::byte> bytes;
      for (size_t have = 0;; have = bytes.size()) {
        bytes.resize(have + kPiece);
        const int64_t count = read(bytes.data() + have, static_cast<int64_t>(kPiece));
        if (count < 0 || count > static_cast<int64_t>(kPiece))
          throw Error(Code::kIo, "the stream reader returned " + std::to_string(count) + " for " +
                                     std::to_string(kPiece) + " bytes");
        bytes.resize(have + static_cast<size_t>(count));
        // A stream may go on behind the engine, or for ever.
        if (count == 0 || (bytes.size() >= plan::kHeaderSize && bytes.size() >= plan::announced_size(bytes))) break;
      }
      return load_engine(bytes.data(), bytes.size(), reporter_, allocator_, max_threads_);
    });
  }

  mutable Reporter reporter_;
  nvinfer1::IGpuAllocator* allocator_ = nullptr;
  int32_t max_threads_ = 0;
};

class SerializationConfig final : public nvinfer1::ISerializationConfig {
 public:
  bool setFlags(nvinfer1::SerializationFlags flags) noexcept override {
    if (flags & ~bit(nvinfer1::SerializationFlag::kEXCLUDE_LEAN_RUNTIME)) return false;
    return flags_ = flags, true;
  }
  nvinfer1::SerializationFlags getFlags() const noexcept override { return flags_; }
  bool clearFlag(nvinfer1::SerializationFlag flag) noexcept override { return setFlags(flags_ & ~bit(flag)); }
  bool setFlag(nvinfer1::SerializationFlag flag) noexcept override { return setFlags(flags_ | bit(flag)); }
  bool getFlag(nvinfer1::SerializationFlag flag) const noexcept override { return flags_ & bit(flag); }

 private:
  static nvinfer1::SerializationFlags bit(nvinfer1::SerializationFlag flag) {
    const auto i = static_cast<uint32_t>(flag);
    return i < 32 ? 1U << i : 0;
  }
  nvinfer1::SerializationFlags flags_ = 0;
};

}  // namespace

nvinfer1::IRuntime* make_runtime(nvinfer1::ILogger* logger) noexcept { return new (std::nothrow) RuntimeImpl(logger); }

nvinfer1::ICudaEngine* load_engine(const void* bytes, size_t size, const Reporter& reporter,
                                   nvinfer1::IGpuAllocator* allocator, int max_threads) {
  if (!bytes || size == 0) throw Error(Code::kMalformedPlan, "the engine is empty (0 bytes)");
  auto copy = std::make_shared<Tensor>(Tensor::allocate(DType::kU8, {static_cast<int64_t>(size)}));
  std::memcpy(copy->mutable_data(), bytes, size);
  const std::span<const std::byte> view(static_cast<const std::byte*>(copy->data()), size);
  auto engine = Engine::load(view, copy, {.device = &api_device()});
  engine->set_max_threads(max_threads);
  return new EngineImpl(std::move(engine), view, reporter, allocator);
}

EngineImpl::EngineImpl(std::shared_ptr<Engine> engine, std::span<const std::byte> bytes, const Reporter& reporter,
                       nvinfer1::IGpuAllocator* allocator)
    : engine_(std::move(engine)),
      bytes_(bytes),
      allocator_(allocator ? std::make_unique<UserAllocator>(allocator) : nullptr),
      reporter_(reporter) {
  io_ = engine_->main().inputs;
  io_.insert(io_.end(), engine_->main().outputs.begin(), engine_->main().outputs.end());
  for (const int32_t t : io_) {
    if (!format_of(info(t).layout, info(t).dims.size()))
      throw Error(Code::kMalformedPlan, "'" + info(t).name + "' lies in memory in the layout " +
                                            to_string(info(t).layout) + ", which no TensorFormat is")
          .remedy("build the engine again");
    formats_.push_back(format_words(info(t)));
  }
  for (const plan::Profile& profile : engine_->plan().profiles)
    for (const plan::ProfileDims& values : profile.values)
      for (const auto* list : {&values.min, &values.opt, &values.max}) narrow_.emplace_back(list->begin(), list->end());
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

class RuntimeConfigImpl final : public nvinfer1::IRuntimeConfig {
 public:
  void setExecutionContextAllocationStrategy(nvinfer1::ExecutionContextAllocationStrategy value) noexcept override {
    strategy_ = value;
  }
  nvinfer1::ExecutionContextAllocationStrategy getExecutionContextAllocationStrategy() const noexcept override {
    return strategy_;
  }

 private:
  nvinfer1::ExecutionContextAllocationStrategy strategy_ = nvinfer1::ExecutionContextAllocationStrategy::kSTATIC;
};

nvinfer1::IExecutionContext* EngineImpl::createExecutionContext(
    nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept {
  return guarded(reporter_, static_cast<nvinfer1::IExecutionContext*>(nullptr),
                 [&] { return make_context(*this, allocator_.get(), strategy); });
}
nvinfer1::IExecutionContext* EngineImpl::createExecutionContext(nvinfer1::IRuntimeConfig* config) noexcept {
  if (!config)
    return reporter_.report(Code::kInvalidArgument, "createExecutionContext: the configuration is null"), nullptr;
  return createExecutionContext(config->getExecutionContextAllocationStrategy());
}
nvinfer1::IRuntimeConfig* EngineImpl::createRuntimeConfig() noexcept {
  return guarded(reporter_, static_cast<nvinfer1::IRuntimeConfig*>(nullptr), [] { return make_runtime_config(); });
}
nvinfer1::ISerializationConfig* EngineImpl::createSerializationConfig() noexcept {
  return guarded(reporter_, static_cast<nvinfer1::ISerializationConfig*>(nullptr),
                 [] { return new SerializationConfig; });
}

bool EngineImpl::isDebugTensor(char const* name) const noexcept { return name && shown_tensor(name) >= 0; }

int32_t EngineImpl::shown_tensor(std::string_view name) const noexcept {
  for (const plan::Watch& watch : engine_->plan().watches)
    if (watch.kind == plan::Watch::kShown && info(watch.tensor).name == name) return watch.tensor;
  return -1;
}

nvinfer1::IRuntimeConfig* make_runtime_config() { return new RuntimeConfigImpl; }

size_t EngineImpl::getDeviceMemorySizeForProfile(int32_t profile) const noexcept {
  if (profile >= 0 && profile < getNbOptimizationProfiles()) return engine_->context_memory();
  return reporter_.report(Code::kInvalidArgument, "getDeviceMemorySizeForProfile: there is no such profile"), 0;
}

int64_t EngineImpl::getEngineStat(nvinfer1::EngineStat stat) const noexcept {
  if (stat == nvinfer1::EngineStat::kTOTAL_WEIGHTS_SIZE) return static_cast<int64_t>(engine_->plan().constants.size());
  return reporter_.report(Code::kInvalidArgument, "getEngineStat: there is no such figure"), -1;
}

size_t EngineImpl::value_count(int32_t tensor) const noexcept {
  const auto& inputs = engine_->main().inputs;
  const auto& values = engine_->plan().profiles[0].values;
  const auto at = static_cast<size_t>(std::find(inputs.begin(), inputs.end(), tensor) - inputs.begin());
  return at < values.size() ? values[at].opt.size() : 0;
}

int64_t const* EngineImpl::getProfileTensorValuesV2(char const* name, int32_t profile,
                                                    nvinfer1::OptProfileSelector select) const noexcept {
  const plan::ProfileDims* values = profile_values(name, profile, select);
  if (!values) return nullptr;
  const bool min = select == nvinfer1::OptProfileSelector::kMIN, opt = select == nvinfer1::OptProfileSelector::kOPT;
  return (min ? values->min : opt ? values->opt : values->max).data();
}

int32_t const* EngineImpl::getProfileTensorValues(char const* name, int32_t profile,
                                                  nvinfer1::OptProfileSelector select) const noexcept {
  const plan::ProfileDims* values = profile_values(name, profile, select);
  if (!values) return nullptr;
  const std::vector<plan::ProfileDims>& list = nth(engine_->plan().profiles, profile).values;
  const size_t input = static_cast<size_t>(values - list.data()) + list.size() * static_cast<size_t>(profile);
  return narrow_[input * 3 + static_cast<size_t>(select)].data();
}

const plan::ProfileDims* EngineImpl::profile_values(char const* name, int32_t profile,
                                                    nvinfer1::OptProfileSelector select) const noexcept {
  const int32_t t = tensor(name);
  if (value_count(t) == 0) return nullptr;
  if (profile < 0 || profile >= getNbOptimizationProfiles() || static_cast<uint32_t>(select) > 2) {
    reporter_.report(Code::kInvalidArgument, "getProfileTensorValues: there is no such profile or bound");
    return nullptr;
  }
  const auto& inputs = engine_->main().inputs;
  return &engine_->plan()
              .profiles[static_cast<size_t>(profile)]
              .values[static_cast<size_t>(std::find(inputs.begin(), inputs.end(), t) - inputs.begin())];
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
  return info(nth(io_, index)).name.c_str();
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
  const int32_t i = getBindingIndex(name);
  return i < 0 ? "" : nth(formats_, i).c_str();
}

nvinfer1::TensorFormat EngineImpl::getTensorFormat(char const* name) const noexcept {
  const int32_t t = tensor(name);
  return t < 0 ? nvinfer1::TensorFormat::kLINEAR : format_of(info(t).layout, info(t).dims.size())->format;
}

int32_t EngineImpl::getTensorComponentsPerElement(char const* name) const noexcept {
  const int32_t t = tensor(name);
  return t < 0 ? -1 : info_of(getTensorFormat(name)).components;
}

int32_t EngineImpl::getTensorVectorizedDim(char const* name) const noexcept {
  const int32_t t = tensor(name);
  return t < 0 || info(t).layout.is_plain() ? -1 : info(t).layout.blocks[0].axis;
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
  const plan::ProfileDims& d = nth(nth(engine_->plan().profiles, profile).inputs, at - inputs.begin());
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
