// Layers of an imported model.
#include <algorithm>

#include "api/nv_network.h"

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

// The elements of this input decide the shape of the result.
bool takes_shape(const std::string& op, size_t input) {
  static const std::map<std::string, std::set<size_t>> inputs = {{"ConstantOfShape", {0}},
                                                                 {"Expand", {1}},
                                                                 {"OneHot", {1}},
                                                                 {"Pad", {1, 3}},
                                                                 {"Range", {0, 1, 2}},
                                                                 {"Reshape", {1}},
                                                                 {"Split", {1}},
                                                                 {"Squeeze", {1}},
                                                                 {"Slice", {1, 2, 3, 4}},
                                                                 {"Resize", {2, 3}},
                                                                 {"Tile", {1}},
                                                                 {"TopK", {1}},
                                                                 {"Loop", {0}},
                                                                 {"Unsqueeze", {1}}};
  const auto it = inputs.find(op);
  return it != inputs.end() && it->second.count(input) > 0;
}

// A node of an imported model.
class Imported final : public Layer<nvinfer1::ILayer, nvinfer1::LayerType::kPLUGIN_V3> {
 public:
  explicit Imported(const ir::Node& node) : node_(node) {}
  nvinfer1::LayerType type() const override { return kind_of(node_.op_name()); }
  bool shapes_by(size_t input) const override { return takes_shape(node_.op_name(), input); }
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

}  // namespace kiln::api
