// Slices: strict ones, and those that leave the tensor.
#include <algorithm>
#include <limits>

#include "api/nv_network.h"
#include "base/index.h"

namespace kiln::api {
namespace {

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
  void setAxes(nvinfer1::Dims const& value) noexcept override { set(axes, value); }
  nvinfer1::Dims getAxes() const noexcept override { return axes; }
  bool shapes_by(size_t input) const override { return input >= 1 && input != 4; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::Dims start;
  nvinfer1::Dims size;
  nvinfer1::Dims stride;
  nvinfer1::SampleMode mode{};
  nvinfer1::Dims axes{-1, {}};

 private:
  // What a slice takes along which axes; the values, where inputs do not give them.
  struct Parts {
    Ints axes, starts, sizes, strides;
  };
  Parts parts(Lower& l) const;
  static ir::Value* given(Lower& l, size_t input, const Ints& fixed) {
    return l.in(input) ? l.as_int64(l.in(input)) : l.ints(fixed);
  }
  static ir::Value* strict(Lower& l, const Parts& p);
  ir::Value* sampled(Lower& l, const Parts& p) const;
};

Slice::Parts Slice::parts(Lower& l) const {
  Parts p{{}, from_nv(start), from_nv(size), from_nv(stride)};
  const int64_t rank = l.in(0)->rank();
  if (l.in(5)) {
    const Tensor* constant = l.in(5)->constant();
    if (!constant) throw Error(Code::kUnsupported, "a slice whose axes are computed").remedy("give them with setAxes");
    p.axes = constant->to_ints();
  } else if (axes.nbDims >= 0) {
    p.axes = from_nv(axes);
  } else {
    for (int64_t i = 0; i < rank; ++i) p.axes.push_back(i);
  }
  for (int64_t& axis : p.axes) axis = normalize_axis(axis, rank);
  const size_t count = p.axes.size();
  if ((!l.in(1) && p.starts.size() != count) || (!l.in(2) && p.sizes.size() != count) ||
      (!l.in(3) && p.strides.size() != count))
    throw Error(Code::kInvalidArgument, "start, size and stride of a slice of " + l.in(0)->type().str() + " need " +
                                            std::to_string(count) + " values each");
  return p;
}

// The end of a slice that the interface describes by its size.
int64_t slice_end(int64_t start, int64_t size, int64_t stride) {
  if (size == 0) return start;
  const int64_t end = start + (size - 1) * stride + (stride > 0 ? 1 : -1);
  return end < 0 ? std::numeric_limits<int64_t>::min() : end;
}

ir::Value* Slice::strict(Lower& l, const Parts& p) {
  if (l.in(1) || l.in(2) || l.in(3)) {
    ir::Value *from = given(l, 1, p.starts), *step = given(l, 3, p.strides);
    ir::Value* to = l.node("Add", {from, l.node("Mul", {given(l, 2, p.sizes), step})});
    const bool forward = !l.in(3) && std::all_of(p.strides.begin(), p.strides.end(), [](int64_t s) { return s > 0; });
    if (!forward)
      to = l.node("Where", {l.node("Less", {to, l.ints({0})}), l.ints({std::numeric_limits<int64_t>::min()}), to});
    return l.node("Slice", {l.in(0), from, to, l.ints(p.axes), step});
  }
  Ints ends;
  for (size_t i = 0; i < p.axes.size(); ++i) {
    const Dim& dim = nth(l.in(0)->shape(), p.axes[i]);
    const int64_t last = p.starts[i] + (p.sizes[i] - 1) * p.strides[i],
                  extent = dim.constant().value_or(std::numeric_limits<int64_t>::max());
    if (p.strides[i] == 0 || p.sizes[i] < 0 ||
        (p.sizes[i] > 0 && (p.starts[i] < 0 || p.starts[i] >= extent || last < 0 || last >= extent)))
      throw Error(Code::kInvalidArgument,
                  "the slice leaves axis " + std::to_string(p.axes[i]) + " of " + l.in(0)->type().str());
    ends.push_back(slice_end(p.starts[i], p.sizes[i], p.strides[i]));
  }
  return l.node("Slice", {l.in(0), l.ints(p.starts), l.ints(ends), l.ints(p.axes), l.ints(p.strides)});
}

// The position inside [0, n) that stands for one anywhere.
ir::Value* inside(Lower& l, nvinfer1::SampleMode mode, ir::Value* index, ir::Value* n) {
  using M = nvinfer1::SampleMode;
  auto number = [&](int64_t v) { return l.graph.add_constant(Tensor::scalar<int64_t>(v)); };
  if (mode == M::kWRAP) return l.node("Mod", {index, n});
  ir::Value* last = l.node("Sub", {n, number(1)});
  if (mode == M::kCLAMP || mode == M::kFILL) return l.node("Min", {l.node("Max", {index, number(0)}), last});
  if (mode != M::kREFLECT)
    throw Error(Code::kInvalidArgument, "there is no sample mode " + std::to_string(static_cast<int32_t>(mode)));
  ir::Value* there_and_back = l.node("Mul", {last, number(2)});
  ir::Value* along = l.node("Mod", {index, l.node("Max", {there_and_back, number(1)})});
  return l.node("Min", {along, l.node("Sub", {there_and_back, along})});
}

ir::Value* Slice::sampled(Lower& l, const Parts& p) const {
  auto number = [&](int64_t v) { return l.graph.add_constant(Tensor::scalar<int64_t>(v)); };
  auto element = [&](size_t input, const Ints& fixed, size_t i) {
    return l.in(input) ? l.node("Gather", {l.as_int64(l.in(input)), number(static_cast<int64_t>(i))})
                       : number(fixed[i]);
  };
  ir::Value *result = l.in(0), *filled = nullptr;
  for (size_t i = 0; i < p.axes.size(); ++i) {
    const int64_t axis = p.axes[i];
    ir::Value* steps = l.node("Range", {number(0), element(2, p.sizes, i), number(1)});
    ir::Value* index = l.node("Add", {l.node("Mul", {steps, element(3, p.strides, i)}), element(1, p.starts, i)});
    ir::Value* n = l.extent(l.in(0), axis);
    if (mode == nvinfer1::SampleMode::kFILL) {
      ir::Value* outside = l.node("Or", {l.node("Less", {index, number(0)}), l.node("GreaterOrEqual", {index, n})});
      Ints dims(static_cast<size_t>(l.in(0)->rank()), 1);
      nth(dims, axis) = -1;
      outside = l.reshaped(outside, dims);
      filled = filled ? l.node("Or", {filled, outside}) : outside;
    }
    result = l.node("Gather", {result, inside(l, mode, index, n)}, {{"axis", axis}});
  }
  if (!filled) return result;
  return l.node("Where", {filled, l.in(4) ? l.scalar(l.in(4)) : l.like(result, 0), result});
}

std::vector<ir::Value*> Slice::lower(Lower& l) const {
  const Parts p = parts(l);
  return {mode == nvinfer1::SampleMode::kSTRICT_BOUNDS ? strict(l, p) : sampled(l, p)};
}

}  // namespace

nvinfer1::ISliceLayer* NetworkImpl::addSlice(nvinfer1::ITensor& input, nvinfer1::Dims const& start,
                                             nvinfer1::Dims const& size, nvinfer1::Dims const& stride) noexcept {
  return add("Slice", {&input}, [&] {
    auto layer = std::make_unique<Slice>();
    layer->start = start, layer->size = size, layer->stride = stride;
    return layer;
  });
}

}  // namespace kiln::api
