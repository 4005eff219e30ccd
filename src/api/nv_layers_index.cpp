// Layers that work with indices: gather, scatter, non-zero, one-hot, box suppression, reversal of sequences.
#include <limits>

#include "api/nv_network.h"

namespace kiln::api {
namespace {

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
    if (mode == nvinfer1::GatherMode::kDEFAULT && batch == 1) return {in_batches(l)};
    if (batch != 0)
      throw Error(Code::kUnsupported, "a gather with " + std::to_string(batch) + " elementwise dimensions")
          .remedy("use 0 or 1, or GatherMode::kND");
    return {l.node(mode == nvinfer1::GatherMode::kELEMENT ? "GatherElements" : "Gather", {l.in(0), l.in(1)},
                   {{"axis", int64_t{axis}}})};
  }

  int32_t axis = 0;
  int32_t batch = 0;
  nvinfer1::GatherMode mode{};

 private:
  ir::Value* in_batches(Lower& l) const;
};

// Axis 0 of data and indices go together: the gathered axis comes next to it, and its place is restored afterwards.
ir::Value* Gather::in_batches(Lower& l) const {
  const int64_t rank = l.in(0)->rank(), index_rank = l.in(1)->rank(), at = normalize_axis(axis, rank);
  if (at < 1 || index_rank < 1)
    throw Error(Code::kInvalidArgument, "a gather along axis 0 with an elementwise dimension")
        .remedy("gather along a later axis");
  Ints to_front{0, at}, back{0};
  for (int64_t i = 1; i < rank; ++i)
    if (i != at) to_front.push_back(i);
  for (int64_t i = 0; i < at - 1; ++i) back.push_back(index_rank + i);
  for (int64_t i = 1; i < index_rank; ++i) back.push_back(i);
  for (int64_t i = index_rank + at - 1; i < rank + index_rank - 2; ++i) back.push_back(i);
  ir::Value* data = l.node("Transpose", {l.in(0)}, {{"perm", to_front}});
  ir::Value* tuples = l.node("Unsqueeze", {l.as_int64(l.in(1)), l.ints({-1})});
  ir::Value* result = l.node("GatherND", {data, tuples}, {{"batch_dims", int64_t{1}}});
  return l.node("Transpose", {result}, {{"perm", back}});
}

class Scatter final : public Layer<nvinfer1::IScatterLayer, nvinfer1::LayerType::kSCATTER> {
 public:
  void setMode(nvinfer1::ScatterMode value) noexcept override { set(mode, value); }
  nvinfer1::ScatterMode getMode() const noexcept override { return mode; }
  void setAxis(int32_t value) noexcept override { set(axis, value); }
  int32_t getAxis() const noexcept override { return axis; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    if (mode == nvinfer1::ScatterMode::kND) return {l.node("ScatterND", {l.in(0), l.as_int64(l.in(1)), l.in(2)})};
    return {l.node("ScatterElements", {l.in(0), l.in(1), l.in(2)}, {{"axis", int64_t{axis}}})};
  }

  nvinfer1::ScatterMode mode{};
  int32_t axis = 0;
};

class NonZero final : public Layer<nvinfer1::INonZeroLayer, nvinfer1::LayerType::kNON_ZERO> {
 public:
  bool setIndicesType(nvinfer1::DataType value) noexcept override { return set_index_type(indices, value); }
  nvinfer1::DataType getIndicesType() const noexcept override { return indices; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.cast(l.node("NonZero", {l.in(0)}), index_dtype(indices))};
  }

  nvinfer1::DataType indices{};
};

class OneHot final : public Layer<nvinfer1::IOneHotLayer, nvinfer1::LayerType::kONE_HOT> {
 public:
  void setAxis(int32_t value) noexcept override { set(axis, value); }
  int32_t getAxis() const noexcept override { return axis; }
  bool shapes_by(size_t input) const override { return input == 2; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("OneHot", {l.in(0), l.in(2), l.in(1)}, {{"axis", int64_t{axis}}})};
  }

  int32_t axis = -1;
};

