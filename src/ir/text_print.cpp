// Printing of graphs.
#include "ir/text.h"
#include "tensor/number_text.h"

namespace kiln::ir {
namespace {

bool is_plain(std::string_view name) {
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
          c == '/' || c == '-'))
      return false;
  return !name.empty();
}

std::string plain_or_quoted(const std::string& name) { return is_plain(name) ? name : quoted(name); }

std::string value_text(const Value* v) { return v ? "%" + plain_or_quoted(v->name()) : "_"; }

std::string layout_text(const Value& v) { return v.layout == Layout() ? "" : " layout " + to_string(v.layout); }

std::string typed(const Value& v) { return value_text(&v) + ": " + v.type().str() + layout_text(v); }

template <class List, class Item> std::string joined(const List& list, Item&& item) {
  std::string text;
  for (const auto& x : list) text += (text.empty() ? "" : ", ") + item(x);
  return text;
}

bool is_inline(const Tensor& t) { return t.size() <= kInlineElements; }

class Printer {
 public:
  std::string text(const Graph& g, const std::string& indent, const std::string& prefix) {
    const std::string inner = indent + "  ";
    std::string out = indent + "graph " + plain_or_quoted(g.name) + "(" +
                      joined(g.inputs(), [](const Value* v) { return typed(*v); }) + ") {\n";
    for (const auto& v : g.values())
      if (v->constant()) out += inner + constant_text(*v, prefix) + "\n";
    for (const auto& n : g.nodes()) out += inner + node_text(*n, inner, prefix) + "\n";
    out += inner + "return" + (g.outputs().empty() ? "" : " ") + joined(g.outputs(), value_text) + "\n";
    return out + indent + "}\n";
  }

  TensorMap referenced;

 private:
  std::string constant_text(const Value& v, const std::string& prefix) {
    const std::string head = value_text(&v) + " = ";
    if (is_inline(*v.constant())) return head + "constant " + to_string(Attribute(*v.constant())) + layout_text(v);
    referenced[prefix + v.name()] = *v.constant();
    return head + "@" + plain_or_quoted(prefix + v.name()) + " " + v.constant()->type_string() + layout_text(v);
  }

  std::string post_text(const Node& n, const PostOp& post, int& next) {
    const std::string operands = joined(post.operands, [&](int k) -> std::string {
      if (k < 0) return ".";
      if (k != next) return "#" + std::to_string(k);
      ++next;
      return value_text(n.input(k));
    });
    return " + " + post.op->name() + "(" + operands + ")" +
           (post.attributes.empty() ? "" : " " + to_string(post.attributes));
  }

  std::string node_text(const Node& n, const std::string& indent, const std::string& prefix) {
    std::string out = joined(n.outputs(), [](const Value* v) { return typed(*v); }) + " = " + n.op_name() + " " +
                      quoted(n.name()) + "(";
    const std::vector<Value*> base(n.inputs().begin(), n.inputs().begin() + n.base_input_count());
    out += joined(base, value_text) + ")" + (n.attributes.empty() ? "" : " " + to_string(n.attributes));
    int next = n.base_input_count();
    for (const PostOp& post : n.post) out += post_text(n, post, next);
    if (n.precision != DType::kInvalid) out += " in " + std::string(name(n.precision));
    if (n.declared != DType::kInvalid) out += " declared " + std::string(name(n.declared));
    if (n.keeps != DType::kInvalid) out += " keeps " + std::string(name(n.keeps));
    if (!n.origins.empty()) out += " from [" + joined(n.origins, [](const std::string& s) { return quoted(s); }) + "]";
    if (n.regions.empty()) return out;
    out += " regions {\n";
    for (size_t i = 0; i < n.regions.size(); ++i)
      out += text(*n.regions[i], indent + "  ", prefix + n.name() + "/" + std::to_string(i) + "/");
    return out + indent + "}";
  }
};

}  // namespace

std::string to_text(const Graph& graph) { return Printer().text(graph, "", ""); }

TensorMap referenced_constants(const Graph& graph) {
  Printer printer;
  printer.text(graph, "", "");
  return std::move(printer.referenced);
}

}  // namespace kiln::ir
