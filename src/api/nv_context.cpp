// IExecutionContext and IEngineInspector.
#include <algorithm>
#include <map>

#include "api/cuda_runtime.h"
#include "api/nv_runtime.h"

namespace kiln::api {
namespace {

constexpr uint64_t kOutputAlignment = 256;

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
  ContextImpl(EngineImpl& engine, Allocator* allocator)
      : engine_(engine), reporter_(engine.reporter()), context_(engine.engine()->create_context(allocator)) {
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
    return guarded(reporter_, unknown_dims(),
                   [&] { return dims.nbDims < 0 ? dims : to_nv(row_major_strides(from_nv(dims))); });
  }
  bool allInputDimensionsSpecified() const noexcept override {
    return std::all_of(given_.begin(), given_.end(), [](const auto& item) { return item.second; });
  }
  bool allInputShapesSpecified() const noexcept override { return true; }
  int32_t inferShapes(int32_t capacity, char const** names) noexcept override {
    int32_t missing = 0;
    for (const auto& [t, given] : given_) {
      if (given) continue;
      if (names && missing < capacity) names[missing] = engine_.info(t).name.c_str();
      ++missing;
    }
    return missing > 0 ? missing : check(context_->prepare()) ? 0 : -1;
  }
  bool setOptimizationProfileAsync(int32_t profile, cudaStream_t) noexcept override {
    return check(context_->set_profile(profile));
  }
  int32_t getOptimizationProfile() const noexcept override { return context_->profile(); }

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

