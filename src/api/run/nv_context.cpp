// IExecutionContext.
#include <algorithm>
#include <map>

#include "api/run/nv_runtime.h"
#include "api/run/streams.h"
#include "tensor/blocks.h"

namespace kiln::api {
namespace {

constexpr uint64_t kOutputAlignment = 256;
constexpr uintptr_t kMostNamedStream = 2;  // null and small numbers name a default stream, which may be the thread's
using Strategy = nvinfer1::ExecutionContextAllocationStrategy;

// Step times on their way to the user's profiler.
class Profiler final : public StepProfiler {
 public:
  void report(const plan::StepInfo& step, double milliseconds) noexcept override {
    if (emit && user) user->reportLayerTime(step.name.c_str(), static_cast<float>(milliseconds));
    else last[step.name] = milliseconds;
  }
  nvinfer1::IProfiler* user = nullptr;
  bool emit = true;
  std::map<std::string, double> last;
};

class ContextImpl final : public nvinfer1::IExecutionContext {
 public:
  ContextImpl(EngineImpl& engine, Allocator* allocator, Strategy strategy)
      : engine_(engine),
        reporter_(engine.reporter()),
        context_(strategy == Strategy::kUSER_MANAGED ? engine.engine()->create_context_without_memory()
                                                     : engine.engine()->create_context(allocator)),
        config_(make_runtime_config()) {
    config_->setExecutionContextAllocationStrategy(strategy);
    static_cast<void>(setNvtxVerbosity(engine_.getProfilingVerbosity()));
    for (int32_t t : engine_.engine()->main().inputs) given_[t] = context_->dims(t) != nullptr;
    context_->set_output_allocate(
        [this](std::string_view name, size_t size) { return place_late(std::string(name), size); });
  }

  nvinfer1::ICudaEngine const& getEngine() const noexcept override { return engine_; }
  void setName(char const* name) noexcept override { name_ = name ? name : ""; }
  char const* getName() const noexcept override { return name_.c_str(); }
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { reporter_.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return reporter_.recorder(); }

  bool setInputShape(char const* name, nvinfer1::Dims const& dims) noexcept override {
    return on_tensor(name, true, [&](int32_t t) {
      if (!check(context_->set_input_dims(t, from_nv(dims)))) return false;
      return given_[t] = true;
    });
  }
  nvinfer1::Dims getTensorShape(char const* name) const noexcept override {
    const int32_t t = engine_.tensor(name);
    if (t < 0) return unknown_dims();
    return guarded(reporter_, unknown_dims(), [&] {
      if (engine_.engine()->is_input(t) ? !given_.at(t) : !allInputDimensionsSpecified())
        return engine_.getTensorShape(name);
      const std::vector<int64_t>* dims = context_->dims(t);
      return dims ? to_nv(*dims) : engine_.getTensorShape(name);
    });
  }
  nvinfer1::Dims getTensorStrides(char const* name) const noexcept override {
    const nvinfer1::Dims dims = getTensorShape(name);
    return guarded(reporter_, unknown_dims(), [&] {
      if (dims.nbDims < 0) return dims;
      Dims steps = block_strides(engine_.info(engine_.tensor(name)).layout, from_nv(dims));
      for (int64_t& step : steps) step /= engine_.getTensorComponentsPerElement(name);
      return to_nv(steps);
    });
  }
  bool allInputDimensionsSpecified() const noexcept override {
    return std::all_of(given_.begin(), given_.end(), [](const auto& item) { return item.second; });
  }
  bool allInputShapesSpecified() const noexcept override {
    return std::all_of(given_.begin(), given_.end(), [&](const auto& item) { return has_values(item.first); });
  }
  int32_t inferShapes(int32_t capacity, char const** names) noexcept override {
    int32_t missing = 0;
    for (const auto& [t, given] : given_) {
      if (given && has_values(t)) continue;
      if (names && missing < capacity) names[missing] = engine_.info(t).name.c_str();
      ++missing;
    }
    return missing > 0 ? missing : check(context_->prepare()) ? 0 : -1;
  }
  bool setOptimizationProfileAsync(int32_t profile, cudaStream_t) noexcept override {
    return check(context_->set_profile(profile));
  }
  int32_t getOptimizationProfile() const noexcept override { return context_->profile(); }

