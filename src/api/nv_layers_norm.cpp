// Normalisation, softmax over rows of their own lengths, running sums.
#include <numeric>

#include "api/nv_network.h"

namespace kiln::api {
namespace {

class Normalization final : public Layer<nvinfer1::INormalizationLayer, nvinfer1::LayerType::kNORMALIZATION> {
 public:
  void setEpsilon(float value) noexcept override { set(epsilon, value); }
  float getEpsilon() const noexcept override { return epsilon; }
  void setAxes(uint32_t value) noexcept override { set(axes, value); }
  uint32_t getAxes() const noexcept override { return axes; }
  void setNbGroups(int64_t value) noexcept override { set(groups, value); }
  int64_t getNbGroups() const noexcept override { return groups; }
  bool isV2() const noexcept override { return v2; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    if (groups != 1) return {in_groups(l)};
    Ints list;
    for (int64_t i = 0; i < 32; ++i)
      if (axes >> i & 1) list.push_back(i);
    ir::Value* over = l.ints(list);
    ir::Value* centred = l.node("Sub", {l.in(0), l.node("ReduceMean", {l.in(0), over})});
    ir::Value* variance = l.node("ReduceMean", {l.node("Mul", {centred, centred}), over});
    ir::Value* deviation = l.node("Sqrt", {l.node("Add", {variance, l.like(variance, epsilon)})});
    return {l.node("Add", {l.node("Mul", {l.node("Div", {centred, deviation}), l.in(1)}), l.in(2)})};
  }

  float epsilon = 1e-5f;
  uint32_t axes = 0;
  int64_t groups = 1;
  bool v2 = false;

 private:
  ir::Value* in_groups(Lower& l) const;
};

ir::Value* Normalization::in_groups(Lower& l) const {
  const int64_t rank = l.in(0)->rank();
  const auto channels = rank >= 2 ? l.in(0)->shape()[1].constant() : std::nullopt;
  if (groups < 1 || !channels || *channels % groups != 0)
    throw Error(Code::kInvalidArgument,
                "a normalisation of " + l.in(0)->type().str() + " in " + std::to_string(groups) + " groups")
        .cause("the number of channels, axis 1, must be a fixed multiple of the number of groups");
  const uint32_t spatial = (1U << rank) - 4;
  if ((axes & ~2U) != spatial)
    throw Error(Code::kUnsupported, "a normalisation in groups over the axes " + std::to_string(axes))
        .remedy("set the bits of all axes after the channels");
  // A value per channel from one per channel or per group.
  auto per_channel = [&](ir::Value* v) {
    if (v2) return l.reshaped(v, {-1});
    ir::Value* rows = l.reshaped(v, {groups, 1});
    return l.reshaped(l.node("Expand", {rows, l.ints({groups, *channels / groups})}), {-1});
  };
  return l.node("GroupNormalization", {l.in(0), per_channel(l.in(1)), per_channel(l.in(2))},
                {{"num_groups", groups}, {"epsilon", double{epsilon}}});
}

class RaggedSoftMax final : public Layer<nvinfer1::IRaggedSoftMaxLayer, nvinfer1::LayerType::kRAGGED_SOFTMAX> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override {
    ir::Value* x = l.in(0);
    const int64_t last = x->rank() - 1;
    ir::Value *zero = l.graph.add_constant(Tensor::scalar<int64_t>(0)),
              *one = l.graph.add_constant(Tensor::scalar<int64_t>(1));
    ir::Value* position = l.node("Range", {zero, l.extent(x, last), one});
    ir::Value* outside = l.node("GreaterOrEqual", {position, l.as_int64(l.in(1))});
    ir::Value* lowest = l.like(x, x->dtype() == DType::kF16 ? -65504.0 : -3e38);
    ir::Value* soft = l.node("Softmax", {l.node("Where", {outside, lowest, x})}, {{"axis", last}});
    return {l.node("Where", {outside, l.like(x, 0), soft})};
  }
};

class Cumulative final : public Layer<nvinfer1::ICumulativeLayer, nvinfer1::LayerType::kCUMULATIVE> {
 public:
  bool setOperation(nvinfer1::CumulativeOperation value) noexcept override {
    return guarded(reporter_of(*this), false, [&] { return check(value), set(operation, value), true; });
  }
  nvinfer1::CumulativeOperation getOperation() const noexcept override { return operation; }
  void setExclusive(bool value) noexcept override { set(exclusive, value); }
  bool getExclusive() const noexcept override { return exclusive; }
  void setReverse(bool value) noexcept override { set(reverse, value); }
  bool getReverse() const noexcept override { return reverse; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    check(operation);
    return {l.node("CumSum", {l.in(0), l.scalar(l.in(1))},
                   {{"exclusive", int64_t{exclusive}}, {"reverse", int64_t{reverse}}})};
  }

  nvinfer1::CumulativeOperation operation{};
  bool exclusive = false;
  bool reverse = false;

 private:
  static void check(nvinfer1::CumulativeOperation op) {
    if (op != nvinfer1::CumulativeOperation::kSUM)
      throw Error(Code::kInvalidArgument,
                  "there is no cumulative operation " + std::to_string(static_cast<int32_t>(op)));
  }
};

}  // namespace

using namespace nvinfer1;

INormalizationLayer* NetworkImpl::addNormalization(ITensor& input, ITensor& scale, ITensor& bias,
                                                   uint32_t axes) noexcept {
  return add("Normalization", {&input, &scale, &bias}, [&] {
    auto layer = std::make_unique<Normalization>();
    layer->axes = axes;
    return layer;
  });
}
INormalizationLayer* NetworkImpl::addNormalizationV2(ITensor& input, ITensor& scale, ITensor& bias,
                                                     uint32_t axes) noexcept {
  return add("Normalization", {&input, &scale, &bias}, [&] {
    auto layer = std::make_unique<Normalization>();
    layer->axes = axes, layer->v2 = true;
    return layer;
  });
}
IRaggedSoftMaxLayer* NetworkImpl::addRaggedSoftMax(ITensor& input, ITensor& bounds) noexcept {
  return add("Ragged SoftMax", {&input, &bounds}, [] { return std::make_unique<RaggedSoftMax>(); });
}
ICumulativeLayer* NetworkImpl::addCumulative(ITensor& input, ITensor& axis, CumulativeOperation op, bool exclusive,
                                             bool reverse) noexcept {
  return add("Cumulative", {&input, &axis}, [&] {
    auto layer = std::make_unique<Cumulative>();
    layer->operation = known(op), layer->exclusive = exclusive, layer->reverse = reverse;
    return layer;
  });
}

}  // namespace kiln::api