class Suppression final : public Layer<nvinfer1::INMSLayer, nvinfer1::LayerType::kNMS> {
 public:
  void setBoundingBoxFormat(nvinfer1::BoundingBoxFormat value) noexcept override { set(format, value); }
  nvinfer1::BoundingBoxFormat getBoundingBoxFormat() const noexcept override { return format; }
  bool setIndicesType(nvinfer1::DataType value) noexcept override { return set_index_type(indices, value); }
  nvinfer1::DataType getIndicesType() const noexcept override { return indices; }
  void setTopKBoxLimit(int32_t value) noexcept override {
    if (value >= 0) return set(limit, value);
    reporter_of(*this).report(Code::kInvalidArgument, "setTopKBoxLimit: the limit is negative");
  }
  int32_t getTopKBoxLimit() const noexcept override { return limit; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    if (l.in(0)->rank() != 3 || l.in(1)->rank() != 3)
      throw Error(Code::kUnsupported,
                  "suppression of boxes " + l.in(0)->type().str() + " with scores " + l.in(1)->type().str())
          .remedy("give boxes [batch,boxes,4] and scores [batch,boxes,classes]");
    ir::Value* scores = l.node("Transpose", {l.in(1)}, {{"perm", Ints{0, 2, 1}}});
    std::vector<ir::Value*> inputs{l.in(0), scores, l.as_int64(l.scalar(l.in(2)))};
    for (size_t i : {3, 4}) inputs.push_back(l.in(i) ? l.scalar(l.in(i)) : nullptr);
    if (limit > 0) {
      inputs[1] = best_only(l, scores);
      if (!inputs[4]) inputs[4] = l.like(scores, std::numeric_limits<float>::lowest());
    }
    while (!inputs.back()) inputs.pop_back();
    const Attributes a{{"center_point_box", int64_t{format == nvinfer1::BoundingBoxFormat::kCENTER_SIZES}}};
    ir::Value* selected = l.node("NonMaxSuppression", inputs, a);
    return {l.cast(selected, index_dtype(indices)), l.cast(l.extent(selected, 0), index_dtype(indices))};
  }

  // Scores [batch, classes, boxes] of which all but the best of each batch entry are minus infinity.
  ir::Value* best_only(Lower& l, ir::Value* scores) const {
    ir::Value* flat = l.reshaped(scores, {0, -1});
    ir::Value* count = l.node("Min", {l.extent(flat, 1), l.graph.add_constant(Tensor::scalar<int64_t>(limit))});
    ir::Node* best = l.nodes("TopK", {flat, l.node("Reshape", {count, l.ints({1})})}, {{"axis", int64_t{1}}}, 2);
    ir::Value* low =
        l.node("Expand", {l.like(scores, -std::numeric_limits<float>::infinity()), l.node("Shape", {flat})});
    ir::Value* kept = l.node("ScatterElements", {low, best->outputs()[1], best->outputs()[0]}, {{"axis", int64_t{1}}});
    return l.node("Reshape", {kept, l.node("Shape", {scores})});
  }

  int32_t limit = 0;
  nvinfer1::BoundingBoxFormat format{};
  nvinfer1::DataType indices{};
};

class ReverseSequence final : public Layer<nvinfer1::IReverseSequenceLayer, nvinfer1::LayerType::kREVERSE_SEQUENCE> {
 public:
  void setBatchAxis(int32_t value) noexcept override { set(batch, value); }
  int32_t getBatchAxis() const noexcept override { return batch; }
  void setSequenceAxis(int32_t value) noexcept override { set(sequence, value); }
  int32_t getSequenceAxis() const noexcept override { return sequence; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {l.node("ReverseSequence", {l.in(0), l.as_int64(l.in(1))},
                   {{"batch_axis", int64_t{batch}}, {"time_axis", int64_t{sequence}}})};
  }

  int32_t batch = 1;
  int32_t sequence = 0;
};

}  // namespace

using namespace nvinfer1;

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
    layer->mode = known(mode);
    return layer;
  });
}
IScatterLayer* NetworkImpl::addScatter(ITensor& data, ITensor& indices, ITensor& updates, ScatterMode mode) noexcept {
  return add("Scatter", {&data, &indices, &updates}, [&] {
    auto layer = std::make_unique<Scatter>();
    layer->mode = known(mode);
    return layer;
  });
}
INonZeroLayer* NetworkImpl::addNonZero(ITensor& input, DataType indices) noexcept {
  return add("NonZero", {&input}, [&] {
    auto layer = std::make_unique<NonZero>();
    layer->indices = indices;
    return layer;
  });
}
IOneHotLayer* NetworkImpl::addOneHot(ITensor& indices, ITensor& values, ITensor& depth, int32_t axis) noexcept {
  return add("OneHot", {&indices, &values, &depth}, [&] {
    auto layer = std::make_unique<OneHot>();
    layer->axis = axis;
    return layer;
  });
}
INMSLayer* NetworkImpl::addNMS(ITensor& boxes, ITensor& scores, ITensor& most, DataType indices) noexcept {
  return add(
      "NMS", {&boxes, &scores, &most},
      [&] {
        auto layer = std::make_unique<Suppression>();
        layer->indices = indices;
        return layer;
      },
      2);
}
IReverseSequenceLayer* NetworkImpl::addReverseSequence(ITensor& input, ITensor& lengths) noexcept {
  return add("Reverse Sequence", {&input, &lengths}, [] { return std::make_unique<ReverseSequence>(); });
}

}  // namespace kiln::api