  void setDeviceMemory(void* memory) noexcept override {
    static_cast<void>(setDeviceMemoryV2(memory, engine_.getDeviceMemorySizeV2()));
  }
  bool setDeviceMemoryV2(void* memory, int64_t size) noexcept override;
  size_t updateDeviceMemorySizeForShapes() noexcept override {
    return inferShapes(0, nullptr) == 0 ? engine_.getDeviceMemorySize() : 0;
  }

  bool setTensorAddress(char const* name, void* data) noexcept override {
    return on_tensor(name, false, [&](int32_t t) { return check(context_->set_address(t, data)); });
  }
  void const* getTensorAddress(char const* name) const noexcept override {
    const int32_t t = engine_.tensor(name);
    return t < 0 ? nullptr : context_->address(t);
  }
  bool setInputTensorAddress(char const* name, void const* data) noexcept override {
    return on_tensor(name, true, [&](int32_t t) { return check(context_->set_address(t, const_cast<void*>(data))); });
  }
  bool setOutputTensorAddress(char const* name, void* data) noexcept override {
    return engine_.getTensorIOMode(name) == nvinfer1::TensorIOMode::kOUTPUT && setTensorAddress(name, data);
  }
  void* getOutputTensorAddress(char const* name) const noexcept override {
    return engine_.getTensorIOMode(name) == nvinfer1::TensorIOMode::kOUTPUT ? const_cast<void*>(getTensorAddress(name))
                                                                            : nullptr;
  }
  bool setOutputAllocator(char const* name, nvinfer1::IOutputAllocator* allocator) noexcept override {
    if (engine_.getTensorIOMode(name) != nvinfer1::TensorIOMode::kOUTPUT) return false;
    return guarded(reporter_, false, [&] {
      if (allocator) allocators_[name] = allocator;
      else allocators_.erase(name);
      return true;
    });
  }
  nvinfer1::IOutputAllocator* getOutputAllocator(char const* name) const noexcept override {
    const auto it = name ? allocators_.find(name) : allocators_.end();
    return it == allocators_.end() ? nullptr : it->second;
  }

  int64_t getMaxOutputSize(char const* name) const noexcept override;

  bool enqueueV3(cudaStream_t stream) noexcept override {
    return guarded(reporter_, false, [&] {
      Stream& queue = stream_behind(stream);
      if (queue.capturing()) return capture(queue);
      stream_ = stream;
      if (allocators_.empty()) return check(context_->enqueue(queue));
      if (!check(context_->prepare())) return false;
      for (const auto& [name, allocator] : allocators_)
        if (!place(name, *allocator)) return false;
      if (!check(context_->enqueue(queue))) return false;
      for (const auto& [name, allocator] : allocators_)
        if (const int32_t t = engine_.tensor(name.c_str()); is_late(t)) {
          const std::vector<int64_t>* dims = context_->dims(t);
          if (dims) allocator->notifyShape(name.c_str(), to_nv(*dims));
        }
      return true;
    });
  }
  bool enqueueV2(void* const* bindings, cudaStream_t stream, cudaEvent_t* consumed) noexcept override {
    if (!bind(bindings)) return false;
    const cudaEvent_t before = consumed_;
    if (consumed) setInputConsumedEvent(*consumed);
    const bool done = enqueueV3(stream);
    if (consumed) setInputConsumedEvent(before);
    return done;
  }
  bool executeV2(void* const* bindings) noexcept override {
    return bind(bindings) && enqueueV3(nullptr) &&
           guarded(reporter_, false, [&] { return check(stream_behind(nullptr).synchronize()); });
  }
  bool enqueue(int32_t batch, void* const* bindings, cudaStream_t stream, cudaEvent_t* consumed) noexcept override {
    return check_batch(batch) && enqueueV2(bindings, stream, consumed);
  }
  bool execute(int32_t batch, void* const* bindings) noexcept override {
    return check_batch(batch) && executeV2(bindings);
  }
  bool setInputShapeBinding(int32_t index, int32_t const* data) noexcept override;
  bool getShapeBinding(int32_t index, int32_t* data) const noexcept override;
  bool setBindingDimensions(int32_t index, nvinfer1::Dims const& dims) noexcept override {
    return setInputShape(engine_.getBindingName(index), dims);
  }
  nvinfer1::Dims getBindingDimensions(int32_t index) const noexcept override {
    return getTensorShape(engine_.getBindingName(index));
  }

