// Graphs, nested graphs and function bodies.
#include "frontends/onnx/graph_importer.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/index.h"
#include "base/printable.h"
#include "base/require.h"

namespace kiln::onnx {
namespace {

constexpr size_t kLongestPrefix = 512;       // bytes that the names of calls put before a name
constexpr size_t kDeepestFunctions = 64;     // functions that call each other
constexpr int64_t kAlwaysFewNodes = 20'000;  // with function bodies inlined
constexpr int64_t kNodesPerNode = 100;       // of the file, at most, when there are more

int64_t count_nodes(const ::onnx::GraphProto& graph) {
  int64_t count = graph.node_size();
  for (const auto& node : graph.node())
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) count += count_nodes(attribute.g());
      for (const auto& g : attribute.graphs()) count += count_nodes(g);
    }
  return count;
}

// Functions are copied into each place that calls them, so a small file can stand for any number of nodes.
int64_t most_nodes(const ::onnx::ModelProto& model) {
  int64_t own = count_nodes(model.graph());
  for (const auto& function : model.functions()) own += function.node_size();
  return std::max(kAlwaysFewNodes, own * kNodesPerNode);
}

void check_name(const std::string& name) {
  if (name.size() > ir::kLongestName)
    throw Error(Code::kUnsupported, "the name of an input or output has " + std::to_string(name.size()) + " bytes")
        .cause("names have at most " + std::to_string(ir::kLongestName))
        .remedy("give it a shorter name");
}

std::string function_key(const std::string& domain, const std::string& name, const std::string& overload) {
  return (domain == "ai.onnx" ? "" : domain) + "::" + name + "::" + overload;
}

std::map<std::string, int64_t> opset_map(
    const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>& imports) {
  std::map<std::string, int64_t> opsets;
  for (const auto& o : imports) opsets[o.domain() == "ai.onnx" ? "" : o.domain()] = o.version();
  return opsets;
}

std::string describe_inputs(const std::vector<ir::Value*>& inputs) {
  std::string text;
  for (const ir::Value* v : inputs)
    text += (text.empty() ? "" : ", ") + (v ? v->name() + " " + v->type().str() : std::string("(absent)"));
  return "inputs: " + text;
}

std::set<std::string> initializer_names(const ::onnx::GraphProto& graph) {
  std::set<std::string> names;
  for (const auto& t : graph.initializer()) names.insert(t.name());
  for (const auto& t : graph.sparse_initializer()) names.insert(t.values().name());
  return names;
}

// Every graph nested in the node, at any depth.
template <class F> void each_nested_graph(const ::onnx::NodeProto& node, F f) {
  const auto visit = [&](const ::onnx::GraphProto& g) {
    f(g);
    for (const auto& n : g.node()) each_nested_graph(n, f);
  };
  for (const auto& a : node.attribute()) {
    if (a.has_g()) visit(a.g());
    for (const auto& g : a.graphs()) visit(g);
  }
}

}  // namespace

GraphImporter::GraphImporter(std::shared_ptr<::onnx::ModelProto> model, const ImportOptions& options,
                             LargeElements* elements)
    : model_(std::move(model)),
      options_(options),
      elements_(elements),
      external_(options.model_dir),
      most_nodes_(options.most_nodes > 0 ? options.most_nodes : most_nodes(*model_)) {
  for (const auto& f : model_->functions())
    if (!functions_.try_emplace(function_key(f.domain(), f.name(), f.overload()), &f).second)
      throw Error(Code::kInvalidGraph, "the model has two functions '" + f.domain() + "." + f.name() + "'");
}

void GraphImporter::check_opsets() const {
  const auto opsets = opset_map(model_->opset_import());
  const auto onnx = opsets.find("");
  if (onnx == opsets.end()) {
    require(!opsets.empty(), Code::kInvalidGraph, "the model imports no operator set");
    return;
  }
  if (onnx->second < kOldestOpset || onnx->second > kNewestOpset)
    throw Error(Code::kUnsupported, "the model uses opset " + std::to_string(onnx->second) + " of ONNX")
        .cause("opsets " + std::to_string(kOldestOpset) + " to " + std::to_string(kNewestOpset) + " are known")
        .remedy("export with another opset, or convert with onnx.version_converter");
}

