// Layers that compute: pointwise functions, reductions, products, normalisation.
#include <bit>

#include "api/nv_network.h"

namespace kiln::api {
namespace {

// The only axis in a mask.
int64_t one_axis(uint32_t mask, const char* layer) {
  if (std::popcount(mask) != 1)
    throw Error(Code::kUnsupported, std::string(layer) + " over " + std::to_string(std::popcount(mask)) + " axes")
        .remedy("set the bit of one axis");
  return std::countr_zero(mask);
}
Ints axes_of(uint32_t mask) {
  Ints axes;
  for (int64_t i = 0; i < 32; ++i)
    if (mask >> i & 1) axes.push_back(i);
  return axes;
}
// Name of an operator in a table by an enumerator's number.
template <class E, size_t kCount> const char* pick(const char* const (&names)[kCount], E value) {
  const auto i = static_cast<size_t>(value);
  if (i >= kCount)
    throw Error(Code::kInvalidArgument, "there is no operation " + std::to_string(static_cast<int32_t>(value)));
  return names[i];
}
// The axis that layers take when none is set.
int32_t usual_axis(const nvinfer1::ITensor& tensor) { return std::max(0, tensor.getDimensions().nbDims - 3); }

class Activation final : public Layer<nvinfer1::IActivationLayer, nvinfer1::LayerType::kACTIVATION> {
 public:
  void setActivationType(nvinfer1::ActivationType value) noexcept override { set(type, value); }
  nvinfer1::ActivationType getActivationType() const noexcept override { return type; }
  void setAlpha(float value) noexcept override { set(alpha, value); }
  float getAlpha() const noexcept override { return alpha; }
  void setBeta(float value) noexcept override { set(beta, value); }
  float getBeta() const noexcept override { return beta; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::ActivationType type{};
  float alpha = 0;
  float beta = 0;
};

std::vector<ir::Value*> Activation::lower(Lower& l) const {
  using T = nvinfer1::ActivationType;
  ir::Value* x = l.in(0);
  const Attributes none, with_alpha{{"alpha", double{alpha}}};
  switch (type) {
    case T::kRELU: return {l.node("Relu", {x})};
    case T::kSIGMOID: return {l.node("Sigmoid", {x})};
    case T::kTANH: return {l.node("Tanh", {x})};
    case T::kLEAKY_RELU: return {l.node("LeakyRelu", {x}, with_alpha)};
    case T::kELU: return {l.node("Elu", {x}, with_alpha)};
    case T::kSELU: return {l.node("Selu", {x}, {{"alpha", double{alpha}}, {"gamma", double{beta}}})};
    case T::kSOFTSIGN: return {l.node("Softsign", {x})};
    case T::kSOFTPLUS:
      return {l.node("Mul", {l.node("Softplus", {l.node("Mul", {x, l.like(x, beta)})}), l.like(x, alpha)})};
    case T::kCLIP: return {l.node("Clip", {x, l.like(x, alpha), l.like(x, beta)})};
    case T::kHARD_SIGMOID: return {l.node("HardSigmoid", {x}, {{"alpha", double{alpha}}, {"beta", double{beta}}})};
    case T::kSCALED_TANH:
      return {l.node("Mul", {l.node("Tanh", {l.node("Mul", {x, l.like(x, beta)})}), l.like(x, alpha)})};
    case T::kTHRESHOLDED_RELU: return {l.node("ThresholdedRelu", {x}, with_alpha)};
    case T::kGELU_ERF: return {l.node("Gelu", {x}, {{"approximate", std::string("none")}})};
    case T::kGELU_TANH: return {l.node("Gelu", {x}, {{"approximate", std::string("tanh")}})};
  }
  throw Error(Code::kInvalidArgument, "there is no activation " + std::to_string(static_cast<int32_t>(type)));
}

class ElementWise final : public Layer<nvinfer1::IElementWiseLayer, nvinfer1::LayerType::kELEMENTWISE> {
 public:
  void setOperation(nvinfer1::ElementWiseOperation value) noexcept override { set(operation, value); }
  nvinfer1::ElementWiseOperation getOperation() const noexcept override { return operation; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::ElementWiseOperation operation{};
};

std::vector<ir::Value*> ElementWise::lower(Lower& l) const {
  constexpr const char* kNames[] = {"Add", "Mul", "Max", "Min", "Sub",   "Div",     "Pow",
                                    "",    "And", "Or",  "Xor", "Equal", "Greater", "Less"};
  ir::Value *a = l.in(0), *b = l.in(1);
  if (a->ranked() && b->ranked() && a->rank() != b->rank())
    throw Error(Code::kShapeMismatch, "an elementwise layer on " + a->type().str() + " and " + b->type().str())
        .remedy("give tensors of equal rank");
  if (operation != nvinfer1::ElementWiseOperation::kFLOOR_DIV) return {l.node(pick(kNames, operation), {a, b})};
  if (is_float(a->dtype())) return {l.node("Floor", {l.node("Div", {a, b})})};
  return {l.node("Div", {l.node("Sub", {a, l.node("Mod", {a, b})}), b})};
}

class Unary final : public Layer<nvinfer1::IUnaryLayer, nvinfer1::LayerType::kUNARY> {
 public:
  void setOperation(nvinfer1::UnaryOperation value) noexcept override { set(operation, value); }
  nvinfer1::UnaryOperation getOperation() const noexcept override { return operation; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    constexpr const char* kNames[] = {"Exp",   "Log",  "Sqrt", "Reciprocal", "Abs",   "Neg",   "Sin",   "Cos",   "Tan",
                                      "Sinh",  "Cosh", "Asin", "Acos",       "Atan",  "Asinh", "Acosh", "Atanh", "Ceil",
                                      "Floor", "Erf",  "Not",  "Sign",       "Round", "IsInf", "IsNaN"};
    return {l.node(pick(kNames, operation), {l.in(0)})};
  }

