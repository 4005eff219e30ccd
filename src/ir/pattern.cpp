// Matching of patterns, with backtracking over the order of commutative operands.
#include "ir/pattern.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace kiln::ir {

Pattern Pattern::as(std::string name) const {
  Pattern p = *this;
  p.capture = std::move(name);
  return p;
}

Pattern Pattern::with_post_ops() const {
  Pattern p = *this;
  p.takes_post_ops = true;
  return p;
}

Pattern any(std::string capture) {
  Pattern p;
  p.capture = std::move(capture);
  return p;
}

Pattern constant(std::string capture) {
  Pattern p = any(std::move(capture));
  p.kind = Pattern::kConstant;
  return p;
}

Pattern one_of(std::initializer_list<const char*> ops, std::vector<Pattern> inputs) {
  Pattern p;
  p.kind = Pattern::kNode;
  p.ops.assign(ops.begin(), ops.end());
  p.inputs = std::move(inputs);
  return p;
}

Pattern node(std::string op, std::vector<Pattern> inputs) { return one_of({op.c_str()}, std::move(inputs)); }

Pattern once(Pattern pattern) {
  pattern.used_once = true;
  return pattern;
}

bool is_commutative(std::string_view op) {
  static const std::set<std::string, std::less<>> ops = {"Add", "And", "Equal", "Max", "Mean",
                                                         "Min", "Mul", "Or",    "Sum", "Xor"};
  return ops.count(op) > 0;
}

namespace {

struct Goal {
  const Pattern* pattern;
  Value* value;
};

using Captures = std::map<std::string, Value*, std::less<>>;

struct Solution {
  Captures captures;
  std::set<Node*> nodes;
};

bool solve(std::vector<Goal> goals, Solution& s);

bool try_inputs(const Pattern& p, Node& node, std::vector<Goal> rest, Solution& s, bool swapped) {
  if (p.inputs.size() > node.inputs().size()) return false;
  for (size_t i = p.inputs.size(); i-- > 0;) {
    const size_t from = swapped ? 1 - i : i;
    rest.push_back({&p.inputs[i], node.inputs()[from]});
  }
  return solve(std::move(rest), s);
}

bool accepts_node(const Pattern& p, const Node& node) {
  if (!p.ops.empty() && std::find(p.ops.begin(), p.ops.end(), node.op_name()) == p.ops.end()) return false;
  return node.post.empty() || p.takes_post_ops;
}

// Captures of explicit names unify; a node's default capture, its operator's name, goes to the outermost one.
bool bind(const Pattern& p, Value* v, Solution& s) {
  if (!p.capture.empty()) return s.captures.try_emplace(p.capture, v).first->second == v;
  if (p.kind == Pattern::kNode && v) s.captures.try_emplace(v->producer()->op_name(), v);
  return true;
}

bool solve_node(const Pattern& p, Node& node, const std::vector<Goal>& rest, Solution& s) {
  s.nodes.insert(&node);
  const Solution saved = s;
  if (try_inputs(p, node, rest, s, false)) return true;
  if (p.inputs.size() != 2 || node.inputs().size() != 2 || !is_commutative(node.op_name())) return false;
  s = saved;
  return try_inputs(p, node, rest, s, true);
}

bool solve(std::vector<Goal> goals, Solution& s) {
  if (goals.empty()) return true;
  const Goal goal = goals.back();
  goals.pop_back();
  const Pattern& p = *goal.pattern;
  Value* v = goal.value;
  if (p.used_once && (!v || !v->has_one_use())) return false;
  if (p.kind == Pattern::kConstant && (!v || !v->constant())) return false;
  if (p.kind != Pattern::kNode) return bind(p, v, s) && solve(std::move(goals), s);
  if (!v || !v->producer() || v->output_index() != 0 || !accepts_node(p, *v->producer())) return false;
  return bind(p, v, s) && solve_node(p, *v->producer(), goals, s);
}

void list_producers_first(Node* node, std::set<Node*>& matched, std::vector<Node*>& into) {
  if (!matched.erase(node)) return;
  for (Value* v : node->inputs())
    if (v && v->producer()) list_producers_first(v->producer(), matched, into);
  into.push_back(node);
}

}  // namespace

std::vector<Node*> producers_first(Node& root, std::vector<Node*> nodes) {
  std::set<Node*> matched(nodes.begin(), nodes.end());
  std::vector<Node*> list;
  list_producers_first(&root, matched, list);
  for (Node* n : nodes)
    if (matched.erase(n)) list.push_back(n);
  return list;
}

std::optional<Match> match(const Pattern& pattern, Node& root) {
  if (root.outputs().empty() || !accepts_node(pattern, root)) return std::nullopt;
  Solution s;
  if (!solve({{&pattern, root.output()}}, s)) return std::nullopt;
  Match m;
  m.root_ = &root;
  m.captures_ = std::move(s.captures);
  m.nodes_ = producers_first(root, {s.nodes.begin(), s.nodes.end()});
  return m;
}

Node& Match::operator[](std::string_view name) const {
  Value* v = value(name);
  if (!v || !v->producer()) throw Error(Code::kInternal, "the pattern captures no node '" + std::string(name) + "'");
  return *v->producer();
}

Value* Match::value(std::string_view name) const {
  auto it = captures_.find(name);
  return it == captures_.end() ? nullptr : it->second;
}

const Tensor* Match::constant(std::string_view name) const {
  Value* v = value(name);
  return v ? v->constant() : nullptr;
}

}  // namespace kiln::ir
