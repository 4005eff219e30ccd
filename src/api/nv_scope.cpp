// From layers to nodes.
#include "api/nv_scope.h"

#include <algorithm>

namespace kiln::api {
namespace {

// What a layer needs; for the output of a construct, all that the construct needs.
std::vector<const TensorImpl*> needs(const LayerCore& layer) {
  std::vector<const TensorImpl*> list(layer.inputs.begin(), layer.inputs.end());
  if (layer.boundary == Boundary::kOutput) {
    const std::vector<const TensorImpl*> more = layer.construct->mentioned();
    list.insert(list.end(), more.begin(), more.end());
  }
  return list;
}

// Layers that the construct depends on, its own outputs and what is behind them left out.
std::set<const LayerCore*> layers_before(const Construct& construct) {
  std::set<const LayerCore*> found;
  std::vector<const TensorImpl*> open = construct.mentioned();
  while (!open.empty()) {
    const TensorImpl* tensor = open.back();
    open.pop_back();
    const LayerCore* layer = tensor ? tensor->producer() : nullptr;
    if (!layer || (layer->construct == &construct && layer->boundary == Boundary::kOutput)) continue;
    if (!found.insert(layer).second) continue;
    const std::vector<const TensorImpl*> more = needs(*layer);
    open.insert(open.end(), more.begin(), more.end());
  }
  return found;
}

}  // namespace

ir::Value* Body::bring(ir::Value* outer) {
  if (const auto it = twins.find(outer); it != twins.end()) return it->second;
  if (outer->constant()) return twins[outer] = graph->add_constant(*outer->constant(), outer->name());
  ir::Value* twin = graph->add_input(outer->name(), outer->type());
  twin->set_elements(outer->elements());
  captured.push_back(outer);
  return twins[outer] = twin;
}

Scope::Scope(Scope& outer, const Construct& construct, Body* body)
    : graph_(body ? *body->graph : outer.graph_), shared_(outer.shared_), outer_(&outer), body_(body) {
  find_inside(construct);
}

void Scope::find_inside(const Construct& construct) {
  const std::set<const LayerCore*> before = layers_before(construct);
  for (const LayerCore* layer : before)
    if (layer->construct == &construct && layer->boundary == Boundary::kInner) inside_.insert(layer);
  for (size_t count = 0; count != inside_.size();) {
    count = inside_.size();
    for (const LayerCore* layer : before) {
      const std::vector<const TensorImpl*> list = needs(*layer);
      if (std::any_of(list.begin(), list.end(),
                      [&](const TensorImpl* t) { return t && t->producer() && inside_.count(t->producer()); }))
        inside_.insert(layer);
    }
  }
}

ir::Value* Scope::outer_value(const TensorImpl& tensor) {
  ir::Value* value = outer_->value(tensor);
  return body_ ? body_->bring(value) : value;
}

ir::Value* Scope::value(const TensorImpl& tensor) {
  if (const auto it = values_.find(&tensor); it != values_.end()) return it->second;
  LayerCore* layer = tensor.producer();
  if (outer_ && (!layer || !inside_.count(layer))) return values_[&tensor] = outer_value(tensor);
  if (tensor.constant) return values_[&tensor] = graph_.add_constant(*tensor.constant, tensor.name());
  if (!layer) throw Error(Code::kInvalidGraph, "'" + tensor.name() + "' is no input of the network any more");
  if (!shared_->running.insert(layer).second)
    throw Error(Code::kInvalidGraph, "the network has a cycle through layer '" + layer->name + "'");
  shared_->lowered.insert(layer);
  try {
    if (layer->boundary == Boundary::kInner && !question_)
      throw Error(Code::kInvalidGraph, "a tensor of the inside of a loop or conditional is used outside")
          .remedy("return it with addLoopOutput or IIfConditional::addOutput");
    if (layer->boundary == Boundary::kOutput) lower_construct(*layer);
    else lower_layer(*layer);
  } catch (Error& e) {
    e.add_node(layer->name);
    throw;
  }
  shared_->running.erase(layer);
  return values_.at(&tensor);
}

void Scope::lower_layer(LayerCore& layer) {
  std::vector<ir::Value*> inputs;
  for (size_t i = 0; i < layer.inputs.size(); ++i) {
    if (!layer.inputs[i] && i < layer.required)
      throw Error(Code::kInvalidGraph, "input " + std::to_string(i) + " of the layer is missing")
          .remedy("give it with setInput");
    const bool skip = layer.boundary == Boundary::kInner && i > 0;
    inputs.push_back(layer.inputs[i] && !skip ? value(*layer.inputs[i]) : nullptr);
  }
  Lower lower(graph_, layer.name, std::move(inputs));
  const std::vector<ir::Value*> results = layer.lower(lower);
  for (size_t i = 0; i < layer.outputs.size(); ++i) {
    const auto type = layer.output_types.find(static_cast<int32_t>(i));
    values_[layer.outputs[i].get()] =
        type == layer.output_types.end() ? results.at(i) : lower.cast(results.at(i), type->second);
  }
}

void Scope::lower_construct(LayerCore& layer) {
  if (!shared_->running.insert(layer.construct).second)
    throw Error(Code::kInvalidGraph, "the network has a cycle through the loop or conditional of this layer");
  layer.construct->lower(*this);
  shared_->running.erase(layer.construct);
}

ir::Value* Lower::in(size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }

ir::Node* Lower::nodes(const char* op, std::vector<ir::Value*> inputs, Attributes attributes, int outputs) {
  return graph.add_node({.op = find_op(op),
                         .inputs = std::move(inputs),
                         .attributes = std::move(attributes),
                         .name = name_,
                         .origins = {name_},
                         .output_count = outputs,
                         .regions = {},
                         .output_names = {}});
}
ir::Value* Lower::node(const char* op, std::vector<ir::Value*> inputs, Attributes attributes) {
  return nodes(op, std::move(inputs), std::move(attributes), 1)->output();
}

ir::Value* Lower::weights(const nvinfer1::Weights& weights, Dims dims) {
  check_count(weights, element_count(dims), to_string(dims));
  return graph.add_constant(Tensor::borrow(from_nv(weights.type), std::move(dims), weights.values));
}
ir::Value* Lower::ints(const Ints& values) {
  return graph.add_constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}
ir::Value* Lower::like(ir::Value* value, double number) {
  return graph.add_constant(Tensor::scalar<float>(static_cast<float>(number)).cast(value->dtype()));
}
ir::Value* Lower::cast(ir::Value* value, DType type) {
  return value->dtype() == type ? value : node("Cast", {value}, {{"to", std::string(kiln::name(type))}});
}
ir::Value* Lower::reshaped(ir::Value* value, const Ints& dims) { return node("Reshape", {value, ints(dims)}); }
ir::Value* Lower::scalar(ir::Value* value) {
  return value->ranked() && value->rank() == 0 ? value : reshaped(value, {});
}
ir::Value* Lower::extent(ir::Value* value, int64_t axis) {
  return node("Gather", {node("Shape", {value}), graph.add_constant(Tensor::scalar<int64_t>(axis))},
              {{"axis", int64_t{0}}});
}

}  // namespace kiln::api