std::unique_ptr<ir::Graph> GraphImporter::run() {
  require(model_->has_graph(), Code::kMalformedModel, "the model has no graph");
  if (options_.report) options_.report->nodes = model_->graph().node_size();
  check_opsets();
  auto graph = std::make_unique<ir::Graph>();
  if (!model_->graph().name().empty()) graph->name = model_->graph().name();
  Scope scope{graph.get(), nullptr, {}, {}};
  Context context{opset_map(model_->opset_import()), {}, "", {}};
  add_own_initializers(scope);
  add_inputs(model_->graph(), scope);
  import_nodes(model_->graph().node(), scope, context);
  if (!unsupported_.empty()) throw_unsupported();
  set_outputs(model_->graph(), scope);
  return graph;
}

void GraphImporter::throw_unsupported() const {
  if (options_.report) options_.report->unsupported = unsupported_;
  std::string list;
  for (const auto& [e, place] : unsupported_) {
    list += "\n    " + e.node() + ": " + e.message();
    if (!e.cause().empty()) list += "; " + e.cause();
    if (!e.remedy().empty()) list += " (remedy: " + e.remedy() + ")";
  }
  const size_t count = unsupported_.size();
  throw Error(Code::kUnsupported,
              std::to_string(count) + (count == 1 ? " node" : " nodes") + " of the model cannot be imported")
      .cause(list)
      .remedy(
          "export with other operators or another opset, or replace the nodes by a function of supported operators");
}

void GraphImporter::define(Scope& scope, const std::string& name, ir::Value* value) const {
  require(!name.empty(), Code::kInvalidGraph, "an input or initializer has no name");
  if (!scope.values.try_emplace(name, value).second)
    throw Error(Code::kInvalidGraph, "the name '" + name + "' is given to two values");
}

// The elements that the caller gave instead, or the model's.
Tensor GraphImporter::own_tensor(const std::shared_ptr<::onnx::TensorProto>& proto, int initializer) {
  const auto given = options_.initializers.find(proto->name());
  if (given == options_.initializers.end()) {
    const int64_t lacks = elements_ ? elements_->size_of(initializer) : 0;
    if (lacks == 0) return read_tensor(*proto, proto, &external_);
    if (auto room = room_for(*proto, lacks)) {
      elements_->fill_later(initializer, room->mutable_data());
      return *std::move(room);
    }
    elements_->complete(initializer, *proto);
    return read_tensor(*proto, proto, &external_);
  }
  const DType type = dtype_from_onnx(proto->data_type());
  const Dims dims(proto->dims().begin(), proto->dims().end());
  const auto count = checked_element_count(dims);
  const auto bytes = count ? byte_size(type, *count) : std::nullopt;
  if (!bytes || type == DType::kString || static_cast<uint64_t>(*bytes) != given->second.size())
    throw Error(Code::kInvalidArgument,
                "the initializer '" + proto->name() + "' was given " + std::to_string(given->second.size()) + " bytes")
        .cause("the model says " + std::string(name(type)) + to_string(dims));
  return Tensor::borrow(type, dims, given->second.data());
}

// The parsed bytes of each initializer live as long as its constant.
void GraphImporter::add_own_initializers(Scope& scope) {
  auto& graph = *model_->mutable_graph();
  for (int i = 0; i < graph.initializer_size(); ++i) {
    auto own = std::make_shared<::onnx::TensorProto>();
    own->Swap(graph.mutable_initializer(i));
    graph.mutable_initializer(i)->set_name(own->name());
    define(scope, own->name(), scope.graph->add_constant(own_tensor(own, i), own->name()));
  }
  if (elements_) elements_->read();
  for (const auto& [name, bytes] : options_.initializers)
    if (!scope.values.count(name)) throw Error(Code::kInvalidArgument, "the model has no initializer '" + name + "'");
  for (const auto& proto : graph.sparse_initializer())
    define(scope, proto.values().name(),
           scope.graph->add_constant(read_sparse_tensor(proto, &external_), proto.values().name()));
}

