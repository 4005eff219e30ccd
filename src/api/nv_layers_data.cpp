// Layers that move data: shapes, joining, slicing, gathering, choosing, constants, conversions.
#include <algorithm>
#include <limits>

#include "api/nv_network.h"

namespace kiln::api {
namespace {

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

class Slice final : public Layer<nvinfer1::ISliceLayer, nvinfer1::LayerType::kSLICE> {
 public:
  void setStart(nvinfer1::Dims const& value) noexcept override { set(start, value); }
  nvinfer1::Dims getStart() const noexcept override { return start; }
  void setSize(nvinfer1::Dims const& value) noexcept override { set(size, value); }
  nvinfer1::Dims getSize() const noexcept override { return size; }
  void setStride(nvinfer1::Dims const& value) noexcept override { set(stride, value); }
  nvinfer1::Dims getStride() const noexcept override { return stride; }
  void setMode(nvinfer1::SampleMode value) noexcept override { set(mode, value); }
  nvinfer1::SampleMode getMode() const noexcept override { return mode; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::Dims start;
  nvinfer1::Dims size;
  nvinfer1::Dims stride;
  nvinfer1::SampleMode mode{};
};

// The end of a slice that the interface describes by its size.
int64_t slice_end(int64_t start, int64_t size, int64_t stride) {
  if (size == 0) return start;
  const int64_t end = start + (size - 1) * stride + (stride > 0 ? 1 : -1);
  return end < 0 ? std::numeric_limits<int64_t>::min() : end;
}

std::vector<ir::Value*> Slice::lower(Lower& l) const {
  const auto rank = static_cast<size_t>(l.in(0)->rank());
  Ints starts = from_nv(start), sizes = from_nv(size), strides = from_nv(stride);
  if ((!l.in(1) && starts.size() != rank) || (!l.in(2) && sizes.size() != rank) || (!l.in(3) && strides.size() != rank))
    throw Error(Code::kInvalidArgument,
                "start, size and stride of a slice need the rank of the tensor " + l.in(0)->type().str());
  if (l.in(1) || l.in(2) || l.in(3)) {
    auto value = [&](size_t i, const Ints& fixed) { return l.in(i) ? l.as_int64(l.in(i)) : l.ints(fixed); };
    ir::Value *from = value(1, starts), *step = value(3, strides);
    ir::Value* to = l.node("Add", {from, l.node("Mul", {value(2, sizes), step})});
    const bool forward = !l.in(3) && std::all_of(strides.begin(), strides.end(), [](int64_t s) { return s > 0; });
    if (!forward)
      to = l.node("Where", {l.node("Less", {to, l.ints({0})}), l.ints({std::numeric_limits<int64_t>::min()}), to});
    Ints axes;
    for (size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int64_t>(i));
    return {l.node("Slice", {l.in(0), from, to, l.ints(axes), step})};
  }
  Ints ends, axes;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t last = starts[i] + (sizes[i] - 1) * strides[i],
                  extent = l.in(0)->shape()[i].constant().value_or(std::numeric_limits<int64_t>::max());
    if (strides[i] == 0 || sizes[i] < 0 ||
        (sizes[i] > 0 && (starts[i] < 0 || starts[i] >= extent || last < 0 || last >= extent)))
      throw Error(Code::kInvalidArgument,
                  "the slice leaves axis " + std::to_string(i) + " of " + l.in(0)->type().str());
    ends.push_back(slice_end(starts[i], sizes[i], strides[i]));
    axes.push_back(static_cast<int64_t>(i));
  }
  return {l.node("Slice", {l.in(0), l.ints(starts), l.ints(ends), l.ints(axes), l.ints(strides)})};
}

class ShapeOf final : public Layer<nvinfer1::IShapeLayer, nvinfer1::LayerType::kSHAPE> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.node("Shape", {l.in(0)})}; }
};

