// Patches: edits that a rule proposes. Nothing happens to the graph before apply().
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/pattern.h"

namespace kiln::ir {

// A value that exists, or a result of a node or constant of the patch.
struct PatchValue {
  Value* value = nullptr;
  int made = -1;  // index into the patch's additions
  int output = 0;
  PatchValue() = default;
  PatchValue(Value* v) : value(v) {}
  PatchValue result(int i) const;  // another output of the same new node
};

// A Cast that a rule made for another node, and Patch named after it: "conv.Cast".
bool is_cast_of_a_rule(const Node& node);

// What apply() did.
struct Applied {
  std::string name;  // of the node that stands for the matched ones
  std::vector<Node*> added;
  Node* named = nullptr;      // of the added ones
  std::vector<Node*> erased;  // addresses only: the nodes are gone
};

// New nodes stand before the root of the match, take the origins of all matched nodes, and the last of them, or the one that stands for the
// root, the joined names ("conv1 + relu1"); their results take the names of the values that they replace. Nodes that nobody needs any more are
// erased.
class Patch {
 public:
  explicit Patch(const Match& match) : root_(&match.root()), nodes_(match.nodes()) {}
  // A patch of one node that no pattern found.
  explicit Patch(Node& node) : root_(&node), nodes_{&node} {}

  PatchValue add(std::string_view op, std::vector<PatchValue> inputs, Attributes attributes = {}, int output_count = 1);
  PatchValue constant(Tensor tensor, std::string name = "");
  // The new node does the post-operations of `node` too.
  void take_post_ops(const PatchValue& made, const Node& node);
  // The model has that type where the new node stands (Node::declared); else it has what the matched nodes declare.
  void declare(const PatchValue& made, DType type);
  // The new node does this too, after what it does already. Operands: nullopt is the running result; others exist, or were added to the
  // patch before the node.
  void add_post_op(const PatchValue& made, std::string_view op, Attributes attributes,
                   std::vector<std::optional<PatchValue>> operands);
  void replace(Value* old_value, PatchValue by);
  // The new node is what the root was, though others replace its results, in another type: where the graph does not return these, the new
  // node's results have their names.
  void stand_for_root(const PatchValue& made) { standing_ = made.made; }
  // The root becomes a post-operation of `base`, one of its producers. Operands are those of the root; nullopt is the running
  // result. The base moves to the place of the root.
  void append_to(Node& base, std::vector<std::optional<PatchValue>> operands);
  // A node outside the pattern that the patch stands for as well: its name and origins join.
  void absorb(Node& node);
  void set_name(std::string name) { name_ = std::move(name); }  // instead of the joined names

  Node& root() const { return *root_; }
  std::string joined_name() const;
  Applied apply(Graph& graph) const;

 private:
  struct AddedPostOp {
    const OpDef* op = nullptr;
    Attributes attributes;
    std::vector<std::optional<PatchValue>> operands;
  };
  struct Addition {
    const OpDef* op = nullptr;  // null: a constant
    std::vector<PatchValue> inputs;
    Attributes attributes;
    int output_count = 1;
    Tensor tensor;
    std::string name;
    const Node* post_ops_of = nullptr;
    DType declared = DType::kInvalid;
    std::vector<AddedPostOp> post_ops;
  };
  using Made = std::vector<std::vector<Value*>>;  // results of each addition
  size_t named_addition() const;
  Value* namesake(const Value* old_value, const Made& made) const;
  Made build(Graph& graph, Applied& applied) const;
  static void put_post_op(Node& node, const AddedPostOp& post_op, const Made& made);
  void append(Graph& graph, const Made& made) const;
  std::vector<std::string> joined_origins() const;
  DType joined_precision() const;
  DType joined_declaration() const;

  Node* root_;
  std::vector<Node*> nodes_;
  std::string name_;
  std::vector<Addition> additions_;
  std::vector<std::pair<Value*, PatchValue>> replacements_;
  int standing_ = -1;  // addition that stands for the root
  Node* base_ = nullptr;
  std::vector<std::optional<PatchValue>> operands_;  // of the root as its post-operation
};

}  // namespace kiln::ir