void GraphImporter::add_initializers(const ::onnx::GraphProto& graph, Scope& scope, const Context& context) {
  for (const auto& proto : graph.initializer())
    define(scope, proto.name(),
           scope.graph->add_constant(read_tensor(proto, model_, &external_), context.prefix + proto.name()));
  for (const auto& proto : graph.sparse_initializer())
    define(scope, proto.values().name(),
           scope.graph->add_constant(read_sparse_tensor(proto, &external_), context.prefix + proto.values().name()));
}

bool GraphImporter::is_read(const std::string& name) {
  const auto add_node = [&](const ::onnx::NodeProto& node) { read_.insert(node.input().begin(), node.input().end()); };
  const auto add_nodes = [&](const Nodes& nodes) {
    for (const auto& node : nodes) {
      add_node(node);
      each_nested_graph(node, [&](const ::onnx::GraphProto& g) {
        for (const auto& inner : g.node()) add_node(inner);
        for (const auto& output : g.output()) read_.insert(output.name());
      });
    }
  };
  if (read_.empty()) {
    add_nodes(model_->graph().node());
    for (const auto& output : model_->graph().output()) read_.insert(output.name());
    for (const auto& function : model_->functions()) {
      add_nodes(function.node());
      read_.insert(function.output().begin(), function.output().end());
    }
  }
  return read_.count(name) != 0;
}

ir::Value* GraphImporter::keys_of(const ir::Value* map) const {
  const auto found = keys_.find(map);
  return found == keys_.end() ? nullptr : found->second;
}

// Two inputs: NAME.keys, and NAME.values in the same order.
ir::Value* GraphImporter::add_map_input(const ::onnx::ValueInfoProto& input, Scope& scope) {
  const auto& type = input.type().map_type();
  if (!type.value_type().has_tensor_type())
    throw Error(Code::kUnsupported, "a map holds other things than numbers or strings");
  const auto part = [&](const char* suffix, int32_t elements) {
    EdgeType vector;
    vector.tensor = {dtype_from_onnx(elements), {Dim::symbol(input.name() + ".length")}, true};
    return scope.graph->add_input(input.name() + suffix, vector);
  };
  ir::Value* keys = part(".keys", type.key_type());
  ir::Value* values = part(".values", type.value_type().tensor_type().elem_type());
  set_keys(values, keys);
  return values;
}

// Old files list initializers among the inputs, as defaults; here they are constants.
void GraphImporter::add_inputs(const ::onnx::GraphProto& graph, Scope& scope) {
  const auto initializers = initializer_names(graph);
  for (const auto& input : graph.input()) {
    if (initializers.count(input.name())) continue;
    try {
      check_name(input.name());
      define(scope, input.name(), nullptr);
      scope.values[input.name()] =
          input.type().has_map_type()
              ? add_map_input(input, scope)
              : scope.graph->add_input(input.name(), read_type(input.type(), input.name(), options_.fixed_dims));
    } catch (Error& error) {
      error.add_node("input '" + input.name() + "'");
      throw;
    }
  }
}

// What is known outside goes before what the nested graph declares, but for the shape, which may change from round to round.
void GraphImporter::add_formals(const ::onnx::GraphProto& graph, Scope& scope, const Context& context,
                                const std::vector<EdgeType>& formals) {
  const auto initializers = initializer_names(graph);
  size_t i = 0;
  for (const auto& input : graph.input()) {
    if (initializers.count(input.name())) continue;
    if (i >= formals.size())
      throw Error(Code::kInvalidGraph, "a nested graph takes more than " + std::to_string(formals.size()) + " inputs");
    EdgeType type = formals[i++];
    if (input.type().tensor_type().has_elem_type() && input.type().tensor_type().elem_type() != 0) {
      const EdgeType declared = read_type(input.type(), kRunTimeSymbol + input.name(), options_.fixed_dims);
      if (type.kind == Datum::kTensor && type.tensor.dtype == DType::kInvalid)
        type.tensor.dtype = declared.tensor.dtype;
      if (type.kind == Datum::kTensor && declared.tensor.ranked) {
        type.tensor.ranked = true;
        type.tensor.shape = declared.tensor.shape;
      }
    }
    define(scope, input.name(), scope.graph->add_input(context.prefix + input.name(), type));
  }
  if (i != formals.size())
    throw Error(Code::kInvalidGraph, "a nested graph takes " + std::to_string(i) + " inputs, " +
                                         std::to_string(formals.size()) + " are given");
}

