// From ONNX models to networks.
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

#include "NvInfer.h"

#define NV_ONNX_PARSER_MAJOR 0
#define NV_ONNX_PARSER_MINOR 1
#define NV_ONNX_PARSER_PATCH 0
static constexpr int32_t NV_ONNX_PARSER_VERSION =
    ((NV_ONNX_PARSER_MAJOR * 10000) + (NV_ONNX_PARSER_MINOR * 100) + NV_ONNX_PARSER_PATCH);

namespace nvonnxparser {

enum class ErrorCode : int32_t {
  kSUCCESS = 0,
  kINTERNAL_ERROR = 1,
  kMEM_ALLOC_FAILED = 2,
  kMODEL_DESERIALIZE_FAILED = 3,
  kINVALID_VALUE = 4,
  kINVALID_GRAPH = 5,
  kINVALID_NODE = 6,
  kUNSUPPORTED_GRAPH = 7,
  kUNSUPPORTED_NODE = 8,
};

enum class OnnxParserFlag : int32_t {
  kNATIVE_INSTANCENORM = 0
};  // instance norm is always native; the flag changes nothing
using OnnxParserFlags = uint32_t;
// Indices of nodes, and whether they can be parsed.
using SubGraph_t = std::pair<std::vector<size_t>, bool>;
using SubGraphCollection_t = std::vector<SubGraph_t>;

// One reason why a model was refused. Lives until the parser's errors are cleared.
class IParserError {
 public:
  virtual ErrorCode code() const = 0;
  virtual char const* desc() const = 0;
  virtual char const* nodeName() const = 0;      // empty when no single node is at fault
  virtual char const* nodeOperator() const = 0;  // empty when it is not known
  virtual int node() const = 0;                  // index in the model's graph; -1 when it is not known
  virtual char const* file() const = 0;          // of Kiln's source; empty
  virtual int line() const = 0;
  virtual char const* func() const = 0;
  // Names of the model's functions that hold the node, outermost first; localFunctionStackSize() many.
  virtual char const* const* localFunctionStack() const = 0;
  virtual int32_t localFunctionStackSize() const = 0;

 protected:
  virtual ~IParserError() = default;
};

// Fills one network. It may be deleted before the network is built. Not thread-safe.
class IParser : public nvinfer1::INoCopy {
 public:
  // modelPath: the model's file, beside which external weights lie; null when there are none.
  virtual bool parse(void const* serialized_onnx_model, size_t serialized_onnx_model_size,
                     char const* model_path = nullptr) noexcept = 0;
  // Verbosity: what the logger hears, as ILogger::Severity.
  virtual bool parseFromFile(char const* onnxModelFile, int verbosity) noexcept = 0;
  virtual bool supportsOperator(char const* op_name) const noexcept = 0;
  // Whether parse() would take it; the errors tell what it would not. Leaves the network as it is.
  virtual bool supportsModelV2(void const* serializedOnnxModel, size_t serializedOnnxModelSize,
                               char const* modelPath = nullptr) noexcept = 0;
  // The parts of the graph that the last supportsModelV2 told apart: runs of nodes in the model's order that parse() would all take, or all
  // not take. getSubgraphNodes gives indices of nodes, which live until the next call of supportsModelV2; null, and length 0, for a wrong
  // index.
  virtual int64_t getNbSubgraphs() noexcept = 0;
  virtual bool isSubgraphSupported(int64_t const index) noexcept = 0;
  virtual int64_t* getSubgraphNodes(int64_t const index, int64_t& subgraphLength) noexcept = 0;
  // As before 11.0.
  bool supportsModel(void const* serialized_onnx_model, size_t serialized_onnx_model_size,
                     SubGraphCollection_t& sub_graph_collection, char const* model_path = nullptr) noexcept {
    bool const supported = supportsModelV2(serialized_onnx_model, serialized_onnx_model_size, model_path);
    for (int64_t i = 0; i < getNbSubgraphs(); ++i) {
      int64_t length = 0;
      int64_t const* nodes = getSubgraphNodes(i, length);
      sub_graph_collection.emplace_back(SubGraph_t(std::vector<size_t>(nodes, nodes + length), isSubgraphSupported(i)));
    }
    return supported;
  }
  bool parseWithWeightDescriptors(void const* serialized_onnx_model, size_t serialized_onnx_model_size) noexcept {
    return parse(serialized_onnx_model, serialized_onnx_model_size);
  }
  // parse() in steps, so that initializers of the model may be given instead of read: first the model, then `size` bytes for each such
  // initializer, which the caller keeps until the network is built; then parseModelProto, once for each loadModelProto.
  virtual bool loadModelProto(void const* serializedOnnxModel, size_t serializedOnnxModelSize,
                              char const* modelPath = nullptr) noexcept = 0;
  virtual bool loadInitializer(char const* name, void const* data, size_t size) noexcept = 0;
  virtual bool parseModelProto() noexcept = 0;
  // Libraries of plugins that the network needs: none, null.
  virtual char const* const* getUsedVCPluginLibraries(int64_t& nbPluginLibs) const noexcept = 0;
  // Output i of the layer with the name of a node of the model; null when there is none.
  virtual nvinfer1::ITensor const* getLayerOutputTensor(char const* name, int64_t i) noexcept = 0;
  virtual void setFlags(OnnxParserFlags onnxParserFlags) noexcept = 0;
  virtual OnnxParserFlags getFlags() const noexcept = 0;
  virtual void clearFlag(OnnxParserFlag onnxParserFlag) noexcept = 0;
  virtual void setFlag(OnnxParserFlag onnxParserFlag) noexcept = 0;
  virtual bool getFlag(OnnxParserFlag onnxParserFlag) const noexcept = 0;
  virtual int getNbErrors() const noexcept = 0;
  virtual IParserError const* getError(int index) const noexcept = 0;
  virtual void clearErrors() noexcept = 0;
};

}  // namespace nvonnxparser

extern "C" TENSORRTAPI void* createNvOnnxParser_INTERNAL(void* network, void* logger, int version) noexcept;
extern "C" TENSORRTAPI int getNvOnnxParserVersion() noexcept;

namespace nvonnxparser {
namespace {
// The network is empty, and outlives the parser.
inline IParser* createParser(nvinfer1::INetworkDefinition& network, nvinfer1::ILogger& logger) noexcept {
  return static_cast<IParser*>(createNvOnnxParser_INTERNAL(&network, &logger, NV_ONNX_PARSER_VERSION));
}
}  // namespace
}  // namespace nvonnxparser
