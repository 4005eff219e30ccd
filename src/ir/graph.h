// The graph: values, nodes, regions. What every stage of the build side reads and rewrites.
#pragma once
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/op.h"
#include "tensor/layout.h"

namespace kiln::ir {

class Graph;
class Node;

struct Use {
  Node* node;
  int input;
  bool operator==(const Use&) const = default;
};

// An edge of the graph: result of a node, input of the graph, or constant. Owned by its graph; the address is its identity.
class Value {
 public:
  const std::string& name() const { return name_; }
  const EdgeType& type() const { return type_; }
  const TensorType& tensor_type() const { return type_.tensor; }
  DType dtype() const { return type_.tensor.dtype; }
  const Shape& shape() const { return type_.tensor.shape; }
  bool is_tensor() const { return type_.kind == Datum::kTensor; }
  bool ranked() const { return type_.tensor.ranked; }
  int64_t rank() const { return static_cast<int64_t>(type_.tensor.shape.size()); }

  Node* producer() const { return producer_; }  // null for inputs and constants
  int output_index() const { return output_index_; }
  bool is_input() const { return is_input_; }
  const Tensor* constant() const { return constant_.valid() ? &constant_ : nullptr; }
  // Elements of a small integer tensor as expressions, when they follow from what is known.
  const std::optional<std::vector<Dim>>& elements() const { return elements_; }
  const std::vector<Use>& uses() const { return uses_; }  // by nodes of the same graph
  bool is_graph_output() const { return returned_ > 0; }
  // One reader, and the graph itself does not return it.
  bool has_one_use() const { return uses_.size() == 1 && !is_graph_output(); }

  Layout layout;  // how it lies in memory; set by the layout pass
  void set_type(EdgeType type) { type_ = std::move(type); }
  void set_elements(std::optional<std::vector<Dim>> elements) { elements_ = std::move(elements); }

 private:
  friend class Graph;
  friend class Node;
  std::string name_;
  EdgeType type_;
  Node* producer_ = nullptr;
  int output_index_ = 0;
  bool is_input_ = false;
  Tensor constant_;
  std::optional<std::vector<Dim>> elements_;
  std::vector<Use> uses_;
  Graph* graph_ = nullptr;
  int returned_ = 0;                                      // how often the graph returns it
  std::list<std::unique_ptr<Value>>::iterator position_;  // in its graph
};

// A pointwise operator applied to the result of a node, inside the node. `operands` has one entry per input of the operator:
// -1 is the running result, k >= 0 is input k of the node.
struct PostOp {
  const OpDef* op = nullptr;
  Attributes attributes;
  std::vector<int> operands;
  bool operator==(const PostOp& o) const { return op == o.op && attributes == o.attributes && operands == o.operands; }
};

// One operation. Inputs may be null (absent optional input). Post-operations act on output 0, in order; the inputs that they
// add stand after the inputs of the base operator.
class Node {
 public:
  const OpDef& op() const { return *op_; }
  const std::string& op_name() const { return op_->name(); }
  bool is(std::string_view op) const { return op_->name() == op; }
  const std::string& name() const { return name_; }
  const std::vector<Value*>& inputs() const { return inputs_; }
  Value* input(int i) const { return i < static_cast<int>(inputs_.size()) ? inputs_[static_cast<size_t>(i)] : nullptr; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  Value* output(int i = 0) const { return outputs_[static_cast<size_t>(i)]; }
  Graph& graph() const { return *graph_; }
  int base_input_count() const { return base_inputs_; }  // inputs that belong to the base operator

  Attributes attributes;
  std::vector<PostOp> post;
  std::vector<std::unique_ptr<Graph>> regions;
  std::vector<std::string> origins;   // names of the model's nodes that this one came from
  DType precision = DType::kInvalid;  // to compute in, whatever the build is allowed; kInvalid: free
  // float16 or bfloat16, where the model has that type and the node computes on it in float32, between casts: a kernel that takes the type
  // may stand for all of it.
  DType declared = DType::kInvalid;
  // float16 or bfloat16, in which kernels may keep its constant weights: it holds their numbers, or the build may round them to it.
  DType keeps = DType::kInvalid;

  void set_input(int i, Value* value);
  void add_post_op(PostOp post_op, std::vector<Value*> extra);  // operands >= 0 count within `extra`
  // The inverse: the last post-operation, and the values that its operands >= 0 count in. There must be one.
  std::pair<PostOp, std::vector<Value*>> take_last_post_op();
  void set_name(std::string name);  // made unique when another node has it

 private:
  friend class Graph;
  const OpDef* op_ = nullptr;
  std::string name_;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
  int base_inputs_ = 0;
  Graph* graph_ = nullptr;
  std::list<std::unique_ptr<Node>>::iterator position_;  // in its graph
};

struct NodeSpec {
  const OpDef* op = nullptr;
  std::vector<Value*> inputs;
  Attributes attributes;
  std::string name;  // empty: made from the operator's name
  std::vector<std::string> origins;
  int output_count = 1;
  std::vector<std::unique_ptr<Graph>> regions;
  std::vector<std::string> output_names;  // empty: made from the node's name
  DType precision = DType::kInvalid;
  DType declared = DType::kInvalid;
  DType keeps = DType::kInvalid;
};

inline constexpr size_t kLongestName = 4096;  // of a value or node, in bytes

// A function of tensors: inputs, outputs, and nodes in topological order. Regions are isolated graphs: what they use from
// outside comes in through their inputs. Not thread-safe; distinct graphs may be used by distinct threads.
class Graph {
 public:
  Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  std::unique_ptr<Graph> clone() const;  // constants are shared

