// Layers that move data: shapes, joining, choosing, constants, conversions.
#include <algorithm>

#include "api/nv_network.h"

namespace kiln::api {
namespace {

class Assertion final : public Layer<nvinfer1::IAssertionLayer, nvinfer1::LayerType::kASSERTION> {
 public:
  void setMessage(char const* text) noexcept override { set(message, std::string(text ? text : "")); }
  char const* getMessage() const noexcept override { return message.c_str(); }
  const std::string* assertion() const override { return &message; }
  std::vector<ir::Value*> lower(Lower&) const override { return {}; }

  std::string message;
};

class Concatenation final : public Layer<nvinfer1::IConcatenationLayer, nvinfer1::LayerType::kCONCATENATION> {
 public:
  void setAxis(int32_t value) noexcept override { set(axis, value); }
  int32_t getAxis() const noexcept override { return axis; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    std::vector<ir::Value*> inputs;
    for (size_t i = 0; i < l.input_count(); ++i) inputs.push_back(l.in(i));
    return {l.node("Concat", inputs, {{"axis", int64_t{axis}}})};
  }

  int32_t axis = 0;
};

class Shuffle final : public Layer<nvinfer1::IShuffleLayer, nvinfer1::LayerType::kSHUFFLE> {
 public:
  void setFirstTranspose(nvinfer1::Permutation value) noexcept override { set(first, value); }
  nvinfer1::Permutation getFirstTranspose() const noexcept override { return first; }
  void setReshapeDimensions(nvinfer1::Dims const& value) noexcept override { set(dims, value); }
  nvinfer1::Dims getReshapeDimensions() const noexcept override { return dims; }
  void setSecondTranspose(nvinfer1::Permutation value) noexcept override { set(second, value); }
  nvinfer1::Permutation getSecondTranspose() const noexcept override { return second; }
  void setZeroIsPlaceholder(bool value) noexcept override { set(zero_copies, value); }
  bool getZeroIsPlaceholder() const noexcept override { return zero_copies; }
  bool shapes_by(size_t input) const override { return input == 1; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::Permutation first{{0, 1, 2, 3, 4, 5, 6, 7}};
  nvinfer1::Dims dims{-1, {}};
  nvinfer1::Permutation second{{0, 1, 2, 3, 4, 5, 6, 7}};
  bool zero_copies = true;
};

ir::Value* transposed(Lower& l, ir::Value* x, const nvinfer1::Permutation& permutation) {
  const Ints order(permutation.order, permutation.order + std::min<int64_t>(x->rank(), nvinfer1::Dims::MAX_DIMS));
  return std::is_sorted(order.begin(), order.end()) ? x : l.node("Transpose", {x}, {{"perm", order}});
}

std::vector<ir::Value*> Shuffle::lower(Lower& l) const {
  ir::Value* x = transposed(l, l.in(0), first);
  ir::Value* shape = l.in(1) ? l.as_int64(l.in(1)) : dims.nbDims >= 0 ? l.ints(from_nv(dims)) : nullptr;
  if (shape) x = l.node("Reshape", {x, shape}, {{"allowzero", int64_t{!zero_copies}}});
  x = transposed(l, x, second);
  return {x == l.in(0) ? l.node("Identity", {x}) : x};
}

class ShapeOf final : public Layer<nvinfer1::IShapeLayer, nvinfer1::LayerType::kSHAPE> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.node("Shape", {l.in(0)})}; }
};

class Constant final : public Layer<nvinfer1::IConstantLayer, nvinfer1::LayerType::kCONSTANT> {
 public:
  void setWeights(nvinfer1::Weights value) noexcept override { set(weights, value); }
  nvinfer1::Weights getWeights() const noexcept override { return weights; }
  void setDimensions(nvinfer1::Dims const& value) noexcept override { set(dims, value); }
  nvinfer1::Dims getDimensions() const noexcept override { return dims; }
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.weights(weights, from_nv(dims))}; }

  nvinfer1::Weights weights;
  nvinfer1::Dims dims;
};

class Identity final : public Layer<nvinfer1::IIdentityLayer, nvinfer1::LayerType::kIDENTITY> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.node("Identity", {l.in(0)})}; }
};