  nvinfer1::UnaryOperation operation{};
};

class Scale final : public Layer<nvinfer1::IScaleLayer, nvinfer1::LayerType::kSCALE> {
 public:
  void setMode(nvinfer1::ScaleMode value) noexcept override { set(mode, value); }
  nvinfer1::ScaleMode getMode() const noexcept override { return mode; }
  void setShift(nvinfer1::Weights value) noexcept override { set(shift, value); }
  nvinfer1::Weights getShift() const noexcept override { return shift; }
  void setScale(nvinfer1::Weights value) noexcept override { set(scale, value); }
  nvinfer1::Weights getScale() const noexcept override { return scale; }
  void setPower(nvinfer1::Weights value) noexcept override { set(power, value); }
  nvinfer1::Weights getPower() const noexcept override { return power; }
  void setChannelAxis(int32_t value) noexcept override { set(axis, value); }
  int32_t getChannelAxis() const noexcept override { return axis; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    constexpr const char* kModes[] = {"uniform", "channel", "elementwise"};
    auto coefficient = [&](const nvinfer1::Weights& w) { return w.count > 0 ? l.weights(w, {w.count}) : nullptr; };
    return {l.node("Scale", {l.in(0), coefficient(shift), coefficient(scale), coefficient(power)},
                   {{"mode", std::string(pick(kModes, mode))}, {"channel_axis", int64_t{axis}}})};
  }

  nvinfer1::ScaleMode mode{};
  nvinfer1::Weights shift{nvinfer1::DataType::kFLOAT, nullptr, 0};
  nvinfer1::Weights scale{nvinfer1::DataType::kFLOAT, nullptr, 0};
  nvinfer1::Weights power{nvinfer1::DataType::kFLOAT, nullptr, 0};
  int32_t axis = 1;
};

class SoftMax final : public Layer<nvinfer1::ISoftMaxLayer, nvinfer1::LayerType::kSOFTMAX> {
 public:
  void setAxes(uint32_t value) noexcept override { set(axes, value); }
  uint32_t getAxes() const noexcept override { return axes; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("Softmax", {l.in(0)}, {{"axis", one_axis(axes, "softmax")}})};
  }

