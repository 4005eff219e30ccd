// Networks: inputs, outputs, questions about shapes, lowering.
#include "api/nv_network.h"

#include <algorithm>
#include <cstring>

namespace kiln::api {
namespace {

// The nearest of the interface's kinds for a node of an imported model.
nvinfer1::LayerType kind_of(const std::string& op) {
  using T = nvinfer1::LayerType;
  static const std::map<std::string, T> kinds = {{"Conv", T::kCONVOLUTION},
                                                 {"ConvTranspose", T::kDECONVOLUTION},
                                                 {"Cast", T::kCAST},
                                                 {"MaxPool", T::kPOOLING},
                                                 {"AveragePool", T::kPOOLING},
                                                 {"LRN", T::kLRN},
                                                 {"Softmax", T::kSOFTMAX},
                                                 {"Concat", T::kCONCATENATION},
                                                 {"Add", T::kELEMENTWISE},
                                                 {"Sub", T::kELEMENTWISE},
                                                 {"Mul", T::kELEMENTWISE},
                                                 {"Div", T::kELEMENTWISE},
                                                 {"Pow", T::kELEMENTWISE},
                                                 {"Min", T::kELEMENTWISE},
                                                 {"Max", T::kELEMENTWISE},
                                                 {"Relu", T::kACTIVATION},
                                                 {"Sigmoid", T::kACTIVATION},
                                                 {"Tanh", T::kACTIVATION},
                                                 {"LeakyRelu", T::kACTIVATION},
                                                 {"Elu", T::kACTIVATION},
                                                 {"Clip", T::kACTIVATION},
                                                 {"Gelu", T::kACTIVATION},
                                                 {"Exp", T::kUNARY},
                                                 {"Sqrt", T::kUNARY},
                                                 {"Erf", T::kUNARY},
                                                 {"Neg", T::kUNARY},
                                                 {"Abs", T::kUNARY},
                                                 {"Pad", T::kPADDING},
                                                 {"Reshape", T::kSHUFFLE},
                                                 {"Transpose", T::kSHUFFLE},
                                                 {"Flatten", T::kSHUFFLE},
                                                 {"Squeeze", T::kSQUEEZE},
                                                 {"Unsqueeze", T::kUNSQUEEZE},
                                                 {"ReduceMean", T::kREDUCE},
                                                 {"ReduceSum", T::kREDUCE},
                                                 {"ReduceMax", T::kREDUCE},
                                                 {"GlobalAveragePool", T::kREDUCE},
                                                 {"TopK", T::kTOPK},
                                                 {"Gather", T::kGATHER},
                                                 {"GatherElements", T::kGATHER},
                                                 {"GatherND", T::kGATHER},
                                                 {"MatMul", T::kMATRIX_MULTIPLY},
                                                 {"Gemm", T::kMATRIX_MULTIPLY},
                                                 {"Identity", T::kIDENTITY},
                                                 {"Slice", T::kSLICE},
                                                 {"Shape", T::kSHAPE},
                                                 {"PRelu", T::kPARAMETRIC_RELU},
                                                 {"Resize", T::kRESIZE},
                                                 {"Where", T::kSELECT},
                                                 {"QuantizeLinear", T::kQUANTIZE},
                                                 {"DequantizeLinear", T::kDEQUANTIZE},
                                                 {"Einsum", T::kEINSUM},
                                                 {"OneHot", T::kONE_HOT},
                                                 {"NonZero", T::kNON_ZERO},
                                                 {"LayerNormalization", T::kNORMALIZATION},
                                                 {"InstanceNormalization", T::kNORMALIZATION},
                                                 {"GroupNormalization", T::kNORMALIZATION},
                                                 {"BatchNormalization", T::kSCALE},
                                                 {"CumSum", T::kCUMULATIVE}};
  const auto it = kinds.find(op);
  return it == kinds.end() ? T::kPLUGIN_V3 : it->second;
}

// A node of an imported model.
class Imported final : public Layer<nvinfer1::ILayer, nvinfer1::LayerType::kPLUGIN_V3> {
 public:
  explicit Imported(const ir::Node& node) : node_(node) {}
  nvinfer1::LayerType getType() const noexcept override { return kind_of(node_.op_name()); }
  std::vector<ir::Value*> lower(Lower& l) const override {
    ir::NodeSpec spec{.op = &node_.op(),
                      .inputs = {},
                      .attributes = node_.attributes,
                      .name = name,
                      .origins = node_.origins,
                      .output_count = static_cast<int>(node_.outputs().size()),
                      .regions = {},
                      .output_names = {}};
    for (size_t i = 0; i < l.input_count(); ++i) spec.inputs.push_back(l.in(i));
    for (const auto& region : node_.regions) spec.regions.push_back(region->clone());
    for (const auto& output : outputs) spec.output_names.push_back(output->name());
    return l.graph.add_node(std::move(spec))->outputs();
  }