std::unique_ptr<ir::Graph> GraphImporter::import_region(const ::onnx::GraphProto& proto, const Scope& outer,
                                                        const Context& context, const std::vector<EdgeType>& formals,
                                                        const std::vector<std::string>& captures) {
  auto graph = std::make_unique<ir::Graph>();
  if (!proto.name().empty()) graph->name = proto.name();
  graph->depth = outer.graph->depth + 1;
  Scope scope{graph.get(), &outer, {}, outer.absent};
  add_initializers(proto, scope, context);
  add_formals(proto, scope, context, formals);
  for (const auto& name : captures) {
    ir::Value* twin = graph->add_input(context.prefix + name, find(outer, name)->type());
    twin->set_elements(find(outer, name)->elements());
    scope.values.try_emplace(name, twin);
  }
  import_nodes(proto.node(), scope, context);
  std::vector<ir::Value*> outputs;
  for (const auto& output : proto.output()) {
    ir::Value* value = resolve(scope, output.name());
    require(value, Code::kUnsupported, "a nested graph holds nodes that cannot be imported");
    outputs.push_back(value);
  }
  graph->set_outputs(std::move(outputs));
  return graph;
}

ir::Value* GraphImporter::find(const Scope& scope, const std::string& name) {
  for (const Scope* s = &scope; s; s = s->outer)
    if (const auto found = s->values.find(name); found != s->values.end()) return found->second;
  return nullptr;
}

// As find, and brings an outer constant into the scope's own graph. Null for a result of an unsupported node; throws when there is no such name.
ir::Value* GraphImporter::resolve(Scope& scope, const std::string& name) {
  for (const Scope* s = &scope; s; s = s->outer) {
    const auto found = s->values.find(name);
    if (found == s->values.end()) continue;
    ir::Value* value = found->second;
    if (!value || s->graph == scope.graph) return value;
    if (!value->constant()) break;
    return scope.values[name] = scope.graph->add_constant(*value->constant(), value->name());
  }
  throw Error(Code::kInvalidGraph, "'" + name + "' is used, but nothing produces it");
}

void GraphImporter::import_nodes(const Nodes& nodes, Scope& scope, const Context& context) {
  std::set<std::string> made;
  for (const auto& node : nodes)
    for (const auto& name : node.output())
      if (!name.empty() && (scope.values.count(name) || !made.insert(name).second))
        throw Error(Code::kInvalidGraph, "the name '" + name + "' is given to two values")
            .node(node_label(node, context));
  const bool own = &nodes == &model_->graph().node();
  for (int i : topological_order(nodes, context)) {
    if (own) own_node_ = i;
    import_node(nodes[i], scope, context);
  }
}

