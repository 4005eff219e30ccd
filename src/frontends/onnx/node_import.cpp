// Access to one ONNX node and the operations made from it.
#include "frontends/onnx/node_import.h"

#include <algorithm>

#include "base/error.h"
#include "frontends/onnx/graph_importer.h"
#include "frontends/onnx/inlined.h"

namespace kiln::onnx {
namespace {

using Proto = ::onnx::AttributeProto;

// Old writers leave the type out: then the field that is set tells it.
Proto::AttributeType kind_of(const Proto& a) {
  if (a.type() != Proto::UNDEFINED) return a.type();
  if (a.has_f()) return Proto::FLOAT;
  if (a.has_i()) return Proto::INT;
  if (a.has_s()) return Proto::STRING;
  if (a.has_t()) return Proto::TENSOR;
  if (a.has_g()) return Proto::GRAPH;
  if (a.has_tp()) return Proto::TYPE_PROTO;
  if (a.floats_size() > 0) return Proto::FLOATS;
  if (a.strings_size() > 0) return Proto::STRINGS;
  return Proto::INTS;
}

void expect(const Proto& a, Proto::AttributeType kind) {
  if (kind_of(a) != kind)
    throw Error(Code::kInvalidGraph, "attribute '" + a.name() + "' is of kind " +
                                         Proto::AttributeType_Name(kind_of(a)) + ", not " +
                                         Proto::AttributeType_Name(kind));
}

Floats read_floats(const Proto& a) {
  if (kind_of(a) == Proto::INTS) return Floats(a.ints().begin(), a.ints().end());
  expect(a, Proto::FLOATS);
  return Floats(a.floats().begin(), a.floats().end());
}

double read_float(const Proto& a) {
  if (kind_of(a) == Proto::INT) return static_cast<double>(a.i());
  expect(a, Proto::FLOAT);
  return static_cast<double>(a.f());
}

Ints read_ints(const Proto& a) {
  if (kind_of(a) == Proto::FLOATS && a.floats_size() == 0) return {};
  expect(a, Proto::INTS);
  return Ints(a.ints().begin(), a.ints().end());
}

std::string type_text(const EdgeType& type) {
  const std::string element(name(type.tensor.dtype));
  return type.kind == Datum::kSequence || type.optional_of_sequence ? "seq(" + element + ")" : element;
}

// Element types are numbers in ONNX and names in Kiln.
std::optional<Attribute> read_text(const Proto& a) {
  if (kind_of(a) == Proto::INT)
    return a.i() == 0 ? std::nullopt : std::optional<Attribute>(std::string(name(dtype_from_onnx(a.i()))));
  if (kind_of(a) == Proto::TYPE_PROTO) return Attribute(type_text(read_type(a.tp(), a.name(), {})));
  expect(a, Proto::STRING);
  return Attribute(a.s());
}

}  // namespace

NodeImport::NodeImport(GraphImporter& importer, const ::onnx::NodeProto& node, Scope& scope, const Context& context)
    : importer_(importer),
      node_(node),
      scope_(scope),
      context_(context),
      name_(node_name(node, context)),
      opset_(opset_of(node, context).value_or(0)) {
  for (const auto& a : node.attribute()) {
    const Proto* meant = &a;
    if (!a.ref_attr_name().empty()) {
      const auto given = context.attributes.find(a.ref_attr_name());
      if (given == context.attributes.end()) continue;
      meant = given->second;
    }
    if (!attributes_.try_emplace(a.name(), meant).second) invalid("attribute '" + a.name() + "' is given twice");
  }
}

const std::string& NodeImport::op() const { return node_.op_type(); }
std::string NodeImport::label() const { return node_label(node_, context_); }

ir::Value* NodeImport::in(int i) const {
  if (ir::Value* value = optional(i)) return value;
  invalid("input " + std::to_string(i) + " is missing");
}

int64_t NodeImport::rank(int i) const {
  if (!in(i)->ranked())
    unsupported("the rank of input " + std::to_string(i) + " is not known", "give the model's inputs shapes");
  return in(i)->rank();
}

int NodeImport::output_count() const {
  int count = node_.output_size();
  while (count > 0 && node_.output(count - 1).empty()) --count;
  return count;
}

bool NodeImport::is_read(int i) const { return wants(i) && importer_.is_read(node_.output(i)); }

bool NodeImport::wants(int i) const { return i < node_.output_size() && !node_.output(i).empty(); }

const Proto* NodeImport::find(std::string_view name) const {
  const auto found = attributes_.find(name);
  return found == attributes_.end() ? nullptr : found->second;
}

int64_t NodeImport::integer(std::string_view name, int64_t fallback) const {
  const Proto* a = find(name);
  if (!a) return fallback;
  expect(*a, Proto::INT);
  return a->i();
}

int64_t NodeImport::integer(std::string_view name) const {
  if (!has_attr(name)) invalid("attribute '" + std::string(name) + "' is missing");
  return integer(name, 0);
}

double NodeImport::real(std::string_view name, double fallback) const {
  const Proto* a = find(name);
  return a ? read_float(*a) : fallback;
}

std::string NodeImport::text(std::string_view name, std::string_view fallback) const {
  const Proto* a = find(name);
  if (!a) return std::string(fallback);
  expect(*a, Proto::STRING);
  return a->s();
}

Ints NodeImport::ints(std::string_view name) const {
  const Proto* a = find(name);
  return a ? read_ints(*a) : Ints();
}

Floats NodeImport::reals(std::string_view name) const {
  const Proto* a = find(name);
  return a ? read_floats(*a) : Floats();
}

Strings NodeImport::texts(std::string_view name) const {
  const Proto* a = find(name);
  if (!a) return {};
  if (a->strings_size() > 0) expect(*a, Proto::STRINGS);
  return {a->strings().begin(), a->strings().end()};
}

Tensor NodeImport::tensor(std::string_view name) const {
  const Proto* a = find(name);
  if (!a) invalid("attribute '" + std::string(name) + "' is missing");
  if (kind_of(*a) == Proto::SPARSE_TENSOR) return read_sparse_tensor(a->sparse_tensor(), &importer_.external());
  expect(*a, Proto::TENSOR);
  return read_tensor(a->t(), importer_.model(), &importer_.external());
}

const ::onnx::GraphProto& NodeImport::graph_attr(std::string_view name) const {
  const Proto* a = find(name);
  if (!a) invalid("attribute '" + std::string(name) + "' is missing");
  expect(*a, Proto::GRAPH);
  return a->g();
}

Attributes NodeImport::attributes(const OpDef& op, std::initializer_list<std::string_view> without) const {
  Attributes result;
  for (const auto& [name, a] : attributes_) {
    if (std::find(without.begin(), without.end(), name) != without.end()) continue;
    const AttributeDef* def = op.find_attribute(name);
    if (!def) unsupported("attribute '" + name + "' is not one of " + op.name());
    switch (def->fallback.index()) {
      case 0: result.set(name, integer(name, 0)); break;
      case 1: result.set(name, read_float(*a)); break;
      case 2:
        if (auto text = read_text(*a)) result.set(name, *text);
        break;
      case 3: result.set(name, read_ints(*a)); break;
      case 4: result.set(name, read_floats(*a)); break;
      case 5: result.set(name, texts(name)); break;
      default: result.set(name, tensor(name)); break;
    }
  }
  return result;
}

Attributes NodeImport::attributes(std::initializer_list<std::string_view> without) const {
  const OpDef* def = find_op(op());
  if (!def) unsupported("Kiln has no operator " + op());
  return attributes(*def, without);
}

ir::Value* NodeImport::constant(Tensor value) const {
  return scope_.graph->add_constant(std::move(value), name_ + ".constant");
}
ir::Value* NodeImport::constant_result(Tensor value) const {
  return scope_.graph->add_constant(std::move(value), wants(0) ? context_.prefix + node_.output(0) : name_);
}
ir::Value* NodeImport::ints(const Ints& values) const {
  return constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

ir::Value* NodeImport::scalar(DType type, double value) const {
  Tensor t = Tensor::allocate(type, {});
  t.set(0, value);
  return constant(std::move(t));
}

ir::NodeSpec NodeImport::spec(std::string_view op_name, std::vector<ir::Value*> operands, Attributes values) const {
  const OpDef* def = find_op(op_name);
  if (!def) unsupported("Kiln has no operator " + std::string(op_name));
  if (!operands.empty() && !def->input_def(static_cast<int>(operands.size()) - 1))
    invalid(std::string(op_name) + " has " + std::to_string(operands.size()) + " inputs, more than it takes");
  ir::NodeSpec s;
  s.op = def;
  s.inputs = std::move(operands);
  s.attributes = std::move(values);
  s.origins = {name_};
  return s;
}

std::vector<ir::Value*> NodeImport::add_many(std::string_view op_name, std::vector<ir::Value*> operands,
                                             Attributes values, int outputs) {
  ir::NodeSpec s = spec(op_name, std::move(operands), std::move(values));
  s.name = name_ + "." + std::string(op_name);
  s.output_count = outputs;
  return scope_.graph->add_node(std::move(s))->outputs();
}

ir::Value* NodeImport::add(std::string_view op_name, std::vector<ir::Value*> operands, Attributes values) {
  return add_many(op_name, std::move(operands), std::move(values), 1)[0];
}

ir::Value* NodeImport::result(int i, std::string_view op_name, std::vector<ir::Value*> operands, Attributes values) {
  ir::NodeSpec s = spec(op_name, std::move(operands), std::move(values));
  s.name = i == 0 ? name_ : name_ + "." + std::string(op_name);
  if (wants(i)) s.output_names = {context_.prefix + node_.output(i)};
  return scope_.graph->add_node(std::move(s))->output();
}

void NodeImport::emit(std::string_view op_name, std::vector<ir::Value*> operands, Attributes values) {
  while (!operands.empty() && !operands.back()) operands.pop_back();
  finish(spec(op_name, std::move(operands), std::move(values)));
}

void NodeImport::finish(ir::NodeSpec s) {
  s.name = name_;
  s.output_count = std::max(1, output_count());
  for (int i = 0; i < s.output_count; ++i) {
    if (!s.op->output_def(i)) invalid("output " + std::to_string(i) + " is more than " + s.op->name() + " has");
    s.output_names.push_back(wants(i) ? context_.prefix + node_.output(i) : "");
  }
  yield(scope_.graph->add_node(std::move(s))->outputs());
}

NodeImport::Nested NodeImport::import_regions(const std::vector<std::string>& graphs,
                                              const std::vector<EdgeType>& formals) const {
  std::vector<std::string> names;
  for (const auto& g : graphs)
    for (auto& name : free_names(graph_attr(g)))
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  Nested nested;
  std::vector<std::string> passed;  // constants are copied into the regions instead
  for (const auto& name : names) {
    ir::Value* value = importer_.find(scope_, name);
    if (!value) invalid("a nested graph uses '" + name + "', which nothing produces");
    if (value->constant()) continue;
    passed.push_back(name);
    nested.captures.push_back(value);
  }
  for (const auto& g : graphs)
    nested.graphs.push_back(importer_.import_region(graph_attr(g), scope_, context_, formals, passed));
  return nested;
}

void NodeImport::emit_nested(std::string_view op_name, std::vector<ir::Value*> operands, Attributes values,
                             Nested nested) {
  operands.insert(operands.end(), nested.captures.begin(), nested.captures.end());
  values.set("captures", static_cast<int64_t>(nested.captures.size()));
  ir::NodeSpec s = spec(op_name, std::move(operands), std::move(values));
  s.regions = std::move(nested.graphs);
  finish(std::move(s));
}

std::vector<ir::Value*> NodeImport::inline_graph(const std::string& graph, const std::vector<ir::Value*>& arguments) {
  std::vector<EdgeType> formals;
  for (const ir::Value* v : arguments) formals.push_back(v->type());
  const Nested nested = import_regions({graph}, formals);
  std::vector<ir::Value*> all = arguments;
  all.insert(all.end(), nested.captures.begin(), nested.captures.end());
  return inlined(*nested.graphs[0], *scope_.graph, all);
}

void NodeImport::emit_regions(std::string_view op_name, std::vector<ir::Value*> operands, Attributes values,
                              const std::vector<std::string>& graphs, const std::vector<EdgeType>& formals) {
  emit_nested(op_name, std::move(operands), std::move(values), import_regions(graphs, formals));
}

void NodeImport::yield(std::vector<ir::Value*> values) {
  results_ = std::move(values);
  done_ = true;
}

ir::Value* NodeImport::keys(int i) const {
  if (ir::Value* keys = importer_.keys_of(in(i))) return keys;
  invalid("input " + std::to_string(i) + " is no map");
}

void NodeImport::yield_map(ir::Value* values, ir::Value* keys) {
  importer_.set_keys(values, keys);
  yield({values});
}

void NodeImport::unsupported(std::string reason, std::string remedy) const {
  throw Error(Code::kUnsupported, std::move(reason)).node(label()).remedy(std::move(remedy));
}

void NodeImport::invalid(std::string message, std::string cause) const {
  throw Error(Code::kInvalidGraph, std::move(message)).node(label()).cause(std::move(cause));
}

void import_as_is(NodeImport& n) { n.emit(n.op(), n.inputs(), n.attributes()); }

}  // namespace kiln::onnx