  bool setInputConsumedEvent(cudaEvent_t event) noexcept override {
    return guarded(reporter_, false, [&] {
      context_->set_input_consumed_event(event ? &event_of(engine_.engine()->device(), event) : nullptr);
      consumed_ = event;
      return true;
    });
  }
  cudaEvent_t getInputConsumedEvent() const noexcept override { return consumed_; }
  void setProfiler(nvinfer1::IProfiler* profiler) noexcept override {
    profiler_.user = profiler;
    guarded(reporter_, false, [&] { return context_->set_profiler(profiler ? &profiler_ : nullptr), true; });
  }
  nvinfer1::IProfiler* getProfiler() const noexcept override { return profiler_.user; }
  void setEnqueueEmitsProfile(bool emit) noexcept override { profiler_.emit = emit; }
  bool getEnqueueEmitsProfile() const noexcept override { return profiler_.emit; }
  bool reportToProfiler() const noexcept override {
    if (!profiler_.user || profiler_.last.empty()) return false;
    for (const plan::StepInfo& step : engine_.engine()->main().steps)
      if (const auto it = profiler_.last.find(step.name); it != profiler_.last.end())
        profiler_.user->reportLayerTime(it->first.c_str(), static_cast<float>(it->second));
    return true;
  }

  bool setNvtxVerbosity(nvinfer1::ProfilingVerbosity verbosity) noexcept override;
  nvinfer1::ProfilingVerbosity getNvtxVerbosity() const noexcept override { return nvtx_; }
  bool setDebugListener(nvinfer1::IDebugListener* listener) noexcept override;
  nvinfer1::IDebugListener* getDebugListener() noexcept override { return listener_; }
  bool setTensorDebugState(char const* name, bool flag) noexcept override;
  bool getDebugState(char const* name) const noexcept override {
    return name && context_->shows(engine_.shown_tensor(name));
  }
  bool setAllTensorsDebugState(bool flag) noexcept override;
  bool setUnfusedTensorsDebugState(bool flag) noexcept override {
    context_->show_results(flag);
    return context_->shows_results() == flag;
  }
  bool getUnfusedTensorsDebugState() const noexcept override { return context_->shows_results(); }
  void setDebugSync(bool sync) noexcept override { context_->set_step_by_step(debug_sync_ = sync); }
  bool getDebugSync() const noexcept override { return debug_sync_; }
  bool setTemporaryStorageAllocator(nvinfer1::IGpuAllocator* allocator) noexcept override;
  nvinfer1::IGpuAllocator* getTemporaryStorageAllocator() const noexcept override { return scratch_user_; }
  nvinfer1::IRuntimeConfig* getRuntimeConfig() const noexcept override { return config_.get(); }
  void setPersistentCacheLimit(size_t size) noexcept override { cache_limit_ = size; }
  size_t getPersistentCacheLimit() const noexcept override { return cache_limit_; }
  void setAuxStreams(cudaStream_t* streams, int32_t count) noexcept override;