class Gather final : public Layer<nvinfer1::IGatherLayer, nvinfer1::LayerType::kGATHER> {
 public:
  void setGatherAxis(int32_t value) noexcept override { set(axis, value); }
  int32_t getGatherAxis() const noexcept override { return axis; }
  void setNbElementWiseDims(int32_t value) noexcept override { set(batch, value); }
  int32_t getNbElementWiseDims() const noexcept override { return batch; }
  void setMode(nvinfer1::GatherMode value) noexcept override { set(mode, value); }
  nvinfer1::GatherMode getMode() const noexcept override { return mode; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    if (mode == nvinfer1::GatherMode::kND)
      return {l.node("GatherND", {l.in(0), l.as_int64(l.in(1))}, {{"batch_dims", int64_t{batch}}})};
    if (batch != 0)
      throw Error(Code::kUnsupported, "a gather with " + std::to_string(batch) + " elementwise dimensions")
          .remedy("use GatherMode::kND or kELEMENT");
    return {l.node(mode == nvinfer1::GatherMode::kELEMENT ? "GatherElements" : "Gather", {l.in(0), l.in(1)},
                   {{"axis", int64_t{axis}}})};
  }

  int32_t axis = 0;
  int32_t batch = 0;
  nvinfer1::GatherMode mode{};
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

class NonZero final : public Layer<nvinfer1::INonZeroLayer, nvinfer1::LayerType::kNON_ZERO> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("Cast", {l.node("NonZero", {l.in(0)})}, {{"to", std::string("int32")}})};
  }
};

class OneHot final : public Layer<nvinfer1::IOneHotLayer, nvinfer1::LayerType::kONE_HOT> {
 public:
  void setAxis(int32_t value) noexcept override { set(axis, value); }
  int32_t getAxis() const noexcept override { return axis; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("OneHot", {l.in(0), l.in(2), l.in(1)}, {{"axis", int64_t{axis}}})};
  }

  int32_t axis = -1;
};

class Squeeze final : public Layer<nvinfer1::ISqueezeLayer, nvinfer1::LayerType::kSQUEEZE> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.node("Squeeze", {l.in(0), l.as_int64(l.in(1))})}; }
};

class Unsqueeze final : public Layer<nvinfer1::IUnsqueezeLayer, nvinfer1::LayerType::kUNSQUEEZE> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("Unsqueeze", {l.in(0), l.as_int64(l.in(1))})};
  }
};

}  // namespace

using namespace nvinfer1;

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
ISliceLayer* NetworkImpl::addSlice(ITensor& input, nvinfer1::Dims const& start, nvinfer1::Dims const& size,
                                   nvinfer1::Dims const& stride) noexcept {
  return add("Slice", {&input}, [&] {
    auto layer = std::make_unique<Slice>();
    layer->start = start, layer->size = size, layer->stride = stride;
    return layer;
  });
}
IShapeLayer* NetworkImpl::addShape(ITensor& input) noexcept {
  return add("Shape", {&input}, [] { return std::make_unique<ShapeOf>(); });
}
IGatherLayer* NetworkImpl::addGather(ITensor& data, ITensor& indices, int32_t axis) noexcept {
  return add("Gather", {&data, &indices}, [&] {
    auto layer = std::make_unique<Gather>();
    layer->axis = axis;
    return layer;
  });
}
IGatherLayer* NetworkImpl::addGatherV2(ITensor& data, ITensor& indices, GatherMode mode) noexcept {
  return add("Gather", {&data, &indices}, [&] {
    auto layer = std::make_unique<Gather>();
    layer->mode = mode;
    return layer;
  });
}
IConstantLayer* NetworkImpl::addConstant(nvinfer1::Dims const& dims, Weights weights) noexcept {
  return add("Constant", {}, [&] {
    auto layer = std::make_unique<Constant>();
    layer->dims = dims, layer->weights = weights;
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
INonZeroLayer* NetworkImpl::addNonZero(ITensor& input) noexcept {
  return add("NonZero", {&input}, [] { return std::make_unique<NonZero>(); });
}
IOneHotLayer* NetworkImpl::addOneHot(ITensor& indices, ITensor& values, ITensor& depth, int32_t axis) noexcept {
  return add("OneHot", {&indices, &values, &depth}, [&] {
    auto layer = std::make_unique<OneHot>();
    layer->axis = axis;
    return layer;
  });
}
ISqueezeLayer* NetworkImpl::addSqueeze(ITensor& input, ITensor& axes) noexcept {
  return add("Squeeze", {&input, &axes}, [] { return std::make_unique<Squeeze>(); });
}
IUnsqueezeLayer* NetworkImpl::addUnsqueeze(ITensor& input, ITensor& axes) noexcept {
  return add("Unsqueeze", {&input, &axes}, [] { return std::make_unique<Unsqueeze>(); });
}

}  // namespace kiln::api