  uint32_t axes = 1;
};

class Reduce final : public Layer<nvinfer1::IReduceLayer, nvinfer1::LayerType::kREDUCE> {
 public:
  void setOperation(nvinfer1::ReduceOperation value) noexcept override { set(operation, value); }
  nvinfer1::ReduceOperation getOperation() const noexcept override { return operation; }
  void setReduceAxes(uint32_t value) noexcept override { set(axes, value); }
  uint32_t getReduceAxes() const noexcept override { return axes; }
  void setKeepDimensions(bool value) noexcept override { set(keep, value); }
  bool getKeepDimensions() const noexcept override { return keep; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    constexpr const char* kNames[] = {"ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean"};
    if (axes == 0) throw Error(Code::kInvalidArgument, "a reduction over no axis").remedy("set the bit of an axis");
    return {l.node(pick(kNames, operation), {l.in(0), l.ints(axes_of(axes))}, {{"keepdims", int64_t{keep}}})};
  }

  nvinfer1::ReduceOperation operation{};
  uint32_t axes = 0;
  bool keep = false;
};

class TopK final : public Layer<nvinfer1::ITopKLayer, nvinfer1::LayerType::kTOPK> {
 public:
  void setOperation(nvinfer1::TopKOperation value) noexcept override { set(operation, value); }
  nvinfer1::TopKOperation getOperation() const noexcept override { return operation; }
  void setK(int32_t value) noexcept override { set(k, value); }
  int32_t getK() const noexcept override { return k; }
  void setReduceAxes(uint32_t value) noexcept override { set(axes, value); }
  uint32_t getReduceAxes() const noexcept override { return axes; }
  bool setIndicesType(nvinfer1::DataType value) noexcept override { return set_index_type(indices, value); }
  nvinfer1::DataType getIndicesType() const noexcept override { return indices; }
  bool shapes_by(size_t input) const override { return input == 1; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    const Attributes a{{"axis", one_axis(axes, "top-k")},
                       {"largest", int64_t{operation == nvinfer1::TopKOperation::kMAX}}};
    ir::Value* count = l.in(1) ? l.node("Reshape", {l.as_int64(l.in(1)), l.ints({1})}) : l.ints({k});
    ir::Node* node = l.nodes("TopK", {l.in(0), count}, a, 2);
    return {node->output(0), l.cast(node->output(1), index_dtype(indices))};
  }