void GraphImporter::import_node(const ::onnx::NodeProto& node, Scope& scope, const Context& context) {
  if (++nodes_seen_ > most_nodes_)
    throw Error(Code::kUnsupported, "the model has more than " + std::to_string(most_nodes_) +
                                        " nodes once the bodies of its functions stand where they are called")
        .remedy("call functions less often, or set a larger limit of nodes");
  const bool outermost_error = !located_;
  NodeImport n(*this, node, scope, context);
  try {
    bool ready = true;
    for (const auto& name : node.input()) {
      const bool given = !name.empty() && !scope.absent.count(name);
      n.inputs_.push_back(given ? resolve(scope, name) : nullptr);
      ready = ready && (!given || n.inputs_.back());
    }
    for (const auto& a : node.attribute())
      if (a.has_g())
        for (const auto& name : free_names(a.g())) ready = ready && (scope.absent.count(name) || resolve(scope, name));
    if (const auto reason = refusal(node, context))
      return reject(node, scope, context, Error(Code::kUnsupported, *reason));
    if (!ready) {
      check_nested(node, context);
      for (const auto& name : node.output())
        if (!name.empty()) scope.values[name] = nullptr;
      return;
    }
    dispatch(n);
  } catch (const Error& e) {
    if (e.code() == Code::kUnsupported) return reject(node, scope, context, e);
    if (located_ && outermost_error) throw;
    located_ = true;
    if (options_.report) options_.report->failed = place(context);
    throw Error(e.code(), e.message())
        .node(n.label())
        .cause((e.cause().empty() ? "" : e.cause() + "; ") + describe_inputs(n.inputs()))
        .remedy(e.remedy());
  }
  for (int i = 0; i < node.output_size(); ++i) {
    if (node.output(i).empty()) continue;
    if (static_cast<size_t>(i) >= n.results_.size()) n.invalid("output " + std::to_string(i) + " does not exist");
    scope.values[node.output(i)] = nth(n.results_, i);
  }
}

// Why the node's operator is unknown; nothing when it is not.
std::optional<std::string> GraphImporter::refusal(const ::onnx::NodeProto& node, const Context& context) const {
  if (find_function(node)) return std::nullopt;
  const auto opset = opset_of(node, context);
  const std::string domain = domain_of(node), key = importer_key(node);
  if (!domain.empty() && !has_importer(key)) return "the operator of the domain '" + domain + "' is not known";
  if (!opset) return "the model imports no opset of its domain";
  if (has_importer(key)) {
    if (!find_importer(key, *opset)) return "the operator does not exist in opset " + std::to_string(*opset);
    return std::nullopt;
  }
  if (!find_op(node.op_type())) return "the operator is not known";
  return std::nullopt;
}

void GraphImporter::dispatch(NodeImport& n) {
  if (const auto* function = find_function(n.node_)) return inline_function(*function, n, n.context_);
  const auto importer = find_importer(importer_key(n.node_), n.opset());
  importer ? importer(n) : import_as_is(n);
  if (!n.done_) throw Error(Code::kInternal, "the importer of " + n.op() + " gave no result");
}

NodePlace GraphImporter::place(const Context& context) const {
  NodePlace place{own_node_, {}};
  for (const std::string& key : context.functions) {
    const size_t begin = key.find("::") + 2;
    place.functions.push_back(key.substr(begin, key.rfind("::") - begin));
  }
  return place;
}

void GraphImporter::refuse(Error error, const Context& context) {
  unsupported_.push_back({std::move(error), place(context)});
}

void GraphImporter::reject(const ::onnx::NodeProto& node, Scope& scope, const Context& context, Error error) {
  error.add_node(node_label(node, context));
  refuse(std::move(error), context);
  check_nested(node, context);
  for (const auto& name : node.output())
    if (!name.empty()) scope.values[name] = nullptr;
}

// Of the graphs inside of a node that cannot be imported, the unknown operators alone are reported.
void GraphImporter::check_nested(const ::onnx::NodeProto& node, const Context& context) {
  each_nested_graph(node, [&](const ::onnx::GraphProto& graph) {
    for (const auto& inner : graph.node()) {
      const std::string label = node_label(inner, context);
      const bool known =
          std::any_of(unsupported_.begin(), unsupported_.end(), [&](const auto& u) { return u.error.node() == label; });
      if (auto reason = refusal(inner, context); reason && !known)
        refuse(Error(Code::kUnsupported, *reason).node(label), context);
    }
  });
}

const ::onnx::FunctionProto* GraphImporter::find_function(const ::onnx::NodeProto& node) const {
  const auto found = functions_.find(function_key(node.domain(), node.op_type(), node.overload()));
  return found == functions_.end() ? nullptr : found->second;
}

