// Kernel "resize": nearest for elements of up to eight bytes, linear and cubic for float32, float16 and bfloat16, of tensors of any strides.
// Kernel "resize_bytes": images of dequantized bytes resized by weights and quantized again; scales and zero points are parameters, too.
#include "backends/cuda/device/cu/resize.h"

#include <array>
#include <cmath>
#include <numeric>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/byte_image_parameters.h"

namespace kiln::cuda::kernels {
namespace {

enum Coordinates : int32_t { kHalfPixel, kAsymmetric, kAlignCorners, kPytorch, kTensorFlow, kSymmetric };

template <class T> T place_of(std::span<const std::string_view> words, const std::string& word) {
  return static_cast<T>(place_of_word(words, word));
}
Coordinates coordinates_of(const ResampleRule& rule) {
  return place_of<Coordinates>(ResampleParameters::kCoordinates, rule.coordinates);
}

// `scale` 0: the sizes' quotient.
ResizedAxis map_of(Coordinates coordinates, int64_t extent, int64_t results, int64_t stride, double scale) {
  const auto in = static_cast<float>(extent), out = static_cast<float>(results);
  if (scale == 0) scale = static_cast<double>(results) / static_cast<double>(extent);
  ResizedAxis m{extent, stride, 0, static_cast<float>(scale), 0, 0.5f, 0, 1};
  if (coordinates == kAsymmetric) {
    m.factor = static_cast<float>(1 / scale);
  } else if (coordinates == kAlignCorners) {
    if (results > 1) m.factor = in - 1, m.divisor = out - 1;
  } else if (coordinates != kPytorch || results > 1) {
    m.by_halves = 1;
    if (coordinates == kTensorFlow) m.after = 0;
    if (coordinates == kSymmetric) m.before = in / 2 * (1 - out / (m.scale * in));
  }
  return m;
}

class Resize final : public Kernel {
 public:
  Resize(Gpu& gpu, ResizeParameters p)
      : gpu_(gpu),
        coordinates_(coordinates_of(p.resample.rule)),
        axes_(std::move(p.resample.axes)),
        scales_(std::move(p.scales)) {
    const ResampleRule& rule = p.resample.rule;
    arguments_.mode = place_of<ResizeMode>(ResampleParameters::kModes, rule.mode);
    arguments_.nearest = place_of<NearestMode>(ResampleParameters::kNearest, rule.nearest_mode);
    arguments_.exclude_outside = rule.exclude_outside;
    arguments_.cubic = static_cast<float>(rule.cubic_a);
    if (axes_.size() > kResizedAxes || p.resample.crops())
      throw Error(Code::kMalformedPlan, "resize of a GPU changes up to three axes and does not crop");
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 1 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "resize has one operand and one result"};
      const TensorView &in = call.inputs[0], &out = call.outputs[0];
      const bool nearest = arguments_.mode == ResizeMode::kNearest;
      const int size = element_bytes(in.dtype);
      if (!is_plain(in) || !is_plain(out) || in.dtype != out.dtype || size == 0 || size > 8 ||
          (!nearest && !float_suffix(in.dtype)))
        return {Code::kMalformedPlan, "resize has operands of other types"};
      const int64_t count = out.elements();
      if (in.rank != out.rank || in.rank > kMaxAxes || count > INT32_MAX)
        return {Code::kUnsupported, "resize has too many axes or elements"};
      if (count > 0) KILN_RETURN_IF_ERROR(put_axes(in, out));
      arguments_.count = static_cast<uint32_t>(count);
      launch_ = {gpu_.function("resize", nearest ? "resize_nearest_" + std::to_string(size)
                                                 : "resize_weighted" + std::string(float_suffix(in.dtype)))};
      launch_.threads = kResizeThreads;
      launch_.grid[0] = blocks_for(count, kResizeThreads);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void* x = call.inputs[0].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, y);
  }

