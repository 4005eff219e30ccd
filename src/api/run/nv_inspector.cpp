// IEngineInspector.
#include "api/run/nv_runtime.h"

namespace kiln::api {
namespace {

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

nvinfer1::IEngineInspector* make_inspector(const EngineImpl& engine) { return new InspectorImpl(engine); }

}  // namespace kiln::api
