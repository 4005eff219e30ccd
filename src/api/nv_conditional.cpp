// Conditionals.
#include "api/nv_network.h"
#include "api/nv_scope.h"

namespace kiln::api {
namespace {

using LayerType = nvinfer1::LayerType;

class ConditionalImpl;
template <class Interface, nvinfer1::LayerType kType>
class ConditionalBoundary : public BoundaryLayer<Interface, kType, ConditionalImpl> {
 public:
  using BoundaryLayer<Interface, kType, ConditionalImpl>::BoundaryLayer;
  nvinfer1::IIfConditional* getConditional() const noexcept override { return &this->owner_; }
};
class Condition final : public ConditionalBoundary<nvinfer1::IConditionLayer, LayerType::kCONDITION> {
 public:
  using ConditionalBoundary::ConditionalBoundary;
  std::vector<ir::Value*> lower(Lower&) const override { return {}; }
};
class ConditionalInput final
    : public ConditionalBoundary<nvinfer1::IIfConditionalInputLayer, LayerType::kCONDITIONAL_INPUT> {
 public:
  using ConditionalBoundary::ConditionalBoundary;
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.in(0)}; }  // for questions
};
class ConditionalOutput final
    : public ConditionalBoundary<nvinfer1::IIfConditionalOutputLayer, LayerType::kCONDITIONAL_OUTPUT> {
 public:
  using ConditionalBoundary::ConditionalBoundary;
  std::vector<ir::Value*> lower(Lower&) const override { return {}; }
};

class ConditionalImpl final : public nvinfer1::IIfConditional, public Construct {
 public:
  explicit ConditionalImpl(NetworkImpl& network) : network_(network) {}
  nvinfer1::IConditionLayer* setCondition(nvinfer1::ITensor& tensor) noexcept override {
    if (condition_) return condition_->setInput(0, tensor), condition_;
    network_.changed();
    return condition_ = network_.add(
               "Condition", {&tensor}, [&] { return std::make_unique<Condition>(*this, Boundary::kLimit); }, 0);
  }
  nvinfer1::IIfConditionalOutputLayer* addOutput(nvinfer1::ITensor& a, nvinfer1::ITensor& b) noexcept override {
    network_.changed();
    auto* layer = network_.add("Conditional Output", {&a, &b},
                               [&] { return std::make_unique<ConditionalOutput>(*this, Boundary::kOutput); });
    return layer && guarded(network_.reporter(), false, [&] { return outputs_.push_back(layer), true; }) ? layer
                                                                                                         : nullptr;
  }
  nvinfer1::IIfConditionalInputLayer* addInput(nvinfer1::ITensor& tensor) noexcept override {
    network_.changed();
    auto* layer = network_.add("Conditional Input", {&tensor},
                               [&] { return std::make_unique<ConditionalInput>(*this, Boundary::kInner); });
    return layer && guarded(network_.reporter(), false, [&] { return inputs_.push_back(layer), true; }) ? layer
                                                                                                        : nullptr;
  }
  void setName(char const* name) noexcept override { name_ = name ? name : ""; }
  char const* getName() const noexcept override { return name_.c_str(); }

  std::vector<const TensorImpl*> mentioned() const override {
    std::vector<const TensorImpl*> all;
    if (condition_) all = {condition_->inputs[0]};
    for (const auto* layer : inputs_) all.push_back(layer->inputs[0]);
    for (const auto* layer : outputs_) all.insert(all.end(), layer->inputs.begin(), layer->inputs.end());
    return all;
  }
  void lower(Scope& scope) override;

 private:
  NetworkImpl& network_;
  std::string name_ = "if";
  Condition* condition_ = nullptr;
  std::vector<ConditionalInput*> inputs_;
  std::vector<ConditionalOutput*> outputs_;
};

// Both branches take all that either uses from outside.
void ConditionalImpl::lower(Scope& scope) {
  if (!condition_)
    throw Error(Code::kInvalidGraph, "the conditional '" + name_ + "' has no condition")
        .remedy("give it with setCondition");
  std::vector<ir::Value*> inputs{Lower(scope.graph(), condition_->name).scalar(scope.value(*condition_->inputs[0]))};
  Body branches[2];
  for (size_t b = 0; b < 2; ++b) {
    Scope inside(scope, *this, &branches[b]);
    for (ir::Value* outer : branches[0].captured) branches[b].bring(outer);
    for (const ConditionalInput* in : inputs_) inside.define(*in->outputs[0], inside.outer_value(*in->inputs[0]));
    std::vector<ir::Value*> results;
    for (const ConditionalOutput* out : outputs_) results.push_back(inside.value(*out->inputs[b]));
    branches[b].graph->set_outputs(results);
  }
  for (ir::Value* outer : branches[1].captured) branches[0].bring(outer);
  inputs.insert(inputs.end(), branches[1].captured.begin(), branches[1].captured.end());
  ir::NodeSpec spec{.op = find_op("If"),
                    .inputs = std::move(inputs),
                    .attributes = {{"captures", static_cast<int64_t>(branches[1].captured.size())}},
                    .name = name_,
                    .origins = {name_},
                    .output_count = static_cast<int>(outputs_.size()),
                    .regions = {},
                    .output_names = {}};
  for (Body& branch : branches) spec.regions.push_back(std::move(branch.graph));
  const ir::Node* node = scope.graph().add_node(std::move(spec));
  for (size_t i = 0; i < outputs_.size(); ++i)
    scope.define(*outputs_[i]->outputs[0], node->output(static_cast<int>(i)));
}

}  // namespace

nvinfer1::IIfConditional* NetworkImpl::addIfConditional() noexcept {
  return guarded(reporter_, static_cast<nvinfer1::IIfConditional*>(nullptr),
                 [&] { return has_bodies_ = true, keep(std::make_unique<ConditionalImpl>(*this)); });
}

}  // namespace kiln::api
