// Types and known elements of a node's results.
#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/index.h"
#include "base/require.h"
#include "base/work.h"
#include "ir/graph.h"

namespace kiln::ir {
namespace {

constexpr size_t kMaxKnownElements = 4096;

// What sizes of this value are named after that only running tells: its name, and a mark for each region around it. No other value that
// a graph sees has the same, whatever the names.
std::string symbol_prefix(const Value& value, const Graph& graph) {
  std::string prefix = value.name();
  if (prefix.ends_with('\'') || prefix.ends_with('"')) prefix += '"';
  return prefix.append(static_cast<size_t>(graph.depth), '\'');
}

std::string describe(const Node& node) { return "'" + node.name() + "' (" + node.op_name() + ")"; }

InputInfo info_of(const Value* value) {
  InputInfo info;
  if (!value) return info;
  info.present = true;
  info.type = value->type();
  info.constant = value->constant();
  if (value->elements()) info.elements = &*value->elements();
  return info;
}

// What both may be: dimensions that differ are known only at run time.
EdgeType merged(const EdgeType& a, const EdgeType& b, const ShapeCall& call, int output) {
  if (a.kind != b.kind || a.tensor.dtype != b.tensor.dtype)
    throw Error(Code::kTypeMismatch,
                "branches return " + a.str() + " and " + b.str() + " for result " + std::to_string(output));
  EdgeType type = a;
  if (!a.tensor.ranked || !b.tensor.ranked || a.tensor.shape.size() != b.tensor.shape.size()) {
    type.tensor.ranked = false;
    type.tensor.shape.clear();
    return type;
  }
  for (size_t i = 0; i < a.tensor.shape.size(); ++i)
    if (!(a.tensor.shape[i] == b.tensor.shape[i])) type.tensor.shape[i] = call.unknown_dim(output, static_cast<int>(i));
  return type;
}

// A symbol that a region invented means nothing outside it: it gets a name of the outer node. One that an input of the node has is
// known there, too.
EdgeType outside(EdgeType type, const ShapeCall& call, int output) {
  std::set<std::string> known;
  for (int i = 0; i < call.input_count(); ++i)
    for (const Dim& d : call.dims(i)) d.collect_symbols(known);
  for (size_t i = 0; i < type.tensor.shape.size(); ++i) {
    std::set<std::string> symbols;
    type.tensor.shape[i].collect_symbols(symbols);
    const bool invented = std::any_of(symbols.begin(), symbols.end(), [&](const std::string& s) {
      return s[0] == kRunTimeSymbol && known.count(s) == 0;
    });
    if (invented) type.tensor.shape[i] = call.unknown_dim(output, static_cast<int>(i));
  }
  return type;
}

EdgeType stacked(const EdgeType& element, int64_t axis, const Dim& length) {
  EdgeType type = element;
  if (type.tensor.ranked) {
    const auto rank = static_cast<int64_t>(type.tensor.shape.size());
    type.tensor.shape.insert(type.tensor.shape.begin() + normalize_axis(axis, rank + 1), length);
  }
  return type;
}

void set_region_input(Graph& region, size_t i, EdgeType type) {
  if (i >= region.inputs().size())
    throw Error(Code::kInvalidGraph, "a region has " + std::to_string(region.inputs().size()) + " inputs, too few");
  region.inputs()[i]->set_type(std::move(type));
}

void enter(const Node& node, Graph& region) {
  region.depth = node.graph().depth + 1;
  const auto captures = static_cast<size_t>(node.attributes.integer("captures", 0));
  require(captures <= region.inputs().size() && captures <= node.inputs().size(), Code::kInvalidGraph,
          "more captures than inputs");
  for (size_t i = 0; i < captures; ++i)
    set_region_input(region, region.inputs().size() - captures + i,
                     node.inputs()[node.inputs().size() - captures + i]->type());
}

std::vector<EdgeType> infer_if(Node& node, const ShapeCall& call) {
  std::vector<EdgeType> types;
  for (auto& region : node.regions) {
    enter(node, *region);
    region->infer_types();
    if (region->outputs().size() != node.outputs().size())
      throw Error(Code::kInvalidGraph, "a branch returns " + std::to_string(region->outputs().size()) + " values");
  }
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const auto k = static_cast<int>(i);
    types.push_back(outside(
        merged(node.regions[0]->outputs()[i]->type(), node.regions[1]->outputs()[i]->type(), call, k), call, k));
  }
  return types;
}

// Widens the loop-carried types until the body returns what it takes.
void settle_states(Graph& body, size_t first_input, size_t first_output, size_t count) {
  for (int round = 0; round < 3; ++round) {
    body.infer_types();
    bool changed = false;
    for (size_t i = 0; i < count; ++i) {
      EdgeType in = body.inputs()[first_input + i]->type();
      const EdgeType& out = body.outputs()[first_output + i]->type();
      if (in.kind != out.kind) continue;
      if (in.tensor.dtype == DType::kInvalid && out.tensor.dtype != DType::kInvalid) {
        in.tensor.dtype = out.tensor.dtype;
      } else if (!in.tensor.ranked || in.tensor == out.tensor) {
        continue;
      } else if (!out.tensor.ranked || out.tensor.shape.size() != in.tensor.shape.size()) {
        in.tensor.ranked = false;
        in.tensor.shape.clear();
      } else {
        for (size_t d = 0; d < in.tensor.shape.size(); ++d)
          if (!(in.tensor.shape[d] == out.tensor.shape[d]))
            in.tensor.shape[d] = Dim::symbol(kRunTimeSymbol + symbol_prefix(*body.inputs()[first_input + i], body) +
                                             ".state." + std::to_string(d));
      }
      body.inputs()[first_input + i]->set_type(in);
      changed = true;
    }
    if (!changed) return;
  }
  body.infer_types();
}

std::vector<EdgeType> infer_loop(Node& node, const ShapeCall& call) {
  Graph& body = *node.regions.at(0);
  const auto captures = static_cast<size_t>(node.attributes.integer("captures", 0));
  const size_t states = node.inputs().size() - 2 - captures;
  EdgeType counter, flag;
  counter.tensor.dtype = DType::kI64;
  flag.tensor.dtype = DType::kBool;
  set_region_input(body, 0, counter);
  set_region_input(body, 1, flag);
  for (size_t i = 0; i < states; ++i) set_region_input(body, 2 + i, node.inputs()[2 + i]->type());
  enter(node, body);
  require(body.outputs().size() >= 1 + states, Code::kInvalidGraph, "the body returns too few values");
  settle_states(body, 2, 1, states);
  std::vector<EdgeType> types;
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const auto k = static_cast<int>(i);
    require(1 + i < body.outputs().size(), Code::kInvalidGraph, "the body returns too few values");
    const EdgeType& out = body.outputs()[1 + i]->type();
    // A state may begin as an optional and go on as what the optional holds.
    const bool by_input = i < states && body.inputs()[2 + i]->type().kind == out.kind;
    const EdgeType inner = outside(by_input ? body.inputs()[2 + i]->type() : out, call, k);
    types.push_back(i < states ? inner : stacked(inner, 0, call.unknown_dim(k, 100)));
  }
  return types;
}

