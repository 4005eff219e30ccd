// IEngineInspector.
#include "api/run/layer_information.h"
#include "api/run/nv_runtime.h"
#include "base/index.h"

namespace kiln::api {
namespace {

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
      return layer(nth(engine_.engine()->main().steps, index), format == nvinfer1::LayerInformationFormat::kJSON);
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
    std::vector<std::string> layers;
    for (const plan::StepInfo& step : engine_.engine()->main().steps) layers.push_back(layer(step, json));
    if (json) return engine_json(*engine_.engine(), layers);
    std::string out = "Layers:\n";
    for (const std::string& line : layers) out += line + "\n";
    out += "\nBindings:\n";
    for (int32_t t : engine_.io()) out += engine_.info(t).name + "\n";
    return out;
  }
  std::string layer(const plan::StepInfo& step, bool json) const {
    const nvinfer1::ProfilingVerbosity verbosity = engine_.getProfilingVerbosity();
    if (verbosity == nvinfer1::ProfilingVerbosity::kNONE) return json ? "\"\"" : "";
    if (verbosity == nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY) return json ? quoted(step.name) : step.name;
    if (json) return layer_json(*engine_.engine(), step, symbols_);
    return step.name + ", LayerType: " + step.op + ", Inputs: " + tensors(step.inputs) +
           ", Outputs: " + tensors(step.outputs) + ", TacticName: " + step.tactic;
  }
  std::string tensors(const std::vector<int32_t>& list) const {
    std::string out = "[";
    for (int32_t t : list) {
      if (t < 0) continue;
      const plan::TensorInfo& info = engine_.info(t);
      out += (out.size() > 1 ? ", " : "") + info.name + " (" + std::string(kiln::name(info.dtype)) + ")";
    }
    return out + "]";
  }

  const EngineImpl& engine_;
  Symbols symbols_ = fixed_symbols(*engine_.engine());
  mutable Reporter reporter_;
  nvinfer1::IExecutionContext const* context_ = nullptr;
  mutable std::vector<std::unique_ptr<std::string>> texts_;
};

}  // namespace

nvinfer1::IEngineInspector* make_inspector(const EngineImpl& engine) { return new InspectorImpl(engine); }

}  // namespace kiln::api