  nvinfer1::TopKOperation operation{};
  nvinfer1::DataType indices = nvinfer1::DataType::kINT32;
  int32_t k = 1;
  uint32_t axes = 1;
};

class MatrixMultiply final : public Layer<nvinfer1::IMatrixMultiplyLayer, nvinfer1::LayerType::kMATRIX_MULTIPLY> {
 public:
  void setOperation(int32_t i, nvinfer1::MatrixOperation value) noexcept override {
    if (i == 0 || i == 1) set(operations[i], value);
  }
  nvinfer1::MatrixOperation getOperation(int32_t i) const noexcept override { return operations[i == 1]; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::MatrixOperation operations[2];
};

std::vector<ir::Value*> MatrixMultiply::lower(Lower& l) const {
  using M = nvinfer1::MatrixOperation;
  ir::Value* operands[2] = {l.in(0), l.in(1)};
  Ints squeezed;
  for (int64_t i = 0; i < 2; ++i) {
    ir::Value*& v = operands[i];
    const int64_t rank = v->rank();
    if (rank < (operations[i] == M::kVECTOR ? 1 : 2))
      throw Error(Code::kShapeMismatch, "a matrix product with " + v->type().str());
    if (operations[i] == M::kVECTOR) {
      v = l.node("Unsqueeze", {v, l.ints({i == 0 ? rank - 1 : rank})});
      squeezed.push_back(i == 0 ? -2 : -1);
    } else if (operations[i] == M::kTRANSPOSE) {
      Ints order;
      for (int64_t d = 0; d < rank; ++d) order.push_back(d);
      std::swap(order[static_cast<size_t>(rank) - 1], order[static_cast<size_t>(rank) - 2]);
      v = l.node("Transpose", {v}, {{"perm", order}});
    }
  }
  ir::Value* product = l.node("MatMul", {operands[0], operands[1]});
  return {squeezed.empty() ? product : l.node("Squeeze", {product, l.ints(squeezed)})};
}

class Einsum final : public Layer<nvinfer1::IEinsumLayer, nvinfer1::LayerType::kEINSUM> {
 public:
  bool setEquation(char const* text) noexcept override {
    change([&] { equation = text ? text : ""; });
    return text != nullptr;
  }
  char const* getEquation() const noexcept override { return equation.c_str(); }
  std::string equation;
  std::vector<ir::Value*> lower(Lower& l) const override {
    std::vector<ir::Value*> inputs;
    for (size_t i = 0; i < l.input_count(); ++i) inputs.push_back(l.in(i));
    return {l.node("Einsum", inputs, {{"equation", equation}})};
  }
};

}  // namespace

using namespace nvinfer1;

IActivationLayer* NetworkImpl::addActivation(ITensor& input, ActivationType type) noexcept {
  return add("Activation", {&input}, [&] {
    auto layer = std::make_unique<Activation>();
    layer->type = known(type);
    const bool selu = type == ActivationType::kSELU, hard = type == ActivationType::kHARD_SIGMOID;
    layer->alpha = selu                                  ? 1.67326319F
                   : hard                                ? 0.2F
                   : type == ActivationType::kLEAKY_RELU ? 0.01F
                   : type == ActivationType::kCLIP       ? 0.F
                                                         : 1.F;
    layer->beta = selu ? 1.05070102F : hard ? 0.5F : 1.F;
    return layer;
  });
}
IElementWiseLayer* NetworkImpl::addElementWise(ITensor& a, ITensor& b, ElementWiseOperation op) noexcept {
  return add("ElementWise", {&a, &b}, [&] {
    auto layer = std::make_unique<ElementWise>();
    layer->operation = known(op);
    return layer;
  });
}
IUnaryLayer* NetworkImpl::addUnary(ITensor& input, UnaryOperation op) noexcept {
  return add("Unary", {&input}, [&] {
    auto layer = std::make_unique<Unary>();
    layer->operation = known(op);
    return layer;
  });
}
IScaleLayer* NetworkImpl::addScale(ITensor& input, ScaleMode mode, Weights shift, Weights scale,
                                   Weights power) noexcept {
  return addScaleNd(input, mode, shift, scale, power, 1);
}
IScaleLayer* NetworkImpl::addScaleNd(ITensor& input, ScaleMode mode, Weights shift, Weights scale, Weights power,
                                     int32_t axis) noexcept {
  return add("Scale", {&input}, [&] {
    auto layer = std::make_unique<Scale>();
    layer->mode = known(mode), layer->shift = shift, layer->scale = scale, layer->power = power, layer->axis = axis;
    return layer;
  });
}
ISoftMaxLayer* NetworkImpl::addSoftMax(ITensor& input) noexcept {
  return add("Softmax", {&input}, [&] {
    auto layer = std::make_unique<SoftMax>();
    layer->axes = 1U << usual_axis(input);
    return layer;
  });
}
IReduceLayer* NetworkImpl::addReduce(ITensor& input, ReduceOperation op, uint32_t axes, bool keep) noexcept {
  return add("Reduce", {&input}, [&] {
    auto layer = std::make_unique<Reduce>();
    layer->operation = known(op), layer->axes = axes, layer->keep = keep;
    return layer;
  });
}
ITopKLayer* NetworkImpl::addTopK(ITensor& input, TopKOperation op, int32_t k, uint32_t axes,
                                 DataType indices) noexcept {
  return add(
      "TopK", {&input},
      [&] {
        auto layer = std::make_unique<TopK>();
        layer->operation = known(op), layer->k = k, layer->axes = axes, layer->indices = indices;
        return layer;
      },
      2);
}
IMatrixMultiplyLayer* NetworkImpl::addMatrixMultiply(ITensor& a, MatrixOperation op_a, ITensor& b,
                                                     MatrixOperation op_b) noexcept {
  return add("Matrix Multiply", {&a, &b}, [&] {
    auto layer = std::make_unique<MatrixMultiply>();
    layer->operations[0] = known(op_a), layer->operations[1] = known(op_b);
    return layer;
  });
}
IEinsumLayer* NetworkImpl::addEinsum(ITensor* const* inputs, int32_t count, char const* equation) noexcept {
  return add("Einsum", list_of(inputs, count), [&] {
    auto layer = std::make_unique<Einsum>();
    layer->equation = equation ? equation : "";
    return layer;
  });
}
}  // namespace kiln::api
