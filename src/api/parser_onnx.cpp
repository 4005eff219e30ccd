// nvonnxparser::IParser.
#include <filesystem>
#include <map>
#include <new>
#include <set>
#include <span>
#include <utility>

#include "NvOnnxParser.h"
#include "api/nv_network.h"
#include "base/index.h"
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
  ParserError(nvonnxparser::ErrorCode code, std::string desc, const std::string& label, onnx::NodePlace place = {})
      : code_(code),
        desc_(std::move(desc)),
        node_(part(label, "'", "'")),
        operator_(part(label, "(", ",)")),
        place_(std::move(place)) {
    for (const std::string& function : place_.functions) stack_.push_back(function.c_str());
  }
  nvonnxparser::ErrorCode code() const override { return code_; }
  char const* desc() const override { return desc_.c_str(); }
  char const* nodeName() const override { return node_.c_str(); }
  char const* nodeOperator() const override { return operator_.c_str(); }
  int node() const override { return place_.node; }
  char const* file() const override { return ""; }
  int line() const override { return 0; }
  char const* func() const override { return ""; }
  char const* const* localFunctionStack() const override { return stack_.data(); }
  int32_t localFunctionStackSize() const override { return static_cast<int32_t>(stack_.size()); }

 private:
  static std::string part(const std::string& label, const char* open, const char* close) {
    const size_t begin = label.find_first_of(open), end = label.find_first_of(close, begin + 1);
    return begin == std::string::npos || end == std::string::npos ? "" : label.substr(begin + 1, end - begin - 1);
  }
  nvonnxparser::ErrorCode code_;
  std::string desc_, node_, operator_;
  onnx::NodePlace place_;
  std::vector<const char*> stack_;
};

class ParserImpl final : public nvonnxparser::IParser {
 public:
  ParserImpl(NetworkImpl& network, nvinfer1::ILogger* logger) : network_(network), reporter_(logger) {}
  bool parse(void const* bytes, size_t size, char const* path) noexcept override {
    return run([&](onnx::ImportOptions& options) { network_.adopt(import(bytes, size, path, options)); });
  }
  bool supportsModelV2(void const* bytes, size_t size, char const* path) noexcept override {
    subgraphs_.clear();
    const bool done = run([&](onnx::ImportOptions& options) { import(bytes, size, path, options); });
    return guarded(reporter_, false, [&] { return find_subgraphs(done), done; });
  }
  int64_t getNbSubgraphs() noexcept override { return static_cast<int64_t>(subgraphs_.size()); }
  bool isSubgraphSupported(int64_t const index) noexcept override {
    return index >= 0 && index < getNbSubgraphs() && nth(subgraphs_, index).supported;
  }
  int64_t* getSubgraphNodes(int64_t const index, int64_t& length) noexcept override {
    length = 0;
    if (index < 0 || index >= getNbSubgraphs()) return nullptr;
    std::vector<int64_t>& nodes = nth(subgraphs_, index).nodes;
    length = static_cast<int64_t>(nodes.size());
    return nodes.data();
  }
  bool loadModelProto(void const* bytes, size_t size, char const* path) noexcept override {
    initializers_.clear();
    return run([&](onnx::ImportOptions&) {
      model_ = nullptr;
      model_ = onnx::parse_bytes({static_cast<const std::byte*>(bytes), bytes ? size : 0});
      model_folder_ = path ? folder_of(path) : "";
    });
  }
  bool loadInitializer(char const* name, void const* data, size_t size) noexcept override {
    return run([&](onnx::ImportOptions&) {
      if (!model_ || !name || (!data && size > 0))
        throw Error(Code::kInvalidState, "loadInitializer: there is no model, name or data")
            .remedy("call loadModelProto before");
      initializers_[name] = {static_cast<const std::byte*>(data), size};
    });
  }
  bool parseModelProto() noexcept override {
    return run([&](onnx::ImportOptions& options) {
      if (!model_)
        throw Error(Code::kInvalidState, "parseModelProto: there is no model").remedy("call loadModelProto before");
      options.model_dir = model_folder_;
      options.initializers = std::move(initializers_);
      network_.adopt(onnx::import_model(std::exchange(model_, nullptr), options));
    });
  }
  char const* const* getUsedVCPluginLibraries(int64_t& count) const noexcept override { return count = 0, nullptr; }
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
    return i >= 0 && i < getNbErrors() ? nth(errors_, i).get() : nullptr;
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
  static std::string folder_of(char const* path) { return std::filesystem::absolute(path).parent_path().string(); }
  static std::unique_ptr<ir::Graph> import(void const* bytes, size_t size, char const* path,
                                           onnx::ImportOptions& options) {
    if (path) options.model_dir = folder_of(path);
    return onnx::import_bytes({static_cast<const std::byte*>(bytes), bytes ? size : 0}, options);
  }
  void add_error(const Error& e, const onnx::NodePlace& place) {
    errors_.push_back(std::make_unique<ParserError>(to_parser(e.code()), e.what(), e.node(), place));
  }
  // Runs of nodes that were taken, or not; of a model that is not sound as a whole, all nodes are not.
  void find_subgraphs(bool sound) {
    std::set<int> refused;
    for (const onnx::UnsupportedNode& u : report_.unsupported) refused.insert(u.place.node);
    const bool none = !sound && refused.empty();
    for (int i = 0; i < report_.nodes; ++i) {
      const bool supported = !none && !refused.count(i);
      if (subgraphs_.empty() || subgraphs_.back().supported != supported) subgraphs_.push_back({{}, supported});
      subgraphs_.back().nodes.push_back(i);
    }
  }

  template <class F> bool run(F&& work) noexcept {
    return guarded(reporter_, false, [&] {
      report_ = {};
      try {
        onnx::ImportOptions options;
        options.logger = &reporter_;
        options.report = &report_;
        work(options);
        return true;
      } catch (const Error& e) {
        for (const onnx::UnsupportedNode& one : report_.unsupported) add_error(one.error, one.place);
        if (report_.unsupported.empty()) add_error(e, report_.failed);
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
  struct Subgraph {
    std::vector<int64_t> nodes;
    bool supported;
  };
  std::vector<Subgraph> subgraphs_;
  onnx::ImportReport report_;  // of the last import
  std::shared_ptr<::onnx::ModelProto> model_;
  std::string model_folder_;
  std::map<std::string, std::span<const std::byte>> initializers_;
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
