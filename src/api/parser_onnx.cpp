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
  ParserError(nvonnxparser::ErrorCode code, std::string desc, std::string node)
      : code_(code), desc_(std::move(desc)), node_(std::move(node)) {}
  nvonnxparser::ErrorCode code() const override { return code_; }
  char const* desc() const override { return desc_.c_str(); }
  char const* nodeName() const override { return node_.c_str(); }

 private:
  nvonnxparser::ErrorCode code_;
  std::string desc_, node_;
};

class ParserImpl final : public nvonnxparser::IParser {
 public:
  ParserImpl(NetworkImpl& network, nvinfer1::ILogger* logger) : network_(network), reporter_(logger) {}
  bool parse(void const* bytes, size_t size, char const* path) noexcept override {
    return run([&](onnx::ImportOptions& options) {
      if (path) options.model_dir = std::filesystem::absolute(path).parent_path().string();
      return onnx::import_bytes({static_cast<const std::byte*>(bytes), bytes ? size : 0}, options);
    });
  }
  bool parseFromFile(char const* file, int verbosity) noexcept override {
    quiet_.least = verbosity;
    const bool done = run([&](onnx::ImportOptions& options) {
      options.logger = &quiet_;
      return onnx::import_file(file ? file : "", options);
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

  template <class F> bool run(F&& import) noexcept {
    return guarded(reporter_, false, [&] {
      try {
        onnx::ImportOptions options;
        options.logger = &reporter_;
        network_.adopt(import(options));
        return true;
      } catch (const Error& e) {
        errors_.push_back(std::make_unique<ParserError>(to_parser(e.code()), e.what(), e.node()));
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