 private:
  const ir::Node& node_;
};

}  // namespace

void TensorImpl::setName(char const* name) noexcept {
  if (!name) return;
  guarded(network_.reporter(), false, [&] { return name_ = name, true; });
  network_.changed();
}

void TensorImpl::setDimensions(nvinfer1::Dims const& given) noexcept {
  if (!is_input)
    return network_.reporter().report(Code::kInvalidState, "setDimensions: the tensor is not an input of the network");
  guarded(network_.reporter(), false, [&] {
    Shape shape;
    for (size_t i = 0; const int64_t d : from_nv(given)) {
      if (d < -1)
        throw Error(Code::kInvalidArgument, "input '" + name_ + "' has a dimension of " + std::to_string(d))
            .remedy("give a size, or -1 for one that profiles bound");
      shape.push_back(d >= 0 ? Dim(d) : Dim::symbol(name_ + "." + std::to_string(i)));
      ++i;
    }
    dims = std::move(shape);
    return true;
  });
  network_.changed();
}

EdgeType TensorImpl::input_type() const {
  Shape shape = dims;
  for (const auto& [i, dim_name] : dim_names)
    if (i < static_cast<int32_t>(shape.size()) && !shape[static_cast<size_t>(i)].is_constant())
      shape[static_cast<size_t>(i)] = Dim::symbol(dim_name);
  EdgeType type;
  type.tensor = {dtype, std::move(shape), true};
  return type;
}

nvinfer1::Dims TensorImpl::getDimensions() const noexcept {
  const EdgeType* type = network_.type_of(*this);
  if (!type || !type->tensor.ranked) return unknown_dims();
  return guarded(network_.reporter(), unknown_dims(), [&] { return to_nv(type->tensor.shape); });
}

nvinfer1::DataType TensorImpl::getType() const noexcept {
  const EdgeType* type = network_.type_of(*this);
  return type ? guarded(network_.reporter(), nvinfer1::DataType::kFLOAT, [&] { return to_nv(type->tensor.dtype); })
              : nvinfer1::DataType::kFLOAT;
}

bool TensorImpl::isNetworkOutput() const noexcept { return network_.is_output(this); }

void TensorImpl::setDimensionName(int32_t index, char const* name) noexcept {
  if (!name || index < 0 || index >= nvinfer1::Dims::MAX_DIMS)
    return network_.reporter().report(Code::kInvalidArgument, "setDimensionName: the index is out of range");
  guarded(network_.reporter(), false, [&] { return dim_names[index] = name, true; });
  network_.changed();
}

char const* TensorImpl::getDimensionName(int32_t index) const noexcept {
  const auto it = dim_names.find(index);
  return it == dim_names.end() ? nullptr : it->second.c_str();
}

void set_layer_input(LayerCore& layer, int32_t index, nvinfer1::ITensor& tensor) noexcept {
  change_layer(layer, [&] {
    if (index < 0 || index >= nvinfer1::Dims::MAX_DIMS)
      throw Error(Code::kInvalidArgument, "layer '" + layer.name + "': there is no input " + std::to_string(index));
    auto& own = static_cast<TensorImpl&>(tensor);
    if (&own.network() != layer.network)
      throw Error(Code::kInvalidArgument, "tensor '" + own.name() + "' belongs to another network");
    if (layer.inputs.size() <= static_cast<size_t>(index)) layer.inputs.resize(static_cast<size_t>(index) + 1);
    layer.inputs[static_cast<size_t>(index)] = &own;
  });
}
void layer_changed(LayerCore& layer) noexcept { layer.network->layer_changed(layer); }
Reporter& reporter_of(const LayerCore& layer) { return layer.network->reporter(); }

nvinfer1::ITensor* NetworkImpl::addInput(char const* name, nvinfer1::DataType type,
                                         nvinfer1::Dims const& dims) noexcept {
  return guarded(reporter_, static_cast<nvinfer1::ITensor*>(nullptr), [&]() -> nvinfer1::ITensor* {
    if (!name || !*name) throw Error(Code::kInvalidArgument, "an input of a network needs a name");
    for (const auto& other : inputs_)
      if (other->name() == name)
        throw Error(Code::kInvalidArgument, std::string("the network has an input '") + name + "' already");
    if (dims.nbDims < 0 || dims.nbDims > nvinfer1::Dims::MAX_DIMS)
      throw Error(Code::kInvalidArgument,
                  std::string("input '") + name + "' has " + std::to_string(dims.nbDims) + " dimensions");
    for (int32_t i = 0; i < dims.nbDims; ++i)
      if (dims.d[i] < -1)
        throw Error(Code::kInvalidArgument,
                    std::string("input '") + name + "' has a dimension of " + std::to_string(dims.d[i]))
            .remedy("give a size, or -1 for one that profiles bound");
    auto tensor = std::make_unique<TensorImpl>(*this, name, nullptr, 0);
    tensor->is_input = true;
    tensor->dtype = from_nv(type);
    tensor->setDimensions(dims);
    return inputs_.emplace_back(std::move(tensor)).get();
  });
}

void NetworkImpl::markOutput(nvinfer1::ITensor& tensor) noexcept {
  guarded(reporter_, false, [&] {
    auto* own = static_cast<TensorImpl*>(&tensor);
    if (&own->network() != this)
      throw Error(Code::kInvalidArgument, "tensor '" + own->name() + "' belongs to another network");
    if (!is_output(own)) outputs_.push_back(own);
    return true;
  });
}

void NetworkImpl::unmarkOutput(nvinfer1::ITensor& tensor) noexcept {
  std::erase(outputs_, static_cast<TensorImpl*>(&tensor));
}
bool NetworkImpl::is_output(const TensorImpl* tensor) const {
  return std::find(outputs_.begin(), outputs_.end(), tensor) != outputs_.end();
}

// A layer that nobody has asked about yet is not in the draft.
void NetworkImpl::layer_changed(const LayerCore& layer) noexcept {
  if (!draft_) return;
  for (const auto& output : layer.outputs)
    if (draft_->values.count(output.get())) return changed();
}

void NetworkImpl::begin(Draft& draft) {
  for (const auto& input : inputs_)
    draft.values[input.get()] = draft.graph->add_input(input->name(), input->input_type());
}

ir::Value* NetworkImpl::value_of(Draft& draft, const TensorImpl& tensor) {
  if (const auto it = draft.values.find(&tensor); it != draft.values.end()) return it->second;
  if (tensor.constant) return draft.values[&tensor] = draft.graph->add_constant(*tensor.constant, tensor.name());
  if (!tensor.producer())
    throw Error(Code::kInvalidGraph, "input '" + tensor.name() + "' was added after the question");
  LayerCore& layer = *tensor.producer();
  if (!draft.running.insert(&layer).second)
    throw Error(Code::kInvalidGraph, "the network has a cycle through layer '" + layer.name + "'");
  std::vector<ir::Value*> inputs;
  for (const TensorImpl* input : layer.inputs) inputs.push_back(input ? value_of(draft, *input) : nullptr);
  try {
    Lower lower(*this, *draft.graph, layer, std::move(inputs));
    const std::vector<ir::Value*> values = layer.lower(lower);
    for (size_t i = 0; i < layer.outputs.size(); ++i) draft.values[layer.outputs[i].get()] = values.at(i);
  } catch (Error& e) {
    e.add_node(layer.name);
    throw;
  }
  draft.running.erase(&layer);
  return draft.values.at(&tensor);
}

const EdgeType* NetworkImpl::type_of(const TensorImpl& tensor) noexcept {
  const auto* type = guarded(reporter_, static_cast<const EdgeType*>(nullptr), [&]() -> const EdgeType* {
    if (!draft_ || (tensor.is_input && !draft_->values.count(&tensor))) {
      draft_ = std::make_unique<Draft>();
      begin(*draft_);
    }
    return &value_of(*draft_, tensor)->type();
  });
  if (!type) changed();
  return type;
}

std::unique_ptr<ir::Graph> NetworkImpl::lower() {
  if (outputs_.empty())
    throw Error(Code::kInvalidGraph, "the network has no output").remedy("mark one with markOutput");
  Draft draft;
  begin(draft);
  std::vector<ir::Value*> results;
  for (const TensorImpl* output : outputs_) {
    ir::Value* value = value_of(draft, *output);
    const bool shared =
        value->is_input() || value->constant() || std::find(results.begin(), results.end(), value) != results.end();
    if (shared)
      value = draft.graph
                  ->add_node({.op = find_op("Identity"),
                              .inputs = {value},
                              .attributes = {},
                              .name = output->name() + ".copy",
                              .origins = {},
                              .regions = {},
                              .output_names = {}})
                  ->output();
    results.push_back(value);
  }
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i]->name() != outputs_[i]->name()) {
      if (draft.graph->find_value(outputs_[i]->name()) && outputs_[i]->is_input)
        throw Error(Code::kInvalidGraph, "'" + outputs_[i]->name() + "' is both an input and an output")
            .remedy("add an identity layer");
      draft.graph->rename(results[i], outputs_[i]->name());
    }
  draft.graph->set_outputs(results);
  draft.graph->remove_dead();
  if (!name_.empty()) draft.graph->name = name_;
  return std::move(draft.graph);
}