 private:
  // Programs pass the same stream again and again: what stands behind it is asked once.
  Stream& stream_behind(cudaStream_t handle) {
    if (!behind_ || handle != handle_ || reinterpret_cast<uintptr_t>(handle) <= kMostNamedStream) {
      behind_ = &stream_of(engine_.engine()->device(), handle);
      handle_ = handle;
    }
    return *behind_;
  }
  bool capture(Stream& stream);
  Status replay(Stream& stream, const std::vector<std::vector<int64_t>>& shapes,
                const std::vector<void*>& addresses) noexcept;
  bool check_batch(int32_t batch) const noexcept {
    if (batch < 1) reporter_.report(Code::kInvalidArgument, "the batch size is at least 1");
    return batch >= 1;
  }
  // An input that gives no shapes, or whose elements have an address.
  bool has_values(int32_t t) const noexcept { return engine_.value_count(t) == 0 || context_->address(t); }
  bool check(Status status) const noexcept {
    if (!status.ok()) reporter_.report(status.code, *context_->error_text() ? context_->error_text() : status.detail);
    return status.ok();
  }
  template <class F> bool on_tensor(const char* name, bool input, F&& body) noexcept {
    const int32_t t = engine_.tensor(name);
    if (t < 0) return false;
    return guarded(reporter_, false, [&] {
      if (input && !engine_.engine()->is_input(t))
        throw Error(Code::kInvalidArgument, std::string("'") + name + "' is not an input");
      return body(t);
    });
  }
  // Elements that setInputShapeBinding took stand where they are.
  bool bind(void* const* bindings) noexcept {
    if (!bindings) return reporter_.report(Code::kInvalidArgument, "the bindings are null"), false;
    const size_t first = engine_.io().size() * static_cast<size_t>(context_->profile());
    for (size_t i = 0; i < engine_.io().size(); ++i)
      if (!copied_.count(engine_.io()[i]) && !check(context_->set_address(engine_.io()[i], bindings[first + i])))
        return false;
    return true;
  }
  bool is_late(int32_t t) const { return engine_.info(t).storage == plan::Storage::kSlot; }
  // Memory for an output whose shape is known before running.
  bool place(const std::string& name, nvinfer1::IOutputAllocator& allocator) {
    const int32_t t = engine_.tensor(name.c_str());
    const std::vector<int64_t>* dims = is_late(t) ? nullptr : context_->dims(t);
    if (!dims) return true;
    const plan::TensorInfo& info = engine_.info(t);
    const auto size = byte_size(info.dtype, storage_elements(info.layout, *dims));
    void* memory = allocator.reallocateOutputAsync(name.c_str(), context_->address(t),
                                                   static_cast<uint64_t>(size.value_or(0)), kOutputAlignment, stream_);
    if (!memory && size.value_or(0) > 0)
      throw Error(Code::kOutOfMemory, "the output allocator refused memory for '" + name + "'");
    allocator.notifyShape(name.c_str(), to_nv(*dims));
    return check(context_->set_address(t, memory));
  }
  // Memory for a result that only running could size.
  void* place_late(const std::string& name, size_t size) {
    const int32_t t = engine_.tensor(name.c_str());
    void* current = context_->address(t);
    const auto it = allocators_.find(name);
    return it == allocators_.end()
               ? current
               : it->second->reallocateOutputAsync(name.c_str(), current, size, kOutputAlignment, stream_);
  }

