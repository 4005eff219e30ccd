// nvonnxparser::IParser.
#include <filesystem>
#include <new>

#include "NvOnnxParser.h"
#include "api/nv_network.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/node_import.h"
#include "ops/registry.h"

namespace kiln::api {
namespace {

nvonnxparser::ErrorCode to_parser(Code code) {
  using E = nvonnxparser::ErrorCode;
  switch (code) {
    case Code::kMalformedModel:
    case Code::kNotFound:
    case Code::kIo: return E::kMODEL_DESERIALIZE_FAILED;
    case Code::kOutOfMemory: return E::kMEM_ALLOC_FAILED;
    case Code::kInvalidGraph: return E::kINVALID_GRAPH;
    case Code::kTypeMismatch:
    case Code::kShapeMismatch: return E::kINVALID_NODE;
    case Code::kUnsupported: return E::kUNSUPPORTED_NODE;
    case Code::kInvalidArgument:
    case Code::kInvalidState: return E::kINVALID_VALUE;
    default: return E::kINTERNAL_ERROR;
  }
}

class ParserError final : public nvonnxparser::IParserError {
 public:
  // `label`: "'name' (Operator, opset 17)", as errors of the importer name nodes.
  ParserError(nvonnxparser::ErrorCode code, std::string desc, const std::string& label)
      : code_(code), desc_(std::move(desc)), node_(part(label, "'", "'")), operator_(part(label, "(", ",)")) {}
  nvonnxparser::ErrorCode code() const override { return code_; }
  char const* desc() const override { return desc_.c_str(); }
  char const* nodeName() const override { return node_.c_str(); }
  char const* nodeOperator() const override { return operator_.c_str(); }
  int node() const override { return -1; }
  char const* file() const override { return ""; }
  int line() const override { return 0; }
  char const* func() const override { return ""; }

 private:
  static std::string part(const std::string& label, const char* open, const char* close) {
    const size_t begin = label.find_first_of(open), end = label.find_first_of(close, begin + 1);
    return begin == std::string::npos || end == std::string::npos ? "" : label.substr(begin + 1, end - begin - 1);
  }
  nvonnxparser::ErrorCode code_;
  std::string desc_, node_, operator_;
};

class ParserImpl final : public nvonnxparser::IParser {
 public:
  ParserImpl(NetworkImpl& network, nvinfer1::ILogger* logger) : network_(network), reporter_(logger) {}
  bool parse(void const* bytes, size_t size, char const* path) noexcept override {
    return run([&](onnx::ImportOptions& options) { network_.adopt(import(bytes, size, path, options)); });
  }
  bool supportsModelV2(void const* bytes, size_t size, char const* path) noexcept override {
    return run([&](onnx::ImportOptions& options) { import(bytes, size, path, options); });
  }
  nvinfer1::ITensor const* getLayerOutputTensor(char const* name, int64_t i) noexcept override {
    for (int32_t l = 0; name && l < network_.getNbLayers(); ++l)
      if (nvinfer1::ILayer* layer = network_.getLayer(l); std::string_view(layer->getName()) == name)
        return i >= 0 && i < layer->getNbOutputs() ? layer->getOutput(static_cast<int32_t>(i)) : nullptr;
    return nullptr;
  }
  void setFlags(nvonnxparser::OnnxParserFlags flags) noexcept override { flags_ = flags; }
  nvonnxparser::OnnxParserFlags getFlags() const noexcept override { return flags_; }
  void clearFlag(nvonnxparser::OnnxParserFlag flag) noexcept override { flags_ &= ~bit(flag); }
  void setFlag(nvonnxparser::OnnxParserFlag flag) noexcept override { flags_ |= bit(flag); }
  bool getFlag(nvonnxparser::OnnxParserFlag flag) const noexcept override { return flags_ & bit(flag); }
  bool parseFromFile(char const* file, int verbosity) noexcept override {
    quiet_.least = verbosity;
    const bool done = run([&](onnx::ImportOptions& options) {
      options.logger = &quiet_;
      network_.adopt(onnx::import_file(file ? file : "", options));
    });
    return done;
  }
  bool supportsOperator(char const* op) const noexcept override {
    return op && guarded(reporter_, false, [&] { return onnx::has_importer(op) || find_op(op) != nullptr; });
  }
  int getNbErrors() const noexcept override { return static_cast<int>(errors_.size()); }
  nvonnxparser::IParserError const* getError(int i) const noexcept override {
    return i >= 0 && i < getNbErrors() ? errors_[static_cast<size_t>(i)].get() : nullptr;
  }
  void clearErrors() noexcept override { errors_.clear(); }

 private:
  // Passes on what is at least as grave as the caller wants.
  struct Filter final : Logger {
    explicit Filter(Logger& to) : to(to) {}
    void log(Severity severity, std::string_view message) noexcept override {
      if (static_cast<int>(severity) <= least) to.log(severity, message);
    }
    Logger& to;
    int least = static_cast<int>(Severity::kWarning);
  };

  static nvonnxparser::OnnxParserFlags bit(nvonnxparser::OnnxParserFlag flag) {
    const auto i = static_cast<uint32_t>(flag);
    return i < 32 ? 1U << i : 0;
  }
  static std::unique_ptr<ir::Graph> import(void const* bytes, size_t size, char const* path,
                                           onnx::ImportOptions& options) {
    if (path) options.model_dir = std::filesystem::absolute(path).parent_path().string();
    return onnx::import_bytes({static_cast<const std::byte*>(bytes), bytes ? size : 0}, options);
  }
  void add_error(const Error& e) {
    errors_.push_back(std::make_unique<ParserError>(to_parser(e.code()), e.what(), e.node()));
  }

  template <class F> bool run(F&& work) noexcept {
    return guarded(reporter_, false, [&] {
      std::vector<Error> unsupported;
      try {
        onnx::ImportOptions options;
        options.logger = &reporter_;
        options.unsupported = &unsupported;
        work(options);
        return true;
      } catch (const Error& e) {
        for (const Error& one : unsupported) add_error(one);
        if (unsupported.empty()) add_error(e);
        throw;
      } catch (const std::exception& e) {
        errors_.push_back(std::make_unique<ParserError>(nvonnxparser::ErrorCode::kINTERNAL_ERROR, e.what(), ""));
        throw;
      }
    });
  }

  NetworkImpl& network_;
  mutable Reporter reporter_;
  Filter quiet_{reporter_};
  nvonnxparser::OnnxParserFlags flags_ = 0;
  std::vector<std::unique_ptr<ParserError>> errors_;
};

}  // namespace
}  // namespace kiln::api

extern "C" {

void* createNvOnnxParser_INTERNAL(void* network, void* logger, int version) noexcept {
  if (!network || !logger || version != NV_ONNX_PARSER_VERSION) return nullptr;
  auto* own = static_cast<kiln::api::NetworkImpl*>(static_cast<nvinfer1::INetworkDefinition*>(network));
  return static_cast<nvonnxparser::IParser*>(new (std::nothrow)
                                                 kiln::api::ParserImpl(*own, static_cast<nvinfer1::ILogger*>(logger)));
}
int getNvOnnxParserVersion() noexcept { return NV_ONNX_PARSER_VERSION; }

}  // extern "C"