  bool enqueueV3(cudaStream_t stream) noexcept override {
    if (allocators_.empty()) {
      return guarded(reporter_, false, [&] { return check(context_->enqueue(stream_of(stream))); });
    }
    return guarded(reporter_, false, [&] {
      stream_ = stream;
      if (!check(context_->prepare())) return false;
      for (const auto& [name, allocator] : allocators_)
        if (!place(name, *allocator)) return false;
      if (!check(context_->enqueue(stream_of(stream)))) return false;
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
           guarded(reporter_, false, [&] { return check(stream_of(nullptr).synchronize()); });
  }
  bool setBindingDimensions(int32_t index, nvinfer1::Dims const& dims) noexcept override {
    return setInputShape(engine_.getBindingName(index), dims);
  }
  nvinfer1::Dims getBindingDimensions(int32_t index) const noexcept override {
    return getTensorShape(engine_.getBindingName(index));
  }

  bool setInputConsumedEvent(cudaEvent_t event) noexcept override {
    consumed_ = event;
    if (event) event->recorded = true;
    context_->set_input_consumed_event(event ? event->event.get() : nullptr);
    return true;
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

 private:
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
  bool bind(void* const* bindings) noexcept {
    if (!bindings) return reporter_.report(Code::kInvalidArgument, "the bindings are null"), false;
    const size_t first = engine_.io().size() * static_cast<size_t>(context_->profile());
    for (size_t i = 0; i < engine_.io().size(); ++i)
      if (!check(context_->set_address(engine_.io()[i], bindings[first + i]))) return false;
    return true;
  }
  bool is_late(int32_t t) const { return engine_.info(t).storage == plan::Storage::kSlot; }
  // Memory for an output whose shape is known before running.
  bool place(const std::string& name, nvinfer1::IOutputAllocator& allocator) {
    const int32_t t = engine_.tensor(name.c_str());
    const std::vector<int64_t>* dims = is_late(t) ? nullptr : context_->dims(t);
    if (!dims) return true;
    const auto size = byte_size(engine_.info(t).dtype, element_count(*dims));
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
  std::unique_ptr<Context> context_;
  std::map<int32_t, bool> given_;  // inputs: shape known
  std::map<std::string, nvinfer1::IOutputAllocator*> allocators_;
  Profiler profiler_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t consumed_ = nullptr;
  std::string name_;
};

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += "\\u00" + std::string(1, "01"[c >> 4 & 1]) + "0123456789abcdef"[c & 15];
    else out += c;
  }
  return out + '"';
}

class InspectorImpl final : public nvinfer1::IEngineInspector {
 public:
  explicit InspectorImpl(const EngineImpl& engine) : engine_(engine), reporter_(engine.reporter()) {}
  bool setExecutionContext(nvinfer1::IExecutionContext const* context) noexcept override {
    return context_ = context, true;
  }
  nvinfer1::IExecutionContext const* getExecutionContext() const noexcept override { return context_; }
  nvinfer1::AsciiChar const* getLayerInformation(int32_t index,
                                                 nvinfer1::LayerInformationFormat format) const noexcept override {
    if (index < 0 || index >= engine_.getNbLayers())
      return reporter_.report(Code::kInvalidArgument, "getLayerInformation: the index is out of range"), nullptr;
    return keep([&] {
      return layer(engine_.engine()->main().steps[static_cast<size_t>(index)],
                   format == nvinfer1::LayerInformationFormat::kJSON);
    });
  }
  nvinfer1::AsciiChar const* getEngineInformation(nvinfer1::LayerInformationFormat format) const noexcept override {
    return keep([&] { return all(format == nvinfer1::LayerInformationFormat::kJSON); });
  }
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override { reporter_.set_recorder(recorder); }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return reporter_.recorder(); }

 private:
  template <class F> const char* keep(F&& text) const noexcept {
    return guarded(reporter_, static_cast<const char*>(nullptr),
                   [&] { return texts_.emplace_back(std::make_unique<std::string>(text()))->c_str(); });
  }
  std::string all(bool json) const {
    std::string out = json ? "{\"Layers\": [" : "Layers:\n";
    bool first = true;
    for (const plan::StepInfo& step : engine_.engine()->main().steps) {
      out += (json && !first ? ",\n" : "") + layer(step, json) + (json ? "" : "\n");
      first = false;
    }
    out += json ? "],\n\"Bindings\": [" : "\nBindings:\n";
    first = true;
    for (int32_t t : engine_.io()) {
      out += json ? (first ? "" : ", ") + quoted(engine_.info(t).name) : engine_.info(t).name + "\n";
      first = false;
    }
    return out + (json ? "]}" : "");
  }
  std::string layer(const plan::StepInfo& step, bool json) const {
    const nvinfer1::ProfilingVerbosity verbosity = engine_.getProfilingVerbosity();
    if (verbosity == nvinfer1::ProfilingVerbosity::kNONE) return json ? "\"\"" : "";
    if (verbosity == nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY) return json ? quoted(step.name) : step.name;
    if (json)
      return "{\"Name\": " + quoted(step.name) + ", \"LayerType\": " + quoted(step.op) +
             ", \"Inputs\": " + tensors(step.inputs, true) + ", \"Outputs\": " + tensors(step.outputs, true) +
             ", \"TacticName\": " + quoted(step.tactic) + ", \"Device\": " + quoted(step.device) +
             ", \"WorkspaceSize\": " + std::to_string(step.workspace_size) + "}";
    return step.name + ", LayerType: " + step.op + ", Inputs: " + tensors(step.inputs, false) +
           ", Outputs: " + tensors(step.outputs, false) + ", TacticName: " + step.tactic;
  }
  std::string tensors(const std::vector<int32_t>& list, bool json) const {
    std::string out = "[";
    for (int32_t t : list) {
      if (t < 0) continue;
      const plan::TensorInfo& info = engine_.info(t);
      const std::string type = std::string(kiln::name(info.dtype));
      if (out.size() > 1) out += ", ";
      if (json)
        out += "{\"Name\": " + quoted(info.name) + ", \"Type\": " + quoted(type) +
               ", \"Rank\": " + std::to_string(info.dims.size()) + "}";
      else out += info.name + " (" + type + ")";
    }
    return out + "]";
  }

  const EngineImpl& engine_;
  mutable Reporter reporter_;
  nvinfer1::IExecutionContext const* context_ = nullptr;
  mutable std::vector<std::unique_ptr<std::string>> texts_;
};

}  // namespace

nvinfer1::IExecutionContext* make_context(EngineImpl& engine, Allocator* allocator) {
  return new ContextImpl(engine, allocator);
}
nvinfer1::IEngineInspector* make_inspector(const EngineImpl& engine) { return new InspectorImpl(engine); }

}  // namespace kiln::api