  EngineImpl& engine_;
  mutable Reporter reporter_;
  std::unique_ptr<UserAllocator> scratch_;  // the context goes before it
  nvinfer1::IGpuAllocator* scratch_user_ = nullptr;
  std::unique_ptr<Context> context_;
  nvinfer1::IDebugListener* listener_ = nullptr;
  nvinfer1::ProfilingVerbosity nvtx_ = nvinfer1::ProfilingVerbosity::kNONE;
  bool debug_sync_ = false;
  std::map<int32_t, bool> given_;  // inputs: shape known
  std::map<std::string, nvinfer1::IOutputAllocator*> allocators_;
  Profiler profiler_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t consumed_ = nullptr;
  cudaStream_t handle_ = nullptr;
  Stream* behind_ = nullptr;  // handle_
  std::string name_;
  std::unique_ptr<nvinfer1::IRuntimeConfig> config_;
  size_t cache_limit_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // captures hold it weakly
  std::map<int32_t, std::vector<std::byte>> copied_;      // elements from setInputShapeBinding
};

bool ContextImpl::setDebugListener(nvinfer1::IDebugListener* listener) noexcept {
  listener_ = listener;
  return guarded(reporter_, false, [&] {
    if (!listener) return context_->set_listener(nullptr), true;
    context_->set_listener([this](const plan::TensorInfo& info, const Datum& value) {
      if (!has_nv(value.tensor.dtype())) return;
      if (!listener_->processDebugTensor(value.tensor.data(), nvinfer1::TensorLocation::kHOST,
                                         to_nv(value.tensor.dtype()), to_nv(value.tensor.dims()), info.name.c_str(),
                                         stream_))
        throw Error(Code::kExecution, "the debug listener ended the inference at '" + info.name + "'");
    });
    return true;
  });
}

bool ContextImpl::setTensorDebugState(char const* name, bool flag) noexcept {
  return guarded(reporter_, false, [&] {
    const int32_t t = name ? engine_.shown_tensor(name) : -1;
    if (t < 0)
      throw Error(Code::kInvalidArgument, std::string("'") + (name ? name : "") + "' is no debug tensor")
          .remedy("mark it with INetworkDefinition::markDebug before the build");
    return context_->show(t, flag), true;
  });
}

bool ContextImpl::setAllTensorsDebugState(bool flag) noexcept {
  return guarded(reporter_, false, [&] {
    for (const plan::Watch& watch : engine_.engine()->plan().watches)
      if (watch.kind == plan::Watch::kShown) context_->show(watch.tensor, flag);
    return true;
  });
}

bool ContextImpl::setTemporaryStorageAllocator(nvinfer1::IGpuAllocator* allocator) noexcept {
  return guarded(reporter_, false, [&] {
    auto own = allocator ? std::make_unique<UserAllocator>(allocator) : nullptr;
    context_->set_scratch_allocator(own.get());
    scratch_ = std::move(own);
    scratch_user_ = allocator;
    return true;
  });
}

// Notes an inference with the shapes and addresses of now, or queues it into a stream that notes by itself.
bool ContextImpl::capture(Stream& stream) {
  const auto broken = [&] {
    stream.note(nullptr);
    return false;
  };
  if (!context_->is_static() || !allocators_.empty() || context_->profiler()) {
    reporter_.report(
        Code::kUnsupported,
        "the inference cannot be captured: results have sizes that only running tells, an output allocator, or "
        "a profiler. Enqueue it in a stream that does not capture");
    return broken();
  }
  if (!check(context_->check_ready())) return broken();
  if (!engine_.engine()->device().host_memory()) return check(context_->enqueue(stream));
  std::vector<std::vector<int64_t>> shapes;
  std::vector<void*> addresses;
  for (int32_t t : engine_.io()) shapes.push_back(*context_->dims(t)), addresses.push_back(context_->address(t));
  return stream.note([this, alive = std::weak_ptr<int>(alive_), shapes = std::move(shapes),
                      addresses = std::move(addresses)](Stream& s) -> Status {
    if (alive.expired()) return {Code::kInvalidState, "the context of a captured inference is gone"};
    return replay(s, shapes, addresses);
  });
}

Status ContextImpl::replay(Stream& stream, const std::vector<std::vector<int64_t>>& shapes,
                           const std::vector<void*>& addresses) noexcept {
  const bool done = guarded(reporter_, false, [&] {
    std::vector<void*> now;
    for (size_t i = 0; i < shapes.size(); ++i) {
      const std::vector<int64_t>* dims = context_->dims(engine_.io()[i]);
      if (!dims || *dims != shapes[i])
        throw Error(Code::kInvalidState, "the shapes have changed since the inference was captured")
            .remedy("capture it again");
      now.push_back(context_->address(engine_.io()[i]));
    }
    auto give = [&](const std::vector<void*>& list) {
      for (size_t i = 0; i < list.size(); ++i) static_cast<void>(context_->set_address(engine_.io()[i], list[i]));
    };
    give(addresses);
    const bool ran = check(context_->enqueue(stream));
    give(now);
    return ran;
  });
  return done ? kOkStatus : Status{Code::kExecution, "a captured inference failed"};
}

void ContextImpl::setAuxStreams(cudaStream_t* streams, int32_t count) noexcept {
  guarded(reporter_, false, [&] {
    if (count < 0 || (count > 0 && !streams))
      throw Error(Code::kInvalidArgument,
                  "setAuxStreams: " + std::to_string(count) + " streams" + (streams ? "" : ", and no list of them"));
    std::vector<Stream*> list;
    for (int32_t i = 0; i < std::min(count, engine_.getNbAuxStreams()); ++i) {
      if (reinterpret_cast<uintptr_t>(streams[i]) <= kMostNamedStream)
        throw Error(Code::kInvalidArgument, "setAuxStreams: stream " + std::to_string(i) + " is a default stream")
            .remedy("make it with cudaStreamCreateWithFlags and cudaStreamNonBlocking");
      Stream* stream = &stream_of(engine_.engine()->device(), streams[i]);
      if (std::find(list.begin(), list.end(), stream) != list.end())
        throw Error(Code::kInvalidArgument, "setAuxStreams: stream " + std::to_string(i) + " is there twice");
      list.push_back(stream);
    }
    context_->set_aux_streams(list);
    return true;
  });
}

bool ContextImpl::setDeviceMemoryV2(void* memory, int64_t size) noexcept {
  return guarded(reporter_, false, [&] {
    if (config_->getExecutionContextAllocationStrategy() != Strategy::kUSER_MANAGED)
      throw Error(Code::kInvalidState, "setDeviceMemory: the context has memory of its own")
          .remedy("make it with createExecutionContextWithoutDeviceMemory");
    if (size < engine_.getDeviceMemorySizeV2() || (!memory && engine_.getDeviceMemorySizeV2() > 0))
      throw Error(Code::kInvalidArgument, "setDeviceMemory: the context needs " +
                                              std::to_string(engine_.getDeviceMemorySizeV2()) + " bytes, not " +
                                              std::to_string(memory ? size : 0));
    return check(context_->set_arena(memory));
  });
}

int64_t ContextImpl::getMaxOutputSize(char const* name) const noexcept {
  const int32_t t = engine_.tensor(name);
  if (t < 0) return -1;
  return guarded(reporter_, int64_t{-1}, [&]() -> int64_t {
    if (engine_.engine()->is_input(t))
      throw Error(Code::kInvalidArgument, "getMaxOutputSize: '" + std::string(name) + "' is an input");
    const auto bytes = engine_.engine()->max_bytes(t, context_->profile());
    if (!bytes)
      throw Error(Code::kUnsupported, "the size of output '" + std::string(name) + "' is known only when running")
          .remedy("give it an output allocator");
    return *bytes;
  });
}

bool ContextImpl::setInputShapeBinding(int32_t index, int32_t const* data) noexcept {
  const char* name = engine_.getBindingName(index);
  const int32_t t = name ? engine_.tensor(name) : -1;
  if (t < 0) return false;
  return guarded(reporter_, false, [&] {
    const size_t count = engine_.value_count(t);
    if (!data || count == 0)
      throw Error(Code::kInvalidArgument,
                  "setInputShapeBinding: '" + std::string(name) + "' gives no shapes, or no data");
    const DType type = engine_.info(t).dtype;
    std::vector<std::byte>& bytes = copied_[t];
    bytes.resize(count * static_cast<size_t>(bits(type)) / 8);
    for (size_t k = 0; k < count; ++k) store_int(type, bytes.data(), static_cast<int64_t>(k), data[k]);
    return check(context_->set_address(t, bytes.data()));
  });
}

bool ContextImpl::getShapeBinding(int32_t index, int32_t* data) const noexcept {
  const char* name = engine_.getBindingName(index);
  const int32_t t = name ? engine_.tensor(name) : -1;
  const void* from = t < 0 ? nullptr : context_->address(t);
  const size_t count = t < 0 ? 0 : engine_.value_count(t);
  if (!data || !from || count == 0)
    return reporter_.report(Code::kInvalidArgument, "getShapeBinding: the binding gives no shapes, or has none yet"),
           false;
  for (size_t k = 0; k < count; ++k)
    data[k] = static_cast<int32_t>(load_int(engine_.info(t).dtype, from, static_cast<int64_t>(k)));
  return true;
}

Context::Ranges ranges_of(nvinfer1::ProfilingVerbosity verbosity) {
  switch (verbosity) {
    case nvinfer1::ProfilingVerbosity::kNONE: return Context::Ranges::kNone;
    case nvinfer1::ProfilingVerbosity::kDETAILED: return Context::Ranges::kDetails;
    default: return Context::Ranges::kNames;
  }
}

bool ContextImpl::setNvtxVerbosity(nvinfer1::ProfilingVerbosity verbosity) noexcept {
  return guarded(reporter_, false, [&] {
    if (ranges_of(verbosity) > ranges_of(engine_.getProfilingVerbosity()))
      throw Error(Code::kInvalidArgument, "setNvtxVerbosity: the engine was built with less")
          .remedy("build it with IBuilderConfig::setProfilingVerbosity");
    context_->set_ranges(ranges_of(verbosity));
    nvtx_ = verbosity;
    return true;
  });
}

}  // namespace

nvinfer1::IExecutionContext* make_context(EngineImpl& engine, Allocator* allocator, Strategy strategy) {
  return new ContextImpl(engine, allocator, strategy);
}

}  // namespace kiln::api