void NetworkImpl::adopt(std::unique_ptr<ir::Graph> model) {
  if (!empty()) throw Error(Code::kInvalidState, "the parser needs an empty network").remedy("give it a new one");
  model_ = std::move(model);
  std::map<const ir::Value*, TensorImpl*> tensors;
  for (const ir::Value* v : model_->inputs()) {
    if (!v->is_tensor() || !v->ranked())
      throw Error(Code::kUnsupported,
                  "input '" + v->name() + "' is " + v->type().str() + "; an engine's inputs are tensors of known rank");
    auto tensor = std::make_unique<TensorImpl>(*this, v->name(), nullptr, 0);
    tensor->is_input = true;
    tensor->dtype = v->dtype();
    tensor->dims = v->shape();
    for (size_t i = 0; i < v->shape().size(); ++i)
      if (!v->shape()[i].is_constant()) tensor->dim_names[static_cast<int32_t>(i)] = v->shape()[i].str();
    tensors[v] = inputs_.emplace_back(std::move(tensor)).get();
  }
  for (const auto& v : model_->values())
    if (v->constant()) {
      auto tensor = std::make_unique<TensorImpl>(*this, v->name(), nullptr, 0);
      tensor->constant = v->constant();
      tensors[v.get()] = constants_.emplace_back(std::move(tensor)).get();
    }
  for (const auto& node : model_->nodes()) {
    auto* layer = take(std::make_unique<Imported>(*node), {}, "Imported", static_cast<int>(node->outputs().size()));
    layer->name = node->name();
    for (const ir::Value* v : node->inputs()) layer->inputs.push_back(v ? tensors.at(v) : nullptr);
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      const ir::Value* v = node->outputs()[i];
      if (!v) continue;
      layer->outputs[i]->setName(v->name().c_str());
      tensors[v] = layer->outputs[i].get();
    }
  }
  for (const ir::Value* v : model_->outputs()) outputs_.push_back(tensors.at(v));
  if (name_.empty()) name_ = model_->name;
}

