// Names and order of the nodes of a graph.
#include <queue>
#include <set>

#include "base/error.h"
#include "base/index.h"
#include "base/printable.h"
#include "frontends/onnx/graph_importer.h"

namespace kiln::onnx {
namespace {

// Calls f with each nested graph of the node.
template <class F> void each_graph(const ::onnx::NodeProto& node, F f) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) f(attribute.g());
    for (const auto& g : attribute.graphs()) f(g);
  }
}

class FreeNames {
 public:
  void visit(const ::onnx::GraphProto& graph) {
    std::set<std::string> defined;
    for (const auto& v : graph.input()) defined.insert(v.name());
    for (const auto& t : graph.initializer()) defined.insert(t.name());
    for (const auto& t : graph.sparse_initializer()) defined.insert(t.values().name());
    for (const auto& n : graph.node()) defined.insert(n.output().begin(), n.output().end());
    auto use = [&](const std::string& name) {
      if (!name.empty() && !defined.count(name) && seen_.insert(name).second) names.push_back(name);
    };
    for (const auto& n : graph.node()) {
      for (const auto& name : n.input()) use(name);
      each_graph(n, [&](const ::onnx::GraphProto& g) {
        FreeNames inner;
        inner.visit(g);
        for (const auto& name : inner.names) use(name);
      });
    }
    for (const auto& v : graph.output()) use(v.name());
  }
  std::vector<std::string> names;

 private:
  std::set<std::string> seen_;
};

std::vector<std::string> used_names(const ::onnx::NodeProto& node) {
  std::vector<std::string> names(node.input().begin(), node.input().end());
  each_graph(node, [&](const ::onnx::GraphProto& g) {
    for (auto& name : free_names(g)) names.push_back(std::move(name));
  });
  return names;
}

}  // namespace

std::string node_name(const ::onnx::NodeProto& node, const Context& context) {
  return shortened(context.prefix + (!node.name().empty()     ? node.name()
                                     : node.output_size() > 0 ? node.output(0)
                                                              : node.op_type()),
                   ir::kLongestName);
}

std::string domain_of(const ::onnx::NodeProto& node) { return node.domain() == "ai.onnx" ? "" : node.domain(); }

std::string importer_key(const ::onnx::NodeProto& node) {
  const std::string domain = domain_of(node);
  return (domain.empty() ? "" : domain + ".") + node.op_type();
}

std::optional<int64_t> opset_of(const ::onnx::NodeProto& node, const Context& context) {
  const auto known = context.opsets.find(domain_of(node));
  return known == context.opsets.end() ? std::nullopt : std::optional(known->second);
}

std::string node_label(const ::onnx::NodeProto& node, const Context& context) {
  const auto opset = opset_of(node, context);
  return "'" + node_name(node, context) + "' (" + importer_key(node) +
         (opset ? ", opset " + std::to_string(*opset) : "") + ")";
}

std::vector<std::string> free_names(const ::onnx::GraphProto& graph) {
  FreeNames names;
  names.visit(graph);
  return names.names;
}

std::vector<int> topological_order(const Nodes& nodes, const Context& context) {
  std::map<std::string, int> producer;
  for (int i = 0; i < nodes.size(); ++i)
    for (const auto& name : nodes[i].output())
      if (!name.empty()) producer.try_emplace(name, i);
  std::vector<std::vector<int>> readers(static_cast<size_t>(nodes.size()));
  std::vector<int> missing(static_cast<size_t>(nodes.size()), 0);
  for (int i = 0; i < nodes.size(); ++i)
    for (const auto& name : used_names(nodes[i]))
      if (auto p = producer.find(name); p != producer.end()) {
        nth(readers, p->second).push_back(i);
        ++nth(missing, i);
      }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < nodes.size(); ++i)
    if (nth(missing, i) == 0) ready.push(i);
  std::vector<int> order;
  while (!ready.empty()) {
    const int i = ready.top();
    ready.pop();
    order.push_back(i);
    for (int reader : nth(readers, i))
      if (--nth(missing, reader) == 0) ready.push(reader);
  }
  if (order.size() == missing.size()) return order;
  for (int i = 0; i < nodes.size(); ++i)
    if (nth(missing, i) > 0)
      throw Error(Code::kInvalidGraph, "the graph has a cycle")
          .node(node_label(nodes[i], context))
          .cause("the node needs its own result, or follows nodes that do");
  return order;
}

}  // namespace kiln::onnx
