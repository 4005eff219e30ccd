// The verifier: invariants of a graph that every stage may rely on.
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "ir/graph.h"

namespace kiln::ir {
namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {
    for (const auto& v : graph.values()) known_.insert(v.get());
  }

  void run() {
    check_values();
    for (const auto& node : graph_.nodes()) check_node(*node);
    for (const Value* v : graph_.outputs())
      if (!v || !ready(v)) fail("an output of the graph is not a value that it computes");
    check_uses();
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Code::kInvalidGraph, "graph '" + graph_.name + "': " + what);
  }
  [[noreturn]] void fail(const Node& node, const std::string& what) const {
    throw Error(Code::kInvalidGraph, what).node("'" + node.name() + "' (" + node.op_name() + ")");
  }
  bool ready(const Value* v) const { return known_.count(v) && (!v->producer() || computed_.count(v)); }

  void check_values() {
    std::set<std::string_view> names;
    for (const auto& v : graph_.values()) {
      if (v->name().empty() || !names.insert(v->name()).second)
        fail("the value name '" + v->name() + "' is empty or occurs twice");
      if (const Tensor* t = v->constant(); t && (v->dtype() != t->dtype() || v->shape() != to_shape(t->dims())))
        fail("constant '" + v->name() + "' is " + t->type_string() + ", but its type says " + v->type().str());
      const int sources = (v->producer() != nullptr) + v->is_input() + (v->constant() != nullptr);
      if (sources != 1) fail("value '" + v->name() + "' has " + std::to_string(sources) + " sources");
    }
    for (const Value* v : graph_.inputs())
      if (!known_.count(v) || !v->is_input()) fail("an input of the graph is not an input value of it");
  }

  void check_node(const Node& node) {
    if (node.name().empty() || !node_names_.insert(node.name()).second)
      fail(node, "the node's name is empty or occurs twice");
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      const Value* v = node.inputs()[i];
      if (!v) continue;
      if (!ready(v)) fail(node, "input " + std::to_string(i) + " is not computed before the node");
      uses_[v].push_back({const_cast<Node*>(&node), static_cast<int>(i)});
    }
    for (size_t i = 0; i < node.op().inputs().size(); ++i)
      if (!node.op().inputs()[i].optional && !node.input(static_cast<int>(i)))
        fail(node, "input '" + node.op().inputs()[i].name + "' is missing");
    check_post_ops(node);
    if (static_cast<int>(node.regions.size()) != node.op().region_count())
      fail(node, "has " + std::to_string(node.regions.size()) + " regions");
    for (const auto& region : node.regions) verify(*region);
    for (size_t i = 0; i < node.outputs().size(); ++i) check_output(node, static_cast<int>(i));
  }

  void check_output(const Node& node, int i) {
    const Value* v = node.output(i);
    if (!known_.count(v) || v->producer() != &node || v->output_index() != i)
      fail(node, "output " + std::to_string(i) + " is another node's");
    if (v->is_tensor() && v->dtype() == DType::kInvalid) fail(node, "the type of '" + v->name() + "' is not known");
    computed_.insert(v);
  }

  void check_post_ops(const Node& node) {
    const int base = node.base_input_count(), count = static_cast<int>(node.inputs().size());
    if (base > count) fail(node, "has fewer inputs than its operator was given");
    std::set<int> read;
    for (const PostOp& post : node.post) {
      if (!post.op || !post.op->is_pointwise()) fail(node, "a post-operation is not pointwise");
      if (std::count(post.operands.begin(), post.operands.end(), -1) == 0)
        fail(node, "post-operation " + post.op->name() + " ignores the result");
      for (int operand : post.operands) {
        if (operand < -1 || operand >= count)
          fail(node, "post-operation " + post.op->name() + " reads input " + std::to_string(operand));
        read.insert(operand);
      }
    }
    for (int i = base; i < count; ++i)
      if (!node.input(i) || !read.count(i)) fail(node, "input " + std::to_string(i) + " belongs to no post-operation");
  }

  void check_uses() {
    for (const auto& v : graph_.values()) {
      const auto by_place = [](const Use& a, const Use& b) {
        return std::pair(a.node, a.input) < std::pair(b.node, b.input);
      };
      std::vector<Use> expected = uses_[v.get()], found = v->uses();
      std::sort(expected.begin(), expected.end(), by_place);
      std::sort(found.begin(), found.end(), by_place);
      if (expected != found) fail("the use list of '" + v->name() + "' is wrong");
    }
  }

  const Graph& graph_;
  std::set<const Value*> known_, computed_;
  std::set<std::string_view> node_names_;
  std::map<const Value*, std::vector<Use>> uses_;
};

}  // namespace

void verify(const Graph& graph) { Verifier(graph).run(); }

}  // namespace kiln::ir
