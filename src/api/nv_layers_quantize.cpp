// Quantise and dequantise.
#include "api/nv_network.h"

namespace kiln::api {
namespace {

// Where scales lie: one, one per index of an axis, or one per block.
struct Granularity {
  Attributes attributes(const ir::Value* x, const ir::Value* scale) const;
  int32_t axis = -1;
  nvinfer1::Dims block{-1, {}};

 private:
  void set_blocks(Attributes& a, const ir::Value* x, const ir::Value* scale) const;
};

void Granularity::set_blocks(Attributes& a, const ir::Value* x, const ir::Value* scale) const {
  auto refuse = [&](const char* cause) {
    return Error(Code::kUnsupported, "blocks of " + x->type().str() + " with scales " + scale->type().str())
        .cause(cause)
        .remedy("let one axis be cut into blocks of equal size");
  };
  if (block.nbDims >= 0 && block.nbDims != x->rank()) throw refuse("the block's rank is another");
  std::optional<size_t> cut;
  for (size_t i = 0; i < x->shape().size(); ++i) {
    const bool cuts = block.nbDims >= 0 ? block.d[i] != 1 : !(x->shape()[i] == scale->shape()[i]);
    if (cuts && cut) throw refuse("more than one axis is cut");
    if (cuts) cut = i;
  }
  if (!cut) cut = x->shape().size() - 1;
  const auto whole = x->shape()[*cut].constant(), parts = scale->shape()[*cut].constant();
  if (!whole || !parts || *parts < 1) throw refuse("the axis that is cut has no fixed size");
  const int64_t size = block.nbDims >= 0 && block.d[*cut] > 0 ? block.d[*cut] : (*whole + *parts - 1) / *parts;
  a.set("axis", static_cast<int64_t>(*cut));
  a.set("block_size", size);
}

Attributes Granularity::attributes(const ir::Value* x, const ir::Value* scale) const {
  Attributes a{{"axis", int64_t{axis}}};
  if (element_count(scale->shape()) == Dim(1)) return a;
  if (x->rank() > 1 && scale->rank() == x->rank()) set_blocks(a, x, scale);
  else if (axis < 0 || axis >= x->rank())
    throw Error(Code::kInvalidArgument,
                "scales " + scale->type().str() + " along axis " + std::to_string(axis) + " of " + x->type().str())
        .remedy("set the axis with setAxis");
  return a;
}

void check_zero_point(const ir::Value* zero) {
  if (!zero) return;
  const Tensor* values = zero->constant();
  for (int64_t i = 0; values && i < values->size(); ++i)
    if (values->at(i) != 0)
      throw Error(Code::kUnsupported, "a zero point that is not zero").remedy("quantise symmetrically");
  if (!values) throw Error(Code::kUnsupported, "a zero point that is computed").remedy("leave input 2 out");
}

template <class Interface, nvinfer1::LayerType kType> class QuantizationLayer : public Layer<Interface, kType> {
 public:
  int32_t getAxis() const noexcept override { return granularity.axis; }
  void setAxis(int32_t value) noexcept override { this->set(granularity.axis, value); }
  bool setBlockShape(nvinfer1::Dims const& value) noexcept override {
    return this->set(granularity.block, value), true;
  }
  nvinfer1::Dims getBlockShape() const noexcept override { return granularity.block; }
  nvinfer1::DataType getToType() const noexcept override { return type_; }
  void setToType(nvinfer1::DataType value) noexcept override { this->set(type_, value); }
  Attributes attributes(Lower& l) const {
    check_zero_point(l.in(2));
    Attributes a = granularity.attributes(l.in(0), l.in(1));
    a.set("output_dtype", std::string(kiln::name(from_nv(type_))));
    return a;
  }
  void set_type(nvinfer1::DataType type) { type_ = type; }

  Granularity granularity;

 private:
  nvinfer1::DataType type_{};
};

class Quantize final : public QuantizationLayer<nvinfer1::IQuantizeLayer, nvinfer1::LayerType::kQUANTIZE> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("QuantizeLinear", {l.in(0), l.in(1)}, attributes(l))};
  }
};

class Dequantize final : public QuantizationLayer<nvinfer1::IDequantizeLayer, nvinfer1::LayerType::kDEQUANTIZE> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("DequantizeLinear", {l.in(0), l.in(1)}, attributes(l))};
  }
};

}  // namespace

using namespace nvinfer1;

IQuantizeLayer* NetworkImpl::addQuantize(ITensor& input, ITensor& scale, DataType type) noexcept {
  return add("Quantize", {&input, &scale}, [&] {
    auto layer = std::make_unique<Quantize>();
    layer->set_type(type);
    return layer;
  });
}
IDequantizeLayer* NetworkImpl::addDequantize(ITensor& input, ITensor& scale, DataType type) noexcept {
  return add("Dequantize", {&input, &scale}, [&] {
    auto layer = std::make_unique<Dequantize>();
    layer->set_type(type);
    return layer;
  });
}

}  // namespace kiln::api
