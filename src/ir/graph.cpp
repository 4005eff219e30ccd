// Editing of graphs.
#include "ir/graph.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/index.h"
#include "base/printable.h"

namespace kiln::ir {

void Node::set_input(int i, Value* value) {
  Value*& slot = nth(inputs_, i);
  if (slot) std::erase(slot->uses_, Use{this, i});
  slot = value;
  if (slot) slot->uses_.push_back({this, i});
}

void Node::add_post_op(PostOp post_op, std::vector<Value*> extra) {
  const int first = static_cast<int>(inputs_.size());
  for (int& operand : post_op.operands)
    if (operand >= 0) operand += first;
  for (Value* v : extra) {
    inputs_.push_back(nullptr);
    set_input(static_cast<int>(inputs_.size()) - 1, v);
  }
  post.push_back(std::move(post_op));
}

std::pair<PostOp, std::vector<Value*>> Node::take_last_post_op() {
  PostOp last = std::move(post.back());
  post.pop_back();
  int kept = base_inputs_;
  for (const PostOp& other : post)
    for (int operand : other.operands) kept = std::max(kept, operand + 1);
  std::vector<Value*> extra;
  for (int& operand : last.operands) {
    if (operand < 0) continue;
    extra.push_back(input(operand));
    operand = static_cast<int>(extra.size()) - 1;
  }
  while (static_cast<int>(inputs_.size()) > kept) {
    set_input(static_cast<int>(inputs_.size()) - 1, nullptr);
    inputs_.pop_back();
  }
  return {std::move(last), std::move(extra)};
}

std::vector<Node*> Graph::node_list() const {
  std::vector<Node*> list;
  for (const auto& n : nodes_) list.push_back(n.get());
  return list;
}

std::string Graph::unique_name(Names& names, std::string wanted) {
  if (wanted.size() > kLongestName) wanted = shortened(wanted, kLongestName);
  auto [it, fresh] = names.try_emplace(wanted, 0);
  while (!fresh) {
    std::string candidate = wanted + "_" + std::to_string(++it->second);
    if (names.try_emplace(candidate, 0).second) return candidate;
  }
  return wanted;
}

void Node::set_name(std::string name) {
  if (name == name_) return;
  graph_->node_names_.erase(name_);
  name_ = Graph::unique_name(graph_->node_names_, std::move(name));
}

Value* Graph::add_value(std::string name) {
  auto value = std::make_unique<Value>();
  value->name_ = unique_name(names_, name.empty() ? "v" : std::move(name));
  value->graph_ = this;
  Value* result = values_.emplace_back(std::move(value)).get();
  result->position_ = std::prev(values_.end());
  return result;
}

void Graph::erase_value(Value* value) {
  names_.erase(value->name_);
  values_.erase(value->position_);
}

Value* Graph::add_input(std::string name, EdgeType type) {
  Value* value = add_value(std::move(name));
  value->type_ = std::move(type);
  value->is_input_ = true;
  inputs_.push_back(value);
  return value;
}

Value* Graph::add_constant(Tensor tensor, std::string name) {
  Value* value = add_value(name.empty() ? "c" : std::move(name));
  value->type_.tensor = {tensor.dtype(), to_shape(tensor.dims()), true};
  value->constant_ = std::move(tensor);
  return value;
}

Value* Graph::find_value(std::string_view name) const {
  for (const auto& v : values_)
    if (v->name() == name) return v.get();
  return nullptr;
}

Node* Graph::add_node(NodeSpec spec, Node* before) {
  auto node = std::make_unique<Node>();
  node->op_ = spec.op;
  node->graph_ = this;
  node->attributes = std::move(spec.attributes);
  node->regions = std::move(spec.regions);
  node->origins = std::move(spec.origins);
  node->precision = spec.precision;
  node->declared = spec.declared;
  node->keeps = spec.keeps;
  const std::string name = unique_name(node_names_, spec.name.empty() ? spec.op->name() : spec.name);
  node->name_ = name;
  node->base_inputs_ = static_cast<int>(spec.inputs.size());
  node->inputs_.assign(spec.inputs.size(), nullptr);
  for (size_t i = 0; i < spec.inputs.size(); ++i) node->set_input(static_cast<int>(i), spec.inputs[i]);
  for (int i = 0; i < spec.output_count; ++i) {
    const auto k = static_cast<size_t>(i);
    Value* out = add_value(k < spec.output_names.size() && !spec.output_names[k].empty() ? spec.output_names[k]
                           : i == 0                                                      ? name + ".out"
                                    : name + ".out" + std::to_string(i));
    out->producer_ = node.get();
    out->output_index_ = i;
    node->outputs_.push_back(out);
  }
  Node* result = node.get();
  result->position_ = nodes_.insert(before ? before->position_ : nodes_.end(), std::move(node));
  try {
    infer(*result);
  } catch (...) {
    erase(result);
    throw;
  }
  return result;
}

void Graph::set_outputs(std::vector<Value*> outputs) {
  for (Value* v : outputs_)
    if (v) --v->returned_;
  outputs_ = std::move(outputs);
  for (Value* v : outputs_)
    if (v) ++v->returned_;
}

void Graph::set_output(size_t i, Value* value) {
  if (outputs_[i]) --outputs_[i]->returned_;
  outputs_[i] = value;
  if (value) ++value->returned_;
}

void Graph::rename(Value* value, std::string name) {
  if (value->name_ == name) return;
  names_.erase(value->name_);
  if (Value* holder = names_.count(name) ? find_value(name) : nullptr) {
    holder->name_ = unique_name(names_, name);
    names_.erase(name);
  }
  names_.try_emplace(name, 0);
  value->name_ = std::move(name);
}

void Graph::replace_uses(Value* old_value, Value* new_value) {
  for (const Use& use : std::exchange(old_value->uses_, {})) {
    nth(use.node->inputs_, use.input) = new_value;
    new_value->uses_.push_back(use);
  }
  for (size_t i = 0; old_value->returned_ > 0 && i < outputs_.size(); ++i)
    if (outputs_[i] == old_value) set_output(i, new_value);
}

void Graph::erase(Node* node) {
  for (size_t i = 0; i < node->inputs_.size(); ++i) node->set_input(static_cast<int>(i), nullptr);
  for (const Value* v : node->outputs_)
    if (!v->uses_.empty() || v->is_graph_output())
      throw Error(Code::kInternal, "erasing '" + node->name_ + "', whose result is used");
  for (Value* v : node->outputs_) erase_value(v);
  node_names_.erase(node->name_);
  nodes_.erase(node->position_);
}

void Graph::move_before(Node* node, Node* before) { nodes_.splice(before->position_, nodes_, node->position_); }

size_t Graph::remove_dead() {
  std::set<const Node*> live;
  std::vector<const Node*> pending;
  auto need = [&](const Value* v) {
    if (v && v->producer_ && live.insert(v->producer_).second) pending.push_back(v->producer_);
  };
  for (const Value* v : outputs_) need(v);
  while (!pending.empty()) {
    const Node* n = pending.back();
    pending.pop_back();
    for (const Value* v : n->inputs_) need(v);
  }
  std::vector<Node*> dead;
  for (auto it = nodes_.rbegin(); it != nodes_.rend(); ++it)
    if (!live.count(it->get())) dead.push_back(it->get());
  for (Node* n : dead)
    for (size_t i = 0; i < n->inputs_.size(); ++i) n->set_input(static_cast<int>(i), nullptr);
  for (Node* n : dead) erase(n);
  for (auto it = values_.begin(); it != values_.end();) {
    Value* v = (it++)->get();
    if (v->constant() && v->uses_.empty() && !v->is_graph_output()) erase_value(v);
  }
  return dead.size();
}

void Graph::sort() {
  std::map<const Node*, int> missing;
  std::list<std::unique_ptr<Node>> sorted;
  std::vector<Node*> ready;
  for (auto it = nodes_.rbegin(); it != nodes_.rend(); ++it) {
    int n = 0;
    for (const Value* v : (*it)->inputs_) n += v && v->producer_;
    missing[it->get()] = n;
    if (n == 0) ready.push_back(it->get());
  }
  std::vector<Node*> order;
  while (!ready.empty()) {
    Node* n = ready.back();
    ready.pop_back();
    order.push_back(n);
    for (const Value* out : n->outputs_)
      for (const Use& use : out->uses_)
        if (--missing[use.node] == 0) ready.push_back(use.node);
  }
  if (order.size() != nodes_.size()) {
    for (const auto& n : nodes_)
      if (missing[n.get()] > 0)
        throw Error(Code::kInvalidGraph, "the graph has a cycle").node("'" + n->name_ + "' (" + n->op_name() + ")");
  }
  std::map<const Node*, size_t> rank;
  for (size_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  nodes_.sort([&](const auto& a, const auto& b) { return rank[a.get()] < rank[b.get()]; });
}

std::unique_ptr<Graph> Graph::clone() const {
  auto copy = std::make_unique<Graph>();
  copy->name = name;
  copy->folded_growth = folded_growth;
  copy->depth = depth;
  copy->names_ = names_;
  copy->node_names_ = node_names_;
  std::map<const Value*, Value*> values{{nullptr, nullptr}};
  for (const auto& v : values_) {
    auto twin = std::make_unique<Value>(*v);
    twin->producer_ = nullptr;
    twin->uses_.clear();
    twin->graph_ = copy.get();
    Value* made = values[v.get()] = copy->values_.emplace_back(std::move(twin)).get();
    made->position_ = std::prev(copy->values_.end());
  }
  for (const auto& n : nodes_) {
    auto twin = std::make_unique<Node>();
    twin->op_ = n->op_;
    twin->name_ = n->name_;
    twin->attributes = n->attributes;
    twin->post = n->post;
    twin->origins = n->origins;
    twin->precision = n->precision;
    twin->declared = n->declared;
    twin->keeps = n->keeps;
    twin->base_inputs_ = n->base_inputs_;
    twin->graph_ = copy.get();
    for (const auto& r : n->regions) twin->regions.push_back(r->clone());
    twin->inputs_.assign(n->inputs_.size(), nullptr);
    for (size_t i = 0; i < n->inputs_.size(); ++i) twin->set_input(static_cast<int>(i), values[n->inputs_[i]]);
    for (const Value* v : n->outputs_) {
      twin->outputs_.push_back(values[v]);
      values[v]->producer_ = twin.get();
    }
    Node* made = copy->nodes_.emplace_back(std::move(twin)).get();
    made->position_ = std::prev(copy->nodes_.end());
  }
  for (const Value* v : inputs_) copy->inputs_.push_back(values[v]);
  for (const Value* v : outputs_) copy->outputs_.push_back(values[v]);
  return copy;
}

}  // namespace kiln::ir