class Cast final : public Layer<nvinfer1::ICastLayer, nvinfer1::LayerType::kCAST> {
 public:
  void setToType(nvinfer1::DataType value) noexcept override { set(type, value); }
  nvinfer1::DataType getToType() const noexcept override { return type; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("Cast", {l.in(0)}, {{"to", std::string(kiln::name(from_nv(type)))}})};
  }

  nvinfer1::DataType type{};
};

class ParametricRelu final : public Layer<nvinfer1::IParametricReLULayer, nvinfer1::LayerType::kPARAMETRIC_RELU> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.node("PRelu", {l.in(0), l.in(1)})}; }
};

class Select final : public Layer<nvinfer1::ISelectLayer, nvinfer1::LayerType::kSELECT> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.node("Where", {l.in(0), l.in(1), l.in(2)})}; }
};

class Squeeze final : public Layer<nvinfer1::ISqueezeLayer, nvinfer1::LayerType::kSQUEEZE> {
 public:
  bool shapes_by(size_t input) const override { return input == 1; }
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.node("Squeeze", {l.in(0), l.as_int64(l.in(1))})}; }
};

class Unsqueeze final : public Layer<nvinfer1::IUnsqueezeLayer, nvinfer1::LayerType::kUNSQUEEZE> {
 public:
  bool shapes_by(size_t input) const override { return input == 1; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("Unsqueeze", {l.in(0), l.as_int64(l.in(1))})};
  }
};

}  // namespace

using namespace nvinfer1;

IAssertionLayer* NetworkImpl::addAssertion(ITensor& condition, char const* message) noexcept {
  return add(
      "Assertion", {&condition},
      [&] {
        auto layer = std::make_unique<Assertion>();
        layer->message = message ? message : "";
        return layer;
      },
      0);
}
IConcatenationLayer* NetworkImpl::addConcatenation(ITensor* const* inputs, int32_t count) noexcept {
  return add("Concatenation", list_of(inputs, count), [&] {
    auto layer = std::make_unique<Concatenation>();
    layer->axis = inputs && count > 0 && inputs[0] ? std::max(0, inputs[0]->getDimensions().nbDims - 3) : 0;
    return layer;
  });
}
IShuffleLayer* NetworkImpl::addShuffle(ITensor& input) noexcept {
  return add("Shuffle", {&input}, [] { return std::make_unique<Shuffle>(); });
}
IShapeLayer* NetworkImpl::addShape(ITensor& input) noexcept {
  return add("Shape", {&input}, [] { return std::make_unique<ShapeOf>(); });
}
IConstantLayer* NetworkImpl::addConstant(nvinfer1::Dims const& dims, Weights weights) noexcept {
  return add("Constant", {}, [&] {
    auto layer = std::make_unique<Constant>();
    layer->dims = dims, layer->weights = weights;
    const auto wanted = checked_element_count(from_nv(dims));
    if (!wanted) throw Error(Code::kOverflow, "a constant of dimensions " + to_string(from_nv(dims)) + " is too large");
    check_count(weights, *wanted, to_string(from_nv(dims)));
    return layer;
  });
}
IIdentityLayer* NetworkImpl::addIdentity(ITensor& input) noexcept {
  return add("Identity", {&input}, [] { return std::make_unique<Identity>(); });
}
ICastLayer* NetworkImpl::addCast(ITensor& input, DataType type) noexcept {
  return add("Cast", {&input}, [&] {
    auto layer = std::make_unique<Cast>();
    layer->type = type;
    return layer;
  });
}
IParametricReLULayer* NetworkImpl::addParametricReLU(ITensor& input, ITensor& slope) noexcept {
  return add("Parametric ReLU", {&input, &slope}, [] { return std::make_unique<ParametricRelu>(); });
}
ISelectLayer* NetworkImpl::addSelect(ITensor& condition, ITensor& a, ITensor& b) noexcept {
  return add("Select", {&condition, &a, &b}, [] { return std::make_unique<Select>(); });
}
ISqueezeLayer* NetworkImpl::addSqueeze(ITensor& input, ITensor& axes) noexcept {
  return add("Squeeze", {&input, &axes}, [] { return std::make_unique<Squeeze>(); });
}
IUnsqueezeLayer* NetworkImpl::addUnsqueeze(ITensor& input, ITensor& axes) noexcept {
  return add("Unsqueeze", {&input, &axes}, [] { return std::make_unique<Unsqueeze>(); });
}

}  // namespace kiln::api