void GraphImporter::inline_function(const ::onnx::FunctionProto& function, NodeImport& call, const Context& context) {
  const std::string key = function_key(function.domain(), function.name(), function.overload());
  if (context.functions.size() >= kDeepestFunctions)
    throw Error(Code::kUnsupported, "more than " + std::to_string(kDeepestFunctions) + " functions call each other")
        .remedy("inline the functions before the export");
  Context body_context{
      opset_map(function.opset_import()), {}, shortened(call.name(), kLongestPrefix) + "/", context.functions};
  if (body_context.opsets.empty()) body_context.opsets = context.opsets;
  if (std::find(context.functions.begin(), context.functions.end(), key) != context.functions.end())
    call.invalid("the function '" + function.name() + "' calls itself");
  body_context.functions.push_back(key);
  for (const auto& a : function.attribute_proto()) body_context.attributes[a.name()] = &a;
  for (const auto& [name, a] : call.attributes_) body_context.attributes[name] = a;
  if (call.input_count() > function.input_size())
    call.invalid("the function '" + function.name() + "' takes " + std::to_string(function.input_size()) + " inputs");
  Scope body{call.scope_.graph, nullptr, {}, {}};
  for (int i = 0; i < function.input_size(); ++i) {
    if (call.optional(i)) define(body, function.input(i), call.optional(i));
    else body.absent.insert(function.input(i));
  }
  import_nodes(function.node(), body, body_context);
  std::vector<ir::Value*> results;
  for (int i = 0; i < function.output_size(); ++i) {
    ir::Value* value = resolve(body, function.output(i));
    if (!value)
      throw Error(Code::kUnsupported, "the function '" + function.name() + "' holds nodes that cannot be imported");
    const bool own =
        value->producer() && std::find(call.inputs_.begin(), call.inputs_.end(), value) == call.inputs_.end();
    if (own && call.wants(i) && std::find(results.begin(), results.end(), value) == results.end())
      call.scope_.graph->rename(value, context.prefix + call.node_.output(i));
    results.push_back(value);
  }
  call.yield(std::move(results));
}

namespace {

// A result of its own that bears this name.
ir::Value* copy_of(ir::Graph& graph, ir::Value* value, const std::string& name) {
  if (value->constant()) graph.rename(value, name + ".constant");
  ir::NodeSpec spec;
  spec.op = find_op("Identity");
  spec.inputs = {value};
  spec.name = name + ".Identity";
  spec.output_names = {name};
  return graph.add_node(std::move(spec))->output();
}

void check_output_names(const ::onnx::GraphProto& graph) {
  std::map<std::string, int> places;
  for (int i = 0; i < graph.output_size(); ++i) {
    const std::string& name = graph.output(i).name();
    check_name(name);
    if (const auto [known, fresh] = places.emplace(name, i); !fresh)
      throw Error(Code::kInvalidGraph, "outputs " + std::to_string(known->second) + " and " + std::to_string(i) +
                                           " of the graph are both named '" + name + "'")
          .remedy("give each output a name of its own, with an Identity where two return one value");
  }
}

}  // namespace

// An output that is an input, a constant or another output too becomes a result of its own. A map is two outputs: behind it stands NAME.keys.
void GraphImporter::set_outputs(const ::onnx::GraphProto& graph, Scope& scope) {
  std::vector<ir::Value*> outputs;
  std::set<const ir::Value*> taken;
  check_output_names(graph);
  for (const auto& output : graph.output()) {
    ir::Value* value = nullptr;
    try {
      value = resolve(scope, output.name());
    } catch (const Error&) {
      throw Error(Code::kInvalidGraph, "the output '" + output.name() + "' is produced by nothing");
    }
    ir::Value* keys = keys_of(value);
    if (!value->producer() || !taken.insert(value).second) value = copy_of(*scope.graph, value, output.name());
    if (value->name() != output.name()) scope.graph->rename(value, output.name());
    outputs.push_back(value);
    if (keys) outputs.push_back(copy_of(*scope.graph, keys, output.name() + ".keys"));
  }
  require(!outputs.empty(), Code::kInvalidGraph, "the graph has no outputs");
  scope.graph->set_outputs(std::move(outputs));
}

}  // namespace kiln::onnx