ir::Value* Lower::in(size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }

ir::Node* Lower::nodes(const char* op, std::vector<ir::Value*> inputs, Attributes attributes, int outputs) {
  return graph.add_node({.op = find_op(op),
                         .inputs = std::move(inputs),
                         .attributes = std::move(attributes),
                         .name = layer_.name,
                         .origins = {layer_.name},
                         .output_count = outputs,
                         .regions = {},
                         .output_names = {}});
}
ir::Value* Lower::node(const char* op, std::vector<ir::Value*> inputs, Attributes attributes) {
  return nodes(op, std::move(inputs), std::move(attributes), 1)->output();
}

ir::Value* Lower::weights(const nvinfer1::Weights& weights, Dims dims) {
  const int64_t wanted = element_count(dims);
  if (weights.count != wanted || (!weights.values && wanted > 0))
    throw Error(Code::kInvalidArgument, "the layer has " + std::to_string(weights.count) + " weights" +
                                            (weights.values ? "" : " and no values"))
        .cause("it needs " + std::to_string(wanted) + ": " + to_string(dims));
  return graph.add_constant(Tensor::borrow(from_nv(weights.type), std::move(dims), weights.values));
}
ir::Value* Lower::ints(const Ints& values) {
  return graph.add_constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}
ir::Value* Lower::like(ir::Value* value, double number) {
  return graph.add_constant(Tensor::scalar<float>(static_cast<float>(number)).cast(value->dtype()));
}
ir::Value* Lower::as_int64(ir::Value* value) {
  return value->dtype() == DType::kI64 ? value : node("Cast", {value}, {{"to", std::string("int64")}});
}

}  // namespace kiln::api
