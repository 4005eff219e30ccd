// Walks the graphs of a model and lets each node's importer add its operations.
#pragma once
#include <onnx/onnx-ml.pb.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/large_elements.h"
#include "frontends/onnx/node_import.h"
#include "frontends/onnx/tensor_proto.h"

namespace kiln::onnx {

using Nodes = google::protobuf::RepeatedPtrField<::onnx::NodeProto>;
using AttributeMap = std::map<std::string, const ::onnx::AttributeProto*, std::less<>>;

// What names mean in the model, or in a function body that is being inlined.
struct Context {
  std::map<std::string, int64_t> opsets;  // by domain
  AttributeMap attributes;                // those that a function body may refer to
  std::string prefix;                     // of the names of values and nodes
  std::vector<std::string> functions;     // being inlined, outermost first
};

// Values by their name in one graph or function body. A null value is a result of an unsupported node.
struct Scope {
  ir::Graph* graph;
  const Scope* outer = nullptr;
  std::map<std::string, ir::Value*> values;
  std::set<std::string> absent;  // optional inputs of a function that its caller left out
};

class GraphImporter {
 public:
  // `elements`: those that the initializers of the model's graph lack.
  GraphImporter(std::shared_ptr<::onnx::ModelProto> model, const ImportOptions& options,
                LargeElements* elements = nullptr);
  std::unique_ptr<ir::Graph> run();

  const std::shared_ptr<::onnx::ModelProto>& model() const { return model_; }
  ExternalData& external() { return external_; }
  const ImportOptions& options() const { return options_; }

  // Whether a node or graph of the model reads a value of that name, or returns it.
  bool is_read(const std::string& name);
  // A map is two values: what it holds, known under its name, and the keys in the same order. Null for what is no map.
  ir::Value* keys_of(const ir::Value* map) const;
  void set_keys(const ir::Value* map, ir::Value* keys) { keys_[map] = keys; }

  // Nested graph: inputs, then `captures`, which the caller finds in its own scope.
  // The value of that name in the scope or those around it; null when there is none.
  static ir::Value* find(const Scope& scope, const std::string& name);
  std::unique_ptr<ir::Graph> import_region(const ::onnx::GraphProto& graph, const Scope& outer, const Context& context,
                                           const std::vector<EdgeType>& formals,
                                           const std::vector<std::string>& captures);

 private:
  void add_inputs(const ::onnx::GraphProto& graph, Scope& scope);
  ir::Value* add_map_input(const ::onnx::ValueInfoProto& input, Scope& scope);
  void add_own_initializers(Scope& scope);
  void add_initializers(const ::onnx::GraphProto& graph, Scope& scope, const Context& context);
  void add_formals(const ::onnx::GraphProto& graph, Scope& scope, const Context& context,
                   const std::vector<EdgeType>& formals);
  ir::Value* resolve(Scope& scope, const std::string& name);
  void check_opsets() const;
  [[noreturn]] void throw_unsupported() const;
  void import_nodes(const Nodes& nodes, Scope& scope, const Context& context);
  void import_node(const ::onnx::NodeProto& node, Scope& scope, const Context& context);
  void dispatch(NodeImport& n);
  std::optional<std::string> refusal(const ::onnx::NodeProto& node, const Context& context) const;
  void inline_function(const ::onnx::FunctionProto& function, NodeImport& call, const Context& context);
  const ::onnx::FunctionProto* find_function(const ::onnx::NodeProto& node) const;
  void set_outputs(const ::onnx::GraphProto& graph, Scope& scope);
  void define(Scope& scope, const std::string& name, ir::Value* value) const;
  void reject(const ::onnx::NodeProto& node, Scope& scope, const Context& context, Error error);
  void check_nested(const ::onnx::NodeProto& node, const Context& context);

  std::shared_ptr<::onnx::ModelProto> model_;
  const ImportOptions& options_;
  LargeElements* elements_;
  ExternalData external_;
  std::map<std::string, const ::onnx::FunctionProto*> functions_;
  NodePlace place(const Context& context) const;
  void refuse(Error error, const Context& context);
  Tensor own_tensor(const std::shared_ptr<::onnx::TensorProto>& proto, int initializer);
  std::vector<UnsupportedNode> unsupported_;
  std::map<const ir::Value*, ir::Value*> keys_;  // by map
  std::set<std::string> read_;                   // names; empty until somebody asks
  int own_node_ = -1;                            // of the model's graph, that is being imported
  bool located_ = false;                         // the error under way names its node and inputs
  int64_t nodes_seen_ = 0;
  int64_t most_nodes_;
};

std::string node_label(const ::onnx::NodeProto& node, const Context& context);
std::string node_name(const ::onnx::NodeProto& node, const Context& context);
// Domain without its alias, and its version in this context; nothing when the model does not import it.
std::string domain_of(const ::onnx::NodeProto& node);
std::string importer_key(const ::onnx::NodeProto& node);  // "Conv", "com.microsoft.FusedConv": as OnnxOp::name
std::optional<int64_t> opset_of(const ::onnx::NodeProto& node, const Context& context);
// Names that a graph uses and does not define, in order of use.
std::vector<std::string> free_names(const ::onnx::GraphProto& graph);
// Positions in an order in which every node follows its producers. Throws kInvalidGraph on a cycle.
std::vector<int> topological_order(const Nodes& nodes, const Context& context);

}  // namespace kiln::onnx
