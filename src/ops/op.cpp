// Building an operator's definition and inferring its types.
#include "ops/op.h"

#include <algorithm>

#include "base/error.h"
#include "base/index.h"

namespace kiln {

std::vector<DType> TypeSet::list() const {
  std::vector<DType> types;
  for (int i = 1; i < kDTypeCount; ++i)
    if (has(static_cast<DType>(i))) types.push_back(static_cast<DType>(i));
  return types;
}

std::string TypeSet::str() const {
  std::string text;
  for (DType t : list()) text += (text.empty() ? "" : ", ") + std::string(name(t));
  return text;
}

std::string EdgeType::str() const {
  switch (kind) {
    case Datum::kTensor: return tensor.str();
    case Datum::kSequence: return "seq(" + tensor.str() + ")";
    case Datum::kOptional:
      return optional_of_sequence ? "optional(seq(" + tensor.str() + "))" : "optional(" + tensor.str() + ")";
  }
  return "";
}

bool has_run_time_symbol(const Shape& shape) {
  std::set<std::string> symbols;
  for (const Dim& d : shape) d.collect_symbols(symbols);
  return std::any_of(symbols.begin(), symbols.end(), [](const std::string& s) { return s[0] == kRunTimeSymbol; });
}

OpDef&& OpDef::input(std::string name, TypeSet types, std::string same_as) && {
  inputs_.emplace_back(std::move(name), types, std::move(same_as));
  return std::move(*this);
}

OpDef&& OpDef::optional_input(std::string name, TypeSet types, std::string same_as) && {
  inputs_.emplace_back(std::move(name), types, std::move(same_as));
  inputs_.back().optional = true;
  return std::move(*this);
}

OpDef&& OpDef::variadic_input(std::string name, TypeSet types, std::string same_as, bool may_be_empty) && {
  inputs_.emplace_back(std::move(name), types, std::move(same_as));
  inputs_.back().variadic = true;
  inputs_.back().optional = may_be_empty;
  return std::move(*this);
}

OpDef&& OpDef::attr(std::string name, Attribute fallback) && {
  attributes_.push_back({std::move(name), std::move(fallback), false});
  return std::move(*this);
}

OpDef&& OpDef::required_attr(std::string name, Attribute kind) && {
  attributes_.push_back({std::move(name), std::move(kind), true});
  return std::move(*this);
}

OpDef&& OpDef::output(std::string name, TypeRule type) && {
  outputs_.push_back({std::move(name), std::move(type)});
  return std::move(*this);
}

OpDef&& OpDef::optional_output(std::string name, TypeRule type) && {
  outputs_.push_back({std::move(name), std::move(type), true});
  return std::move(*this);
}

OpDef&& OpDef::variadic_output(std::string name, TypeRule type) && {
  outputs_.push_back({std::move(name), std::move(type), false, true});
  return std::move(*this);
}

OpDef&& OpDef::regions(int count) && {
  regions_ = count;
  return std::move(*this);
}

OpDef&& OpDef::shape(std::function<OutputShape(ShapeCall&)> rule) && {
  shape_rule_ = [rule = std::move(rule)](ShapeCall& c) { return std::vector<OutputShape>{rule(c)}; };
  return std::move(*this);
}

OpDef&& OpDef::shapes(ShapeRule rule) && {
  shape_rule_ = std::move(rule);
  return std::move(*this);
}

OpDef&& OpDef::shape_of_anything(ShapeRule rule) && {
  shape_rule_ = std::move(rule);
  shape_takes_unranked_ = true;
  return std::move(*this);
}

OpDef&& OpDef::edges(EdgeRule rule) && {
  edge_rule_ = std::move(rule);
  return std::move(*this);
}

OpDef&& OpDef::elements(ElementRule rule) && {
  element_rule_ = std::move(rule);
  return std::move(*this);
}

OpDef&& OpDef::reference(Reference run) && {
  reference_ = std::move(run);
  return std::move(*this);
}

OpDef&& OpDef::accuracy(Accuracy a) && {
  accuracy_ = a;
  return std::move(*this);
}

OpDef&& OpDef::nondeterministic() && {
  deterministic_ = false;
  return std::move(*this);
}

OpDef&& OpDef::scalar(std::function<Expr(Expr)> f) && {
  return std::move(*this).scalar_n(
      [f = std::move(f)](std::span<const Expr> in, const Attributes&) { return f(in[0]); });
}

OpDef&& OpDef::scalar(std::function<Expr(Expr, Expr)> f) && {
  return std::move(*this).scalar_n(
      [f = std::move(f)](std::span<const Expr> in, const Attributes&) { return f(in[0], in[1]); });
}

OpDef&& OpDef::scalar(std::function<Expr(Expr, const Attributes&)> f) && {
  return std::move(*this).scalar_n(
      [f = std::move(f)](std::span<const Expr> in, const Attributes& a) { return f(in[0], a); });
}

OpDef&& OpDef::scalar(std::function<Expr(Expr, Expr, const Attributes&)> f) && {
  return std::move(*this).scalar_n(
      [f = std::move(f)](std::span<const Expr> in, const Attributes& a) { return f(in[0], in[1], a); });
}

OpDef&& OpDef::scalar_n(Scalar f) && {
  scalar_ = std::move(f);
  return std::move(*this);
}

OpDef&& OpDef::output_type(TypeRule rule) && {
  outputs_.at(0).type = std::move(rule);
  return std::move(*this);
}

const AttributeDef* OpDef::find_attribute(std::string_view name) const {
  auto it = std::find_if(attributes_.begin(), attributes_.end(), [&](const AttributeDef& a) { return a.name == name; });
  return it == attributes_.end() ? nullptr : &*it;
}

const InputDef* OpDef::input_def(int index) const {
  if (index < static_cast<int>(inputs_.size())) return &nth(inputs_, index);
  return !inputs_.empty() && inputs_.back().variadic ? &inputs_.back() : nullptr;
}

const OutputDef* OpDef::output_def(int index) const {
  if (index < static_cast<int>(outputs_.size())) return &nth(outputs_, index);
  return !outputs_.empty() && outputs_.back().variadic ? &outputs_.back() : nullptr;
}

namespace {

void check_attributes(const OpDef& op, const Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    const AttributeDef* def = op.find_attribute(name);
    if (!def) throw Error(Code::kInvalidGraph, op.name() + " has no attribute '" + name + "'");
    const bool int_for_real = std::holds_alternative<double>(def->fallback) && std::holds_alternative<int64_t>(value);
    if (def->fallback.index() != value.index() && !int_for_real)
      throw Error(Code::kTypeMismatch,
                  "attribute '" + name + "' of " + op.name() + " has the wrong kind: " + to_string(value));
  }
  for (const AttributeDef& def : op.attributes())
    if (def.required && !attributes.has(def.name))
      throw Error(Code::kInvalidGraph, op.name() + " needs the attribute '" + def.name + "'");
}

void check_input_type(const OpDef& op, const ShapeCall& call, int index, const InputDef& def) {
  const DType type = call.dtype(index);
  const EdgeType& edge = call.info(index).type;
  if (op.takes_any_edge() && (edge.kind != Datum::kTensor || type == DType::kInvalid)) return;
  if (edge.kind != Datum::kTensor)
    throw Error(Code::kTypeMismatch, "input '" + def.name + "' of " + op.name() + " is " + edge.str())
        .cause("it takes a tensor");
  if (!def.types.has(type))
    throw Error(Code::kTypeMismatch, "input '" + def.name + "' of " + op.name() + " is " + std::string(name(type)))
        .cause("it takes " + def.types.str())
        .remedy("insert a Cast before the node");
  const std::string& leader = def.variadic && def.same_as.empty() ? std::string() : def.same_as;
  if (!leader.empty() && call.present(leader) && call.dtype(leader) != type)
    throw Error(Code::kTypeMismatch, "input '" + def.name + "' of " + op.name() + " is " + std::string(name(type)) +
                                         ", but '" + leader + "' is " + std::string(name(call.dtype(leader))))
        .remedy("insert a Cast so that both have one type");
}

void check_inputs(const OpDef& op, const ShapeCall& call) {
  for (int i = 0; i < call.input_count(); ++i) {
    const InputDef* def = op.input_def(i);
    if (!def)
      throw Error(Code::kInvalidGraph,
                  op.name() + " has " + std::to_string(call.input_count()) + " inputs, more than its schema");
    if (call.present(i)) check_input_type(op, call, i, *def);
  }
  for (int i = 0; i < static_cast<int>(op.inputs().size()); ++i)
    if (!nth(op.inputs(), i).optional && !call.present(i))
      throw Error(Code::kInvalidGraph, op.name() + " lacks its input '" + nth(op.inputs(), i).name + "'");
}

bool any_unranked(const ShapeCall& call) {
  for (int i = 0; i < call.input_count(); ++i)
    if (call.present(i) && !call.info(i).type.tensor.ranked) return true;
  return false;
}

DType output_dtype(const TypeRule& rule, const ShapeCall& call) {
  switch (rule.kind) {
    case TypeRule::kSameAs: return call.dtype(rule.name);
    case TypeRule::kFixed: return rule.fixed;
    case TypeRule::kFromAttribute: {
      auto type = dtype_from_name(call.text(rule.name));
      if (!type) throw Error(Code::kTypeMismatch, "'" + call.text(rule.name) + "' is not an element type");
      return *type;
    }
    case TypeRule::kComputed: return rule.compute(call);
  }
  return DType::kInvalid;
}

void check_dims(const OpDef& op, const Shape& shape) {
  for (const Dim& d : shape)
    if (d.is_constant() && d.value() < 0)
      throw Error(Code::kShapeMismatch, op.name() + " would have an output of shape " + to_string(shape))
          .cause("a dimension is negative");
}

}  // namespace

std::vector<EdgeType> OpDef::infer(ShapeCall& call) const {
  check_attributes(*this, call.attributes());
  check_inputs(*this, call);
  const auto count = static_cast<size_t>(call.output_count());
  const auto check_count = [&](size_t given) {
    if (given < count)
      throw Error(Code::kInvalidGraph,
                  name_ + " has " + std::to_string(given) + " outputs, " + std::to_string(count) + " are asked for");
  };
  if (edge_rule_) {
    std::vector<EdgeType> types = edge_rule_(call);
    check_count(types.size());
    return types;
  }
  std::vector<OutputShape> shapes;
  if (!any_unranked(call) || shape_takes_unranked_) shapes = shape_rule_(call);
  else shapes.resize(count);
  check_count(shapes.size());
  std::vector<EdgeType> types(count);
  for (size_t i = 0; i < count; ++i) {
    const OutputDef* def = output_def(static_cast<int>(i));
    if (!def) throw Error(Code::kInvalidGraph, name_ + " has no output " + std::to_string(i));
    check_dims(*this, shapes[i].shape);
    types[i].tensor = {output_dtype(def->type, call), std::move(shapes[i].shape), shapes[i].ranked};
  }
  return types;
}

}  // namespace kiln