  std::string name = "main";
  int64_t folded_growth = 0;  // elements that folding of constants has added
  // Regions around it; inferring the node that it belongs to sets it. Sizes that only running tells are named after values, and a value
  // in a region may have the name of one outside.
  int depth = 0;
  const std::vector<Value*>& inputs() const { return inputs_; }
  const std::vector<Value*>& outputs() const { return outputs_; }
  const std::list<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  std::vector<Node*> node_list() const;  // a copy that survives edits
  const std::list<std::unique_ptr<Value>>& values() const { return values_; }

  Value* add_input(std::string name, EdgeType type);
  Value* add_constant(Tensor tensor, std::string name = "");
  Value* find_value(std::string_view name) const;  // linear
  // Appends, or inserts before `before`; infers the types of its outputs. Throws Error with the node's name.
  Node* add_node(NodeSpec spec, Node* before = nullptr);
  void set_outputs(std::vector<Value*> outputs);
  void set_output(size_t i, Value* value);
  void rename(Value* value, std::string name);            // keeps names unique
  void replace_uses(Value* old_value, Value* new_value);  // in nodes and outputs
  void erase(Node* node);                                 // nobody may use its outputs
  void move_before(Node* node, Node* before);
  size_t remove_dead();  // nodes and constants that nobody needs; how many nodes
  // Infers types of all nodes again, in order (after a change of input types).
  void infer_types();
  void infer(Node& node);
  void sort();  // topological; throws kInvalidGraph on a cycle

 private:
  friend class Node;
  using Names = std::map<std::string, int, std::less<>>;
  Value* add_value(std::string name);
  // `wanted`, cut when it is longer than kLongestName, with a number when it is taken.
  static std::string unique_name(Names& names, std::string wanted);
  void erase_value(Value* value);
  std::list<std::unique_ptr<Node>> nodes_;
  std::list<std::unique_ptr<Value>> values_;
  std::vector<Value*> inputs_, outputs_;
  Names names_, node_names_;
};

// The type of the first result before the last post-operation, of which there must be one.
EdgeType type_before_last_post_op(const Node& node);

// Throws Error(kInvalidGraph) naming the node when an invariant is broken: order, use lists, types, names, post-operations.
void verify(const Graph& graph);

// Runs the graph by reference evaluation. Throws Error that names the node. The observer sees every computed value.
using Observer = std::function<void(const Value&, const Datum&)>;
std::vector<Datum> evaluate(const Graph& graph, std::vector<Datum> inputs, const Observer& observer = nullptr);
// One node: base operator and its post-operations.
std::vector<Datum> evaluate(const Node& node, std::vector<Datum> inputs);

}  // namespace kiln::ir
