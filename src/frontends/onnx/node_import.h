// What the importer of one ONNX operator sees: the node, and the graph to which it adds operations.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace onnx {
class AttributeProto;
class GraphProto;
class NodeProto;
}  // namespace onnx

namespace kiln::onnx {

class GraphImporter;
struct Context;
struct Scope;

class NodeImport {
 public:
  NodeImport(GraphImporter& importer, const ::onnx::NodeProto& node, Scope& scope, const Context& context);

  const std::string& op() const;
  const std::string& name() const { return name_; }  // of the node, or of its first output
  int64_t opset() const { return opset_; }           // of the node's domain
  std::string label() const;                         // "'name' (Op, opset N)"

  int input_count() const { return static_cast<int>(inputs_.size()); }
  const std::vector<ir::Value*>& inputs() const { return inputs_; }
  ir::Value* in(int i) const;  // throws kInvalidGraph when absent
  ir::Value* optional(int i) const { return i < input_count() ? inputs_[static_cast<size_t>(i)] : nullptr; }
  DType dtype(int i = 0) const { return in(i)->dtype(); }
  int64_t rank(int i = 0) const;  // throws kUnsupported when not known
  int output_count() const;       // up to the last one that has a name
  bool wants(int i) const;
  bool is_read(int i) const;  // by a node, or returned

  bool has_attr(std::string_view name) const { return attributes_.find(name) != attributes_.end(); }
  int64_t integer(std::string_view name, int64_t fallback) const;
  int64_t integer(std::string_view name) const;  // throws kInvalidGraph when absent
  double real(std::string_view name, double fallback) const;
  std::string text(std::string_view name, std::string_view fallback = "") const;
  Ints ints(std::string_view name) const;  // empty when absent
  Floats reals(std::string_view name) const;
  Strings texts(std::string_view name) const;
  Tensor tensor(std::string_view name) const;  // dense and sparse
  const ::onnx::GraphProto& graph_attr(std::string_view name) const;
  // All that `op` knows, as its schema types them; those in `without` are left out. Throws kUnsupported for an unknown one.
  Attributes attributes(const OpDef& op, std::initializer_list<std::string_view> without = {}) const;
  Attributes attributes(
      std::initializer_list<std::string_view> without = {}) const;  // of the operator of the node's name

  // Constants of the graph.
  ir::Value* constant(Tensor tensor) const;
  ir::Value* ints(const Ints& values) const;  // int64[n]
  ir::Value* scalar(DType type, double value) const;

  // A helping operation with one result; `outputs` more.
  ir::Value* add(std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes = {});
  std::vector<ir::Value*> add_many(std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes,
                                   int outputs);
  // The operation whose first result is result `i` of the node; for nodes that become several operations, before yield().
  ir::Value* result(int i, std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes = {});
  // The operation that gives the node's results.
  void emit(std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes = {});
  // Nested graphs of the node, and the values outside that they use; what import_regions gives becomes part of a node by emit_nested.
  struct Nested {
    std::vector<std::unique_ptr<ir::Graph>> graphs;
    std::vector<ir::Value*> captures;
  };
  // Region inputs are `formals` (their types; the declared type where none is given), then the captures.
  Nested import_regions(const std::vector<std::string>& graphs, const std::vector<EdgeType>& formals) const;
  // The operation that gives the node's results; the captures become its last inputs.
  void emit_nested(std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes, Nested nested);
  // The results of a nested graph that uses the values outside as if it stood where the node is.
  std::vector<ir::Value*> inline_graph(const std::string& graph, const std::vector<ir::Value*>& arguments);
  // Both at once.
  void emit_regions(std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes,
                    const std::vector<std::string>& graphs, const std::vector<EdgeType>& formals);
  // A constant that bears the name of the node's first result.
  ir::Value* constant_result(Tensor tensor) const;
  // The node's results are these values.
  void yield(std::vector<ir::Value*> values);
  // Maps: input i's keys, whose values the input is; throws kInvalidGraph when it is no map. The node's result is a map of both.
  ir::Value* keys(int i) const;
  void yield_map(ir::Value* values, ir::Value* keys);

  // Throws kUnsupported with this reason.
  [[noreturn]] void unsupported(std::string reason, std::string remedy = "") const;
  [[noreturn]] void invalid(std::string message, std::string cause = "") const;

 private:
  friend class GraphImporter;
  const ::onnx::AttributeProto* find(std::string_view name) const;
  ir::NodeSpec spec(std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes) const;
  void finish(ir::NodeSpec spec);

  GraphImporter& importer_;
  const ::onnx::NodeProto& node_;
  Scope& scope_;
  const Context& context_;
  std::string name_;
  int64_t opset_ = 0;
  std::vector<ir::Value*> inputs_;
  std::map<std::string, const ::onnx::AttributeProto*, std::less<>> attributes_;
  std::vector<ir::Value*> results_;
  bool done_ = false;
};

// An operator of ONNX: from each version on, how a node becomes operations.
struct OnnxOp {
  using Importer = void (*)(NodeImport&);
  struct Version {
    int64_t since;
    Importer import;
  };
  std::string name;               // with its domain, unless that is ai.onnx
  std::vector<Version> versions;  // ascending
};

// The newest version not above `opset`; nothing when the operator has no importer of its own, or none that old.
OnnxOp::Importer find_importer(const std::string& op, int64_t opset);
bool has_importer(const std::string& op);
// Same name, inputs and attributes as the operator of Kiln.
void import_as_is(NodeImport& n);

}  // namespace kiln::onnx
