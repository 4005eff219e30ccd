// Networks: inputs, outputs, questions about shapes, lowering.
#include "api/nv_network.h"

#include <algorithm>

#include "api/nv_scope.h"
#include "base/index.h"
#include "plan/plan.h"

namespace kiln::api {
namespace {

TensorImpl* const kNoTensor = nullptr;

std::vector<Dim> element_symbols(const TensorImpl& input) {
  std::vector<Dim> symbols;
  const int64_t count = element_count(input.dims).constant().value_or(0);
  for (int64_t i = 0; i < count; ++i) symbols.push_back(Dim::symbol(plan::value_symbol(input.name(), i)));
  return symbols;
}

}  // namespace

void set_layer_input(LayerCore& layer, int32_t index, nvinfer1::ITensor& tensor) noexcept {
  change_layer(layer, [&] {
    if (index < 0 || index >= nvinfer1::Dims::MAX_DIMS)
      throw Error(Code::kInvalidArgument, "layer '" + layer.name + "': there is no input " + std::to_string(index));
    auto& own = static_cast<TensorImpl&>(tensor);
    if (&own.network() != layer.network)
      throw Error(Code::kInvalidArgument, "tensor '" + own.name() + "' belongs to another network");
    if (layer.inputs.size() <= static_cast<size_t>(index)) layer.inputs.resize(static_cast<size_t>(index) + 1);
    nth(layer.inputs, index) = &own;
  });
}
void set_output_type(LayerCore& layer, int32_t index, nvinfer1::DataType type) noexcept {
  change_layer(layer, [&] {
    if (index < 0 || static_cast<size_t>(index) >= layer.outputs.size())
      throw Error(Code::kInvalidArgument,
                  "setOutputType: layer '" + layer.name + "' has no output " + std::to_string(index));
    if (layer.boundary != Boundary::kNone)
      throw Error(Code::kUnsupported,
                  "setOutputType: layer '" + layer.name + "' is at the boundary of a loop or conditional")
          .remedy("add a cast layer");
    layer.output_types[index] = from_nv(type);
  });
}
void layer_changed(LayerCore& layer) noexcept { layer.network->layer_changed(layer); }
void check_count(const nvinfer1::Weights& weights, int64_t wanted, const std::string& what) {
  if (weights.count == wanted && (weights.values || wanted == 0)) return;
  throw Error(Code::kInvalidArgument,
              "the layer has " + std::to_string(weights.count) + " weights" + (weights.values ? "" : " and no values"))
      .cause("it needs " + std::to_string(wanted) + ": " + what)
      .remedy("give Weights whose count is the number of elements and whose values point at them");
}
DType index_dtype(nvinfer1::DataType type) {
  if (type == nvinfer1::DataType::kINT32 || type == nvinfer1::DataType::kINT64) return from_nv(type);
  throw Error(Code::kInvalidArgument, "indices cannot be of type " + std::to_string(static_cast<int32_t>(type)))
      .remedy("use DataType::kINT32 or kINT64");
}
Reporter& reporter_of(const LayerCore& layer) { return layer.network->reporter(); }

nvinfer1::ITensor* NetworkImpl::addInput(char const* name, nvinfer1::DataType type,
                                         nvinfer1::Dims const& dims) noexcept {
  return guarded(reporter_, static_cast<nvinfer1::ITensor*>(nullptr), [&]() -> nvinfer1::ITensor* {
    if (!name || !*name) throw Error(Code::kInvalidArgument, "an input of a network needs a name");
    check_name(name);
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

void NetworkImpl::check_own(const TensorImpl& tensor) const {
  if (&tensor.network() != this)
    throw Error(Code::kInvalidArgument, "tensor '" + tensor.name() + "' belongs to another network");
}

bool NetworkImpl::markDebug(nvinfer1::ITensor& tensor) noexcept {
  return guarded(reporter_, false, [&] {
    auto* own = static_cast<TensorImpl*>(&tensor);
    check_own(*own);
    if (own->is_input)
      throw Error(Code::kInvalidArgument, "markDebug: '" + own->name() + "' is an input, which the caller knows");
    if (!isDebugTensor(tensor)) debug_.push_back(own);
    return true;
  });
}

bool NetworkImpl::unmarkDebug(nvinfer1::ITensor& tensor) noexcept {
  return std::erase(debug_, static_cast<TensorImpl*>(&tensor)) > 0;
}

bool NetworkImpl::isDebugTensor(nvinfer1::ITensor const& tensor) const noexcept {
  return std::find(debug_.begin(), debug_.end(), static_cast<const TensorImpl*>(&tensor)) != debug_.end();
}

void NetworkImpl::markOutput(nvinfer1::ITensor& tensor) noexcept {
  guarded(reporter_, false, [&] {
    auto* own = static_cast<TensorImpl*>(&tensor);
    check_own(*own);
    if (!is_output(own)) outputs_.push_back(own);
    return true;
  });
}

void NetworkImpl::unmarkOutput(nvinfer1::ITensor& tensor) noexcept {
  std::erase(outputs_, static_cast<TensorImpl*>(&tensor));
}

void NetworkImpl::removeTensor(nvinfer1::ITensor& tensor) noexcept {
  auto* own = static_cast<TensorImpl*>(&tensor);
  guarded(reporter_, false, [&] {
    check_own(*own);
    std::erase(outputs_, own);
    std::erase(debug_, own);
    for (const auto& layer : layers_) std::replace(layer->inputs.begin(), layer->inputs.end(), own, kNoTensor);
    const auto at = std::find_if(inputs_.begin(), inputs_.end(), [&](const auto& input) { return input.get() == own; });
    if (at == inputs_.end()) return true;
    own->is_input = false;
    removed_.push_back(std::move(*at));
    inputs_.erase(at);
    return true;
  });
  changed();
}

bool NetworkImpl::is_output(const TensorImpl* tensor) const {
  return std::find(outputs_.begin(), outputs_.end(), tensor) != outputs_.end();
}

// Whether a layer takes shapes from it, as it is or after computing with its elements.
bool NetworkImpl::decides_shapes(const TensorImpl& tensor) const {
  std::set<const TensorImpl*> found;
  std::vector<const TensorImpl*> open;
  auto reach = [&](const TensorImpl* t) {
    if (t && found.insert(t).second) open.push_back(t);
  };
  for (const auto& layer : layers_)
    for (size_t i = 0; i < layer->inputs.size(); ++i)
      if (layer->shapes_by(i)) reach(layer->inputs[i]);
  while (!open.empty() && !found.count(&tensor)) {
    const LayerCore* layer = open.back()->producer();
    open.pop_back();
    if (layer && layer->type() != nvinfer1::LayerType::kSHAPE)
      for (const TensorImpl* input : layer->inputs) reach(input);
  }
  return found.count(&tensor) && (!tensor.is_input || is_integer(tensor.dtype) || tensor.dtype == DType::kBool);
}

// A graph for questions about types and shapes.
struct NetworkImpl::Draft {
  explicit Draft(bool is_question) : scope(*graph, is_question), question(is_question) {}
  std::unique_ptr<ir::Graph> graph = std::make_unique<ir::Graph>();
  Scope scope;
  bool question;
};

NetworkImpl::NetworkImpl(nvinfer1::IBuilder& builder, const Reporter& reporter,
                         nvinfer1::NetworkDefinitionCreationFlags flags)
    : builder_(builder), reporter_(reporter), flags_(flags) {}
NetworkImpl::~NetworkImpl() noexcept = default;
void NetworkImpl::changed() noexcept { draft_.reset(); }

// A layer that nobody has asked about yet is not in the draft.
void NetworkImpl::layer_changed(const LayerCore& layer) noexcept {
  if (draft_ && draft_->scope.lowered(layer)) changed();
}

void NetworkImpl::begin(Draft& draft, const std::set<std::string>& valued) {
  for (const std::string& name : valued) {
    const auto at =
        std::find_if(inputs_.begin(), inputs_.end(), [&](const auto& input) { return input->name() == name; });
    const bool fits = at != inputs_.end() && ((*at)->dtype == DType::kI32 || (*at)->dtype == DType::kI64) &&
                      element_count((*at)->dims).is_constant();
    if (!fits)
      throw Error(Code::kInvalidArgument, "a profile bounds the values of '" + name + "'")
          .cause("that is no input, or not INT32 or INT64, or of dynamic shape");
  }
  for (const auto& input : inputs_) {
    EdgeType type = input->input_type();
    if (input->io_type != DType::kInvalid) type.tensor.dtype = input->io_type;
    ir::Value* value = draft.graph->add_input(input->name(), type);
    if (valued.count(input->name())) value->set_elements(element_symbols(*input));
    if (!draft.question) value->layout = input->layout(value->dtype(), value->shape().size());
    draft.scope.define(*input, Lower(*draft.graph, input->name()).cast(value, input->dtype));
  }
}

// Lowers what these depend on in the order in which it was added: asking for the last layer of a deep network alone would nest as
// deep as the network.
void NetworkImpl::lower_in_order(Draft& draft, std::vector<const TensorImpl*> wanted) {
  if (has_bodies_) return;
  std::set<const LayerCore*> needed;
  while (!wanted.empty()) {
    const TensorImpl* tensor = wanted.back();
    wanted.pop_back();
    const LayerCore* layer = tensor && !draft.scope.knows(*tensor) ? tensor->producer() : nullptr;
    if (layer && needed.insert(layer).second) wanted.insert(wanted.end(), layer->inputs.begin(), layer->inputs.end());
  }
  constexpr size_t kShallow = 100;
  for (size_t i = 0; needed.size() > kShallow && i < layers_.size(); ++i)
    if (needed.erase(layers_[i].get()) && !layers_[i]->outputs.empty())
      static_cast<void>(draft.scope.value(*layers_[i]->outputs[0]));
}

const EdgeType* NetworkImpl::type_of(const TensorImpl& tensor) noexcept {
  const auto* type = guarded(reporter_, static_cast<const EdgeType*>(nullptr), [&]() -> const EdgeType* {
    if (!draft_ || (tensor.is_input && !draft_->scope.knows(tensor))) {
      draft_ = std::make_unique<Draft>(true);
      begin(*draft_, {});
    }
    lower_in_order(*draft_, {&tensor});
    return &draft_->scope.value(tensor)->type();
  });
  if (!type) changed();
  return type;
}

// The tensor's value as a result that no other result shares.
ir::Value* NetworkImpl::result_of(Draft& draft, const TensorImpl& tensor, const std::vector<ir::Value*>& others) {
  ir::Value* value = draft.scope.value(tensor);
  if (tensor.io_type != DType::kInvalid && !tensor.is_input)
    value = Lower(*draft.graph, tensor.name()).cast(value, tensor.io_type);
  const bool shared =
      value->is_input() || value->constant() || std::find(others.begin(), others.end(), value) != others.end();
  if (!shared) return value;
  return draft.graph
      ->add_node({.op = find_op("Identity"),
                  .inputs = {value},
                  .attributes = {},
                  .name = tensor.name() + ".copy",
                  .origins = {},
                  .regions = {},
                  .output_names = {}})
      ->output();
}

// Debug tensors and the conditions of assertions.
void NetworkImpl::watch_all(Draft& draft, std::vector<ir::Value*>& results, Lowered& lowered) {
  for (const TensorImpl* tensor : debug_) {
    const auto marked = std::find(outputs_.begin(), outputs_.end(), tensor);
    lowered.watched.push_back({static_cast<size_t>(marked - outputs_.begin()), plan::Watch::kShown, "", ""});
    if (marked != outputs_.end()) continue;
    lowered.watched.back().output = results.size();
    results.push_back(result_of(draft, *tensor, results));
    draft.graph->rename(results.back(), tensor->name());
  }
  for (const auto& layer : layers_) {
    if (!layer->assertion()) continue;
    if (layer->inputs.empty() || !layer->inputs[0])
      throw Error(Code::kInvalidGraph, "the condition of the assertion is missing").node(layer->name);
    ir::Value* condition = draft.scope.value(*layer->inputs[0]);
    if (condition->dtype() != DType::kBool)
      throw Error(Code::kTypeMismatch, "the condition of an assertion is " + condition->type().str())
          .node(layer->name)
          .remedy("give a tensor of type kBOOL");
    auto at = std::find(results.begin(), results.end(), condition);
    if (at == results.end()) at = results.insert(at, result_of(draft, *layer->inputs[0], results));
    lowered.watched.push_back(
        {static_cast<size_t>(at - results.begin()), plan::Watch::kRequired, layer->name, *layer->assertion()});
  }
}

// A value that several tensors are has the name of the first.
void NetworkImpl::name_values(Draft& draft, Lowered& lowered) const {
  const auto name = [&](const TensorImpl& tensor) {
    if (!draft.scope.knows(tensor)) return;
    ir::Value* value = draft.scope.value(tensor);
    if (value->producer() && !draft.graph->find_value(tensor.name())) draft.graph->rename(value, tensor.name());
    if (const auto reach = tensor.reach()) lowered.ranges[value->name()] = *reach;
  };
  for (const auto& input : inputs_) name(*input);
  for (const auto& layer : layers_)
    for (const auto& output : layer->outputs) name(*output);
}

NetworkImpl::Lowered NetworkImpl::lower(const std::set<std::string>& valued, bool named) {
  if (outputs_.empty())
    throw Error(Code::kInvalidGraph, "the network has no output").remedy("mark one with markOutput");
  Draft draft(false);
  begin(draft, valued);
  lower_in_order(draft, {outputs_.begin(), outputs_.end()});
  std::vector<ir::Value*> results;
  for (const TensorImpl* output : outputs_) results.push_back(result_of(draft, *output, results));
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i]->name() != outputs_[i]->name()) {
      if (draft.graph->find_value(outputs_[i]->name()) && outputs_[i]->is_input)
        throw Error(Code::kInvalidGraph, "'" + outputs_[i]->name() + "' is both an input and an output")
            .remedy("add an identity layer");
      draft.graph->rename(results[i], outputs_[i]->name());
    }
  Lowered lowered;
  lowered.returned = results.size();
  for (size_t i = 0; i < results.size(); ++i)
    lowered.layouts.push_back(outputs_[i]->layout(results[i]->dtype(), results[i]->shape().size()));
  watch_all(draft, results, lowered);
  if (named) name_values(draft, lowered);
  draft.graph->set_outputs(results);
  draft.graph->remove_dead();
  if (!name_.empty()) draft.graph->name = name_;
  lowered.graph = std::move(draft.graph);
  return lowered;
}

}  // namespace kiln::api