 private:
  Status put_axes(const TensorView& in, const TensorView& out) {
    std::array<int, kMaxAxes> order{};
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.begin() + out.rank,
                     [&](int a, int b) { return out.strides[a] > out.strides[b]; });
    ResizeArguments& a = arguments_;
    a.axes = out.rank;
    a.resized = static_cast<int32_t>(axes_.size());
    for (int i = 0; i < out.rank; ++i) {
      const int axis = order[static_cast<size_t>(i)];
      a.dims[i] = divisor(out.dims[axis]);
      a.from_strides[i] = in.strides[axis];
      a.to_strides[i] = out.strides[axis];
      const auto found = std::find(axes_.begin(), axes_.end(), axis);
      a.which[i] = found == axes_.end() ? -1 : static_cast<int32_t>(found - axes_.begin());
      if (a.which[i] < 0 && in.dims[axis] != out.dims[axis])
        return {Code::kShapeMismatch, "resize changes an axis that stays as it is"};
    }
    for (size_t i = 0; i < axes_.size(); ++i) {
      const int64_t axis = axes_[i];
      if (axis < 0 || axis >= in.rank || std::count(axes_.begin(), axes_.end(), axis) != 1 || in.dims[axis] < 1 ||
          in.dims[axis] > INT32_MAX)
        return {Code::kShapeMismatch, "the operands of resize do not fit each other"};
      a.maps[i] =
          map_of(coordinates_, in.dims[axis], out.dims[axis], in.strides[axis], scales_.empty() ? 0 : scales_[i]);
    }
    return kOkStatus;
  }

  Gpu& gpu_;
  Coordinates coordinates_;
  Ints axes_;
  Floats scales_;
  ResizeArguments arguments_ = {};
  Launch launch_;
};

class ResizeBytes final : public Kernel {
 public:
  ResizeBytes(Gpu& gpu, ResizeBytesParameters p)
      : gpu_(gpu),
        coordinates_(coordinates_of(p.resize.resample.rule)),
        axes_(std::move(p.resize.resample.axes)),
        scales_(std::move(p.resize.scales)) {
    const ResampleRule& rule = p.resize.resample.rule;
    require(!rule.antialias, Code::kMalformedPlan, "parameter 'antialias' of a GPU's resize of bytes is set");
    arguments_.is_cubic = rule.mode == "cubic";
    arguments_.exclude_outside = rule.exclude_outside;
    arguments_.cubic = rule.cubic_a;
    arguments_.x = {static_cast<float>(p.x_scale), p.x_zero, 0};
    arguments_.y = {static_cast<float>(p.y_scale), p.y_zero, 0};
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(check_byte_images(call));
      const TensorView &x = call.inputs[0], &y = call.outputs[0];
      const auto in = image_of(x), out = image_of(y);
      if (!in || !out || x.rank != y.rank)
        return {Code::kMalformedPlan, "operands of a resize of bytes are no images of bytes"};
      if (in->batch != out->batch || in->channels != out->channels || axes_outside(x.rank))
        return {Code::kShapeMismatch, "a resize of bytes keeps images and channels"};
      const Loop loop = merged({{out->batch, out->channels, out->height, out->width},
                                {{out->batch_stride, out->channel_stride, out->row_stride, out->pixel_stride},
                                 {in->batch_stride, in->channel_stride, 0, 0},
                                 {0, 0, 1, 0},
                                 {0, 0, 0, 1}}});
      if (loop.count() > INT32_MAX) return {Code::kUnsupported, "a resize of bytes has too many elements"};
      ResizeBytesArguments& a = arguments_;
      a.results = walk_of<4>(loop);
      a.x.is_signed = x.dtype == DType::kI8;
      a.y.is_signed = y.dtype == DType::kI8;
      launch_ = {gpu_.function("resize", "resize_bytes")};
      launch_.threads = kResizeThreads;
      launch_.grid[0] = blocks_for(loop.count(), kResizeThreads);
      if (loop.count() == 0) return kOkStatus;
      KILN_RETURN_IF_ERROR(put(x.rank - 2, in->height, out->height, in->row_stride, a.rows, a.resizes_rows));
      return put(x.rank - 1, in->width, out->width, in->pixel_stride, a.columns, a.resizes_columns);
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void* x = call.inputs[0].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, y);
  }

 private:
  bool axes_outside(int rank) const {
    return std::any_of(axes_.begin(), axes_.end(), [&](int64_t axis) { return axis < 2 || axis >= rank; });
  }
  Status put(int axis, int64_t in, int64_t out, int64_t stride, ResizedAxis& map, int32_t& resizes) const {
    const auto found = axis < 2 ? axes_.end() : std::find(axes_.begin(), axes_.end(), axis);
    resizes = found != axes_.end();
    if (resizes ? in < 1 : in != out)
      return {Code::kShapeMismatch, "the operands of a resize of bytes do not fit each other"};
    map.stride = stride;
    if (!resizes) return kOkStatus;
    const auto k = static_cast<size_t>(found - axes_.begin());
    map = map_of(coordinates_, in, out, stride, scales_.empty() ? 0 : scales_[k]);
    return kOkStatus;
  }

  Gpu& gpu_;
  Coordinates coordinates_;
  Ints axes_;
  Floats scales_;
  ResizeBytesArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_resize_bytes(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ResizeBytes>(gpu, read_parameters<ResizeBytesParameters>(parameters));
}
std::unique_ptr<Kernel> make_resize(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Resize>(gpu, read_parameters<ResizeParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
