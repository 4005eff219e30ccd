// Questions about values and nodes.
#include "passes/value_queries.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "ops/shape_elements.h"

namespace kiln::passes {
namespace {
template <class T> T fallback(const Node& node, std::string_view attribute) {
  const AttributeDef* def = node.op().find_attribute(attribute);
  if (!def) throw Error(Code::kInternal, node.op_name() + " has no attribute '" + std::string(attribute) + "'");
  return std::get<T>(def->fallback);
}
}  // namespace

int64_t integer(const Node& node, std::string_view attribute) {
  return node.attributes.integer(attribute, fallback<int64_t>(node, attribute));
}
double real(const Node& node, std::string_view attribute) {
  return node.attributes.real(attribute, fallback<double>(node, attribute));
}
std::string text(const Node& node, std::string_view attribute) {
  return node.attributes.text(attribute, fallback<std::string>(node, attribute));
}

std::optional<Ints> known_ints(const Value* value) {
  if (!value) return std::nullopt;
  if (const Tensor* t = value->constant()) {
    if (!is_integer(t->dtype())) return std::nullopt;
    return t->to_ints();
  }
  if (!value->elements() || !is_static(*value->elements())) return std::nullopt;
  return static_dims(*value->elements());
}

std::optional<double> uniform(const Value* value) {
  const Tensor* t = value ? value->constant() : nullptr;
  if (!t || t->size() == 0 || t->dtype() == DType::kString || is_complex(t->dtype())) return std::nullopt;
  const double first = t->at(0);
  for (int64_t i = 1; i < t->size(); ++i)
    if (!(t->at(i) == first)) return std::nullopt;
  return first;
}

std::optional<double> scalar_for(const Value* value, int64_t rank) {
  const Tensor* t = value ? value->constant() : nullptr;
  if (!t || t->size() != 1 || t->rank() > rank) return std::nullopt;
  return uniform(value);
}

bool is_about(const std::optional<double>& value, double wanted) {
  return value && std::abs(*value - wanted) <= 1e-3 * std::abs(wanted);
}

bool is_read_once(const Value& value) { return value.uses().size() == 1 && !value.is_graph_output(); }

bool same_type(const Value* a, const Value* b) {
  return a->is_tensor() && b->is_tensor() && a->ranked() && b->ranked() && a->dtype() == b->dtype() &&
         a->shape() == b->shape();
}

bool broadcasts_into(const Value* operand, const Shape& shape) {
  if (!operand || !operand->is_tensor() || !operand->ranked() || operand->shape().size() > shape.size()) return false;
  const size_t offset = shape.size() - operand->shape().size();
  for (size_t i = 0; i < operand->shape().size(); ++i)
    if (!(operand->shape()[i] == Dim(1)) && !(operand->shape()[i] == shape[offset + i])) return false;
  return true;
}

std::optional<std::vector<double>> along_axis(const Value* value, const Shape& shape, int64_t axis) {
  const Tensor* t = value ? value->constant() : nullptr;
  if (!t || !is_float(t->dtype()) || !broadcasts_into(value, shape) || !nth(shape, axis).is_constant())
    return std::nullopt;
  const int64_t count = nth(shape, axis).value();
  const int64_t own = axis - (static_cast<int64_t>(shape.size()) - t->rank());
  for (int64_t i = 0; i < t->rank(); ++i)
    if (i != own && nth(t->dims(), i) != 1) return std::nullopt;
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(t->at(t->size() == 1 ? 0 : i));
  return values;
}

Tensor tensor_of(DType type, Dims dims, const std::vector<double>& values) {
  Tensor t = Tensor::allocate(type, std::move(dims));
  for (size_t i = 0; i < values.size(); ++i) t.set(static_cast<int64_t>(i), values[i]);
  return t;
}

bool can_forward(const Value* out, const Value* in) {
  return !out->is_graph_output() || (in->producer() && !in->is_graph_output());
}

std::optional<Patch> forward(const Match& match, Value* in) {
  Value* out = match.root().output();
  for (const Value* v : match.root().outputs())
    if (v != out && (!v->uses().empty() || v->is_graph_output())) return decline("another result is used");
  if (!can_forward(out, in)) return decline("an output of the graph must be the result of a node of its own");
  Patch p(match);
  p.replace(out, in);
  return p;
}

std::optional<Tensor> reshape_target(const Shape& from, const Shape& to) {
  std::vector<int64_t> target;
  bool open = false;
  for (size_t i = 0; i < to.size(); ++i) {
    if (to[i] == Dim(0)) return std::nullopt;
    if (to[i].is_constant()) target.push_back(to[i].value());
    else if (i < from.size() && from[i] == to[i]) target.push_back(0);
    else if (!std::exchange(open, true)) target.push_back(-1);
    else return std::nullopt;
  }
  return Tensor::of<int64_t>({static_cast<int64_t>(target.size())}, target);
}

bool is_told(const Node& reshape) {
  const Value* v = reshape.input(1);
  return !v || v->constant() || (v->elements() && !ops::has_unknown_element(*v->elements()));
}

bool only_names(const Node& n) { return n.is("Flatten") || n.is("Reshape") || n.is("Squeeze") || n.is("Unsqueeze"); }

std::optional<Ints> permutation(const Node& transpose) {
  if (!transpose.input(0)->ranked()) return std::nullopt;
  Ints perm = transpose.attributes.ints("perm", {});
  if (perm.empty())
    for (int64_t i = transpose.input(0)->rank(); i-- > 0;) perm.push_back(i);
  for (int64_t& axis : perm) axis = normalize_axis(axis, transpose.input(0)->rank());
  return perm;
}

std::optional<Product> foldable_product(const Value* value) {
  Node* n = value->producer();
  if (!n || !value->has_one_use() || !n->post.empty() || !value->ranked()) return std::nullopt;
  Product p{n, 1, 0};
  if (n->is("MatMul")) p.channel_axis = value->rank() - 1;
  else if (!n->is("Conv") && !n->is("ConvTranspose")) return std::nullopt;
  const Value* w = n->input(1);
  if (!w->constant() || !is_float(w->dtype()) || w->rank() < 2 || n->input(0)->rank() < 2) return std::nullopt;
  const Dim& channels = nth(value->shape(), p.channel_axis);
  if (!channels.is_constant() || channels.value() == 0) return std::nullopt;
  p.channels = channels.value();
  return p;
}

std::optional<Tensor> scaled_weights(const Product& product, const std::vector<double>& factors) {
  Tensor w = product.node->input(1)->constant()->clone();
  const Dims& dims = w.dims();
  const auto channels = static_cast<int64_t>(factors.size());
  const int64_t groups = product.node->is("ConvTranspose") ? integer(*product.node, "group") : 1;
  // Conv: [M, C/g, ...]. ConvTranspose: [C, M/g, ...]. MatMul: [..., K, N].
  const int64_t inner = product.node->is("MatMul")
                            ? 1
                            : element_count(Dims(dims.begin() + (product.node->is("Conv") ? 1 : 2), dims.end()));
  const int64_t per_group = channels / groups;
  const int64_t block = w.size() / groups;
  float* fast = w.dtype() == DType::kF32 ? w.as_mutable<float>().data() : nullptr;
  for (int64_t first = 0; first < w.size(); first += inner) {
    const int64_t channel =
        groups == 1 ? first / inner % channels : first / block * per_group + first / inner % per_group;
    const double factor = nth(factors, channel);
    bool overflows = false;
    for (int64_t i = first; i < first + inner; ++i) {
      const double before = fast ? fast[i] : w.at(i), scaled = before * factor;
      if (fast) fast[i] = static_cast<float>(scaled);
      else w.set(i, scaled);
      overflows |= !std::isfinite(fast ? fast[i] : w.at(i)) && std::isfinite(before);
    }
    if (overflows) return std::nullopt;
  }
  return w;
}

std::optional<std::vector<double>> constant_bias(const Product& product) {
  std::vector<double> bias(static_cast<size_t>(product.channels), 0.0);
  const Value* b = product.node->input(2);
  if (!b) return bias;
  if (!b->constant()) return std::nullopt;
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = b->constant()->at(static_cast<int64_t>(i));
  return bias;
}

std::optional<BatchNormLine> batch_norm_line(const Node& n) {
  if (integer(n, "training_mode") != 0 || n.outputs().size() != 1) return std::nullopt;
  const Tensor &scale = *n.input(1)->constant(), &bias = *n.input(2)->constant(), &mean = *n.input(3)->constant(),
               &variance = *n.input(4)->constant();
  BatchNormLine line;
  for (int64_t i = 0; i < scale.size(); ++i) {
    const double factor = scale.at(i) / std::sqrt(variance.at(i) + real(n, "epsilon"));
    line.factors.push_back(factor);
    line.summands.push_back(bias.at(i) - mean.at(i) * factor);
  }
  return line;
}

}  // namespace kiln::passes