std::vector<EdgeType> infer_scan(Node& node, const ShapeCall& call) {
  Graph& body = *node.regions.at(0);
  const auto captures = static_cast<size_t>(node.attributes.integer("captures", 0));
  const auto scans = static_cast<size_t>(node.attributes.integer("num_scan_inputs"));
  require(scans + captures <= node.inputs().size(), Code::kInvalidGraph, "num_scan_inputs is more than the inputs");
  const size_t states = node.inputs().size() - captures - scans;
  const Ints in_axes = node.attributes.ints("scan_input_axes", {}),
             out_axes = node.attributes.ints("scan_output_axes", {});
  Dim length = call.unknown_dim(0, 100);
  for (size_t i = 0; i < states; ++i) set_region_input(body, i, node.inputs()[i]->type());
  for (size_t i = 0; i < scans; ++i) {
    EdgeType type = node.inputs()[states + i]->type();
    if (type.tensor.ranked) {
      const auto axis =
          normalize_axis(i < in_axes.size() ? in_axes[i] : 0, static_cast<int64_t>(type.tensor.shape.size()));
      length = nth(type.tensor.shape, axis);
      type.tensor.shape.erase(type.tensor.shape.begin() + axis);
    }
    set_region_input(body, states + i, type);
  }
  enter(node, body);
  settle_states(body, 0, 0, states);
  std::vector<EdgeType> types;
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const auto k = static_cast<int>(i);
    require(i < body.outputs().size(), Code::kInvalidGraph, "the body returns too few values");
    const EdgeType inner = outside(i < states ? body.inputs()[i]->type() : body.outputs()[i]->type(), call, k);
    types.push_back(i < states ? inner
                               : stacked(inner, i - states < out_axes.size() ? out_axes[i - states] : 0, length));
  }
  return types;
}

// Post-operations broadcast their operands against the running result and may change its type. The first `count` of them.
EdgeType apply_post_ops(const Node& node, EdgeType type, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const PostOp& post = node.post[i];
    std::vector<InputInfo> infos;
    for (int operand : post.operands) {
      InputInfo info = operand >= 0 ? info_of(node.input(operand)) : InputInfo{};
      if (operand < 0) {
        info.present = true;
        info.type = type;
      }
      infos.push_back(info);
    }
    ShapeCall call(*post.op, post.attributes, infos, symbol_prefix(*node.output(), node.graph()), 1);
    type = post.op->infer(call).at(0);
  }
  return type;
}

