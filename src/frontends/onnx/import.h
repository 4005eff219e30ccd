// The ONNX reader: a model becomes a graph whose operators are those of the newest ONNX.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "ir/graph.h"

namespace onnx {
class ModelProto;
}

namespace kiln::onnx {

inline constexpr int64_t kOldestOpset = 1;  // whole since 7; of older ones what models of opset 6 use
inline constexpr int64_t kNewestOpset = 27;

// Where in the model: a node of its graph, and the functions that were being inlined there, outermost first.
struct NodePlace {
  int node = -1;
  std::vector<std::string> functions;
};
struct UnsupportedNode {
  Error error;
  NodePlace place;
};
// What an import tells beside its graph or its error.
struct ImportReport {
  int nodes = 0;  // of the model's graph
  std::vector<UnsupportedNode> unsupported;
  NodePlace failed;  // where another error arose
};

struct ImportOptions {
  std::string model_dir;  // where external data may lie; import_file takes the model's folder when empty
  Logger* logger = nullptr;
  std::map<std::string, int64_t> fixed_dims;  // sizes of named dimensions
  ImportReport* report = nullptr;
  int64_t most_nodes = 0;  // with function bodies where they are called; 0: 20,000, or 100 for each node of the file
  // Elements that take the place of the model's own, by the name of the initializer. Borrowed by the graph.
  std::map<std::string, std::span<const std::byte>> initializers = {};
};

// Values keep the model's names, nodes tell the model's nodes in `origins`. Dynamic dimensions are symbols named by the model,
// or "<input>.<axis>". Large initializers are borrowed from the parsed model or the mapped data file, which stay alive with them.
// Throws Error: kMalformedModel, kInvalidGraph, kTypeMismatch, kShapeMismatch; one kUnsupported that lists every unsupported node.
std::unique_ptr<ir::Graph> import_file(const std::string& path, const ImportOptions& options = {});
std::unique_ptr<ir::Graph> import_bytes(std::span<const std::byte> bytes, const ImportOptions& options = {});
// The same in two steps; the second takes the message apart.
std::shared_ptr<::onnx::ModelProto> parse_bytes(std::span<const std::byte> bytes);
std::unique_ptr<ir::Graph> import_model(std::shared_ptr<::onnx::ModelProto> model, const ImportOptions& options = {});

}  // namespace kiln::onnx
