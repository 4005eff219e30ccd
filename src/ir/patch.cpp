// Applying patches.
#include "ir/patch.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/index.h"
#include "base/printable.h"

namespace kiln::ir {
namespace {

Value* resolve(const PatchValue& v, const std::vector<std::vector<Value*>>& made) {
  return v.made < 0 ? v.value : made.at(static_cast<size_t>(v.made)).at(static_cast<size_t>(v.output));
}

constexpr size_t kLongestJoinedName = 512;  // bytes
constexpr size_t kMostOrigins = 256;        // of a node; a chain of thousands keeps its first ones

bool unused(const Node& node) {
  return std::all_of(node.outputs().begin(), node.outputs().end(),
                     [](const Value* v) { return v->uses().empty() && !v->is_graph_output(); });
}

// Erases the nodes that nobody needs, and then those that only they needed.
void erase_unused(Graph& graph, std::vector<Node*> candidates, std::vector<Node*>& erased) {
  std::set<const Node*> gone;
  while (!candidates.empty()) {
    Node* node = candidates.back();
    candidates.pop_back();
    if (gone.count(node) || !unused(*node)) continue;
    for (Value* v : node->inputs())
      if (v && v->producer()) candidates.push_back(v->producer());
    erased.push_back(node);
    gone.insert(node);
    graph.erase(node);
  }
}

const OpDef& known_op(std::string_view name) {
  if (const OpDef* op = find_op(name)) return *op;
  throw Error(Code::kInternal, "a rule makes the unknown operator '" + std::string(name) + "'");
}

void copy_post_ops(const Node& from, Node& to) {
  for (PostOp post : from.post) {
    std::vector<Value*> extra;
    for (int& operand : post.operands) {
      if (operand < 0) continue;
      extra.push_back(from.input(operand));
      operand = static_cast<int>(extra.size()) - 1;
    }
    to.add_post_op(std::move(post), std::move(extra));
  }
}

}  // namespace

bool is_cast_of_a_rule(const Node& node) {
  constexpr std::string_view kMade = ".Cast";
  const std::string_view name = node.name();
  const size_t at = name.rfind(kMade);
  return node.is("Cast") && at != std::string_view::npos &&
         name.find_first_not_of("_0123456789", at + kMade.size()) == std::string_view::npos;
}

PatchValue PatchValue::result(int i) const {
  PatchValue v = *this;
  v.output = i;
  return v;
}

PatchValue Patch::add(std::string_view op, std::vector<PatchValue> inputs, Attributes attributes, int output_count) {
  Addition a;
  a.op = &known_op(op);
  a.inputs = std::move(inputs);
  a.attributes = std::move(attributes);
  a.output_count = output_count;
  additions_.push_back(std::move(a));
  PatchValue v;
  v.made = static_cast<int>(additions_.size()) - 1;
  return v;
}

PatchValue Patch::constant(Tensor tensor, std::string name) {
  Addition a;
  a.tensor = std::move(tensor);
  a.name = std::move(name);
  additions_.push_back(std::move(a));
  PatchValue v;
  v.made = static_cast<int>(additions_.size()) - 1;
  return v;
}

void Patch::take_post_ops(const PatchValue& made, const Node& node) { nth(additions_, made.made).post_ops_of = &node; }

void Patch::declare(const PatchValue& made, DType type) { nth(additions_, made.made).declared = type; }

void Patch::add_post_op(const PatchValue& made, std::string_view op, Attributes attributes,
                        std::vector<std::optional<PatchValue>> operands) {
  nth(additions_, made.made).post_ops.push_back({&known_op(op), std::move(attributes), std::move(operands)});
}

void Patch::replace(Value* old_value, PatchValue by) { replacements_.emplace_back(old_value, by); }

void Patch::append_to(Node& base, std::vector<std::optional<PatchValue>> operands) {
  base_ = &base;
  operands_ = std::move(operands);
}

void Patch::absorb(Node& node) {
  if (std::find(nodes_.begin(), nodes_.end(), &node) != nodes_.end()) return;
  nodes_.push_back(&node);
  nodes_ = ir::producers_first(*root_, nodes_);
}

// Casts that rules made go without saying.
std::string Patch::joined_name() const {
  if (!name_.empty()) return name_;
  std::string text;
  const bool all = std::all_of(nodes_.begin(), nodes_.end(), [](const Node* n) { return is_cast_of_a_rule(*n); });
  for (const Node* n : nodes_)
    if (all || !is_cast_of_a_rule(*n)) text += (text.empty() ? "" : " + ") + n->name();
  return shortened(text, kLongestJoinedName);
}

std::vector<std::string> Patch::joined_origins() const {
  std::vector<std::string> all;
  std::set<std::string_view> known;
  for (const Node* n : nodes_)
    for (const std::string& o : n->origins)
      if (all.size() < kMostOrigins && known.insert(o).second) all.push_back(o);
  return all;
}

// What any of the nodes is to compute in; float32 goes before narrower types.
DType Patch::joined_precision() const {
  DType joined = DType::kInvalid;
  for (const Node* n : nodes_)
    if (joined != DType::kF32 && n->precision != DType::kInvalid) joined = n->precision;
  return joined;
}

// What those of the nodes that declare a type agree on. Pointwise nodes round to their types by themselves.
DType Patch::joined_declaration() const {
  DType joined = DType::kInvalid;
  for (const Node* n : nodes_) {
    if (n->declared == DType::kInvalid) continue;
    if (joined != DType::kInvalid && joined != n->declared) return DType::kInvalid;
    joined = n->declared;
  }
  return joined;
}

// The last node, if no other stands for the root.
size_t Patch::named_addition() const {
  if (standing_ >= 0) return static_cast<size_t>(standing_);
  size_t last = additions_.size();
  while (last > 0 && !additions_[last - 1].op) --last;
  return last - 1;
}

// The result that takes the name of what it stands for, though the other replaces it; null: none.
Value* Patch::namesake(const Value* old_value, const Made& made) const {
  if (standing_ < 0 || old_value->producer() != root_ || old_value->is_graph_output()) return nullptr;
  return made[static_cast<size_t>(standing_)][static_cast<size_t>(old_value->output_index())];
}

Patch::Made Patch::build(Graph& graph, Applied& applied) const {
  Made made;
  const size_t named = named_addition();
  for (size_t i = 0; i < additions_.size(); ++i) {
    const Addition& a = additions_[i];
    if (!a.op) {
      made.push_back({graph.add_constant(a.tensor, a.name)});
      continue;
    }
    NodeSpec spec;
    spec.op = a.op;
    for (const PatchValue& v : a.inputs) spec.inputs.push_back(resolve(v, made));
    spec.attributes = a.attributes;
    spec.name = i == named ? applied.name : applied.name + "." + a.op->name();
    spec.origins = joined_origins();
    spec.precision = joined_precision();
    if (!a.op->is_pointwise()) spec.declared = a.declared != DType::kInvalid ? a.declared : joined_declaration();
    spec.output_count = a.output_count;
    Node* node = graph.add_node(std::move(spec), root_);
    if (a.post_ops_of) copy_post_ops(*a.post_ops_of, *node);
    for (const AddedPostOp& post_op : a.post_ops) put_post_op(*node, post_op, made);
    if (!node->post.empty()) graph.infer(*node);
    applied.added.push_back(node);
    if (i == named) applied.named = node;
    made.push_back(node->outputs());
  }
  return made;
}

void Patch::put_post_op(Node& node, const AddedPostOp& post_op, const Made& made) {
  PostOp post{post_op.op, post_op.attributes, {}};
  std::vector<Value*> extra;
  for (const auto& operand : post_op.operands) {
    post.operands.push_back(operand ? static_cast<int>(extra.size()) : -1);
    if (operand) extra.push_back(resolve(*operand, made));
  }
  node.add_post_op(std::move(post), std::move(extra));
}

void Patch::append(Graph& graph, const Made& made) const {
  base_->origins = joined_origins();
  base_->precision = joined_precision();
  base_->declared = joined_declaration();
  graph.move_before(base_, root_);
  put_post_op(*base_, {&root_->op(), root_->attributes, operands_}, made);
  graph.infer(*base_);
}

Applied Patch::apply(Graph& graph) const {
  Applied applied;
  applied.name = joined_name();
  const Made made = build(graph, applied);
  if (base_) append(graph, made);
  std::vector<std::pair<Value*, std::string>> renames;
  auto replace = [&](Value* old_value, Value* by) {
    if (old_value->dtype() != by->dtype() && old_value->dtype() != DType::kInvalid)
      throw Error(Code::kInternal, "a rule replaces '" + old_value->name() + "', " + old_value->type().str() + ", by " +
                                       by->type().str());
    if (old_value->is_graph_output() ||
        std::find(applied.added.begin(), applied.added.end(), by->producer()) != applied.added.end() ||
        (base_ && by->producer() == base_)) {
      Value* twin = namesake(old_value, made);
      renames.emplace_back(twin ? twin : by, old_value->name());
    }
    graph.replace_uses(old_value, by);
  };
  for (const auto& [old_value, by] : replacements_) replace(old_value, resolve(by, made));
  if (base_) replace(root_->output(), base_->output());
  std::vector<Node*> candidates = nodes_;
  erase_unused(graph, std::move(candidates), applied.erased);
  for (auto& [value, name] : renames) graph.rename(value, std::move(name));
  if (Node* named = base_ ? base_ : applied.named) named->set_name(applied.name);
  return applied;
}

}  // namespace kiln::ir