// Types of a node whose results' dimensions would be expressions too large to keep: its inputs' dimensions become names. A dimension of
// a result that is such a name is that of the input again; of every other one only running can tell.
class ByNames {
 public:
  explicit ByNames(std::vector<InputInfo> inputs) : inputs_(std::move(inputs)), elements_(inputs_.size()) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      for (Dim& d : inputs_[i].type.tensor.shape) d = named(d);
      if (!inputs_[i].elements) continue;
      elements_[i] = *inputs_[i].elements;
      for (Dim& d : elements_[i])
        if (!d.is_constant()) d = Dim::symbol(std::string(2, kRunTimeSymbol));
      inputs_[i].elements = &elements_[i];
    }
  }

  std::vector<EdgeType> infer(const Node& node, const ShapeCall& original) const {
    ShapeCall call(node.op(), node.attributes, inputs_, std::string(kName), original.output_count());
    std::vector<EdgeType> types = node.op().infer(call);
    for (size_t i = 0; i < types.size(); ++i)
      for (size_t d = 0; d < types[i].tensor.shape.size(); ++d) {
        Dim& dim = types[i].tensor.shape[d];
        if (const auto it = originals_.find(dim.str()); it != originals_.end()) dim = it->second;
        else if (has_run_time_symbol({dim})) dim = original.unknown_dim(static_cast<int>(i), static_cast<int>(d));
      }
    return types;
  }

 private:
  Dim named(const Dim& dim) {
    if (dim.is_constant()) return dim;
    const Dim name = Dim::symbol(kRunTimeSymbol + std::string(kName) + std::to_string(originals_.size()));
    for (const auto& [known, original] : originals_)
      if (original == dim) return Dim::symbol(known);
    originals_.emplace(name.str(), dim);
    return name;
  }

  static constexpr std::string_view kName = "name";
  std::vector<InputInfo> inputs_;
  std::vector<std::vector<Dim>> elements_;
  std::map<std::string, Dim> originals_;
};

std::vector<InputInfo> base_infos(const Node& node) {
  std::vector<InputInfo> infos;
  for (int i = 0; i < node.base_input_count(); ++i) infos.push_back(info_of(node.input(i)));
  return infos;
}

ShapeCall base_call(const Node& node, const std::vector<InputInfo>& infos) {
  return {node.op(), node.attributes, infos,
          node.outputs().empty() ? node.name() : symbol_prefix(*node.output(), node.graph()),
          static_cast<int>(node.outputs().size())};
}

std::vector<EdgeType> infer_types_of(const Node& node, ShapeCall& call, const std::vector<InputInfo>& inputs) {
  try {
    return node.op().infer(call);
  } catch (const Error& error) {
    if (error.code() != Code::kOverflow) throw;
    return ByNames(inputs).infer(node, call);
  }
}

std::optional<std::vector<Dim>> elements_of(const Node& node, ShapeCall& call) {
  try {
    return node.op().element_rule()(call);
  } catch (const Error& error) {
    if (error.code() == Code::kOverflow) return std::nullopt;
    throw;
  }
}

bool small_integers(const EdgeType& type) {
  if (type.kind != Datum::kTensor || !type.tensor.ranked || !is_static(type.tensor.shape)) return false;
  if (!is_integer(type.tensor.dtype) && type.tensor.dtype != DType::kBool) return false;
  const auto count = checked_element_count(static_dims(type.tensor.shape));
  return count && *count <= static_cast<int64_t>(kMaxKnownElements);
}

}  // namespace

void Graph::infer(Node& node) {
  check_work();
  const std::vector<InputInfo> infos = base_infos(node);
  ShapeCall call = base_call(node, infos);
  try {
    std::vector<EdgeType> types;
    if (node.is("If")) types = infer_if(node, call);
    else if (node.is("Loop")) types = infer_loop(node, call);
    else if (node.is("Scan")) types = infer_scan(node, call);
    else types = infer_types_of(node, call, infos);
    if (!types.empty()) types[0] = apply_post_ops(node, std::move(types[0]), node.post.size());
    for (size_t i = 0; i < node.outputs_.size(); ++i) {
      if (types[i].tensor.shape.size() > kMostRank)
        throw Error(Code::kUnsupported, "a result has " + std::to_string(types[i].tensor.shape.size()) + " dimensions")
            .cause("a tensor has at most " + std::to_string(kMostRank));
      node.outputs_[i]->type_ = std::move(types[i]);
      node.outputs_[i]->elements_.reset();
    }
    if (!node.outputs_.empty() && node.post.empty() && node.op().element_rule() &&
        small_integers(node.outputs_[0]->type_)) {
      auto elements = elements_of(node, call);
      const auto count = static_cast<size_t>(element_count(static_dims(node.outputs_[0]->shape())));
      if (elements && elements->size() == count) node.outputs_[0]->elements_ = std::move(elements);
    }
  } catch (Error& error) {
    error.add_node(describe(node));
    throw;
  }
}

EdgeType type_before_last_post_op(const Node& node) {
  const std::vector<InputInfo> infos = base_infos(node);
  ShapeCall call = base_call(node, infos);
  return apply_post_ops(node, infer_types_of(node, call, infos).at(0), node.post.size() - 1);
}

void Graph::infer_types() {
  for (const auto& node : nodes_) infer(*node);
}

}  // namespace kiln::ir
