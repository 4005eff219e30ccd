// Patterns: trees of operators that a rule looks for, matched from the result upwards.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace kiln::ir {

// A value of a graph as a rule describes it. Made by the functions below; immutable.
//   node("Add", {once(node("Conv")), any("residual")})
struct Pattern {
  enum Kind { kAny, kConstant, kNode } kind = kAny;
  std::vector<std::string> ops;  // kNode: one of these; empty: every operator
  std::string capture;           // a name that occurs twice stands for the same value twice
  std::vector<Pattern> inputs;   // by index; fewer than the node has leave the others free
  bool used_once = false;        // the value has one reader and is no output of the graph
  bool takes_post_ops = false;   // nodes with post-operations match too

  Pattern as(std::string name) const;  // captures value and node under a name; a node's default is its operator's
  Pattern with_post_ops() const;
};

Pattern any(std::string capture = "");
Pattern constant(std::string capture = "");
Pattern node(std::string op, std::vector<Pattern> inputs = {});  // inputs of commutative operators match in any order
Pattern one_of(std::initializer_list<const char*> ops, std::vector<Pattern> inputs = {});  // none: any operator
Pattern once(Pattern pattern);

// The nodes in an order in which those that the root needs come before it; the others, unreachable within the set, stand last.
std::vector<Node*> producers_first(Node& root, std::vector<Node*> nodes);
bool is_commutative(std::string_view op);

// What a pattern found. Names are the captures.
class Match {
 public:
  Node& root() const { return *root_; }
  Graph& graph() const { return root_->graph(); }
  Node& operator[](std::string_view name) const;  // throws kInternal when the pattern has no such node
  Value* value(std::string_view name) const;      // null when nothing was captured
  const Tensor* constant(std::string_view name) const;
  const std::vector<Node*>& nodes() const { return nodes_; }  // all matched ones, producers first

 private:
  friend std::optional<Match> match(const Pattern& pattern, Node& root);
  Node* root_ = nullptr;
  std::map<std::string, Value*, std::less<>> captures_;
  std::vector<Node*> nodes_;
};

// Matches the pattern, which is a node pattern, with `root` as its outermost node.
std::optional<Match> match(const Pattern& pattern, Node& root);

}  // namespace kiln::ir
