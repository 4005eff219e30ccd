// Kernel "resize": nearest for elements of up to eight bytes, linear and cubic for float32, float16 and bfloat16, of tensors of any strides.
#include "backends/cuda/device/cu/resize.h"

#include <array>
#include <cmath>
#include <numeric>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/region_parameters.h"

namespace kiln::cuda::kernels {
namespace {

enum Coordinates : int32_t { kHalfPixel, kAsymmetric, kAlignCorners, kPytorch, kTensorFlow, kSymmetric };

class Resize final : public Kernel {
 public:
  Resize(Gpu& gpu, ResizeParameters p)
      : gpu_(gpu),
        coordinates_(place<int32_t>(ResampleParameters::kCoordinates, p.resample.rule.coordinates)),
        axes_(std::move(p.resample.axes)),
        scales_(std::move(p.scales)) {
    const ResampleRule& rule = p.resample.rule;
    arguments_.mode = place<ResizeMode>(ResampleParameters::kModes, rule.mode);
    arguments_.nearest = place<NearestMode>(ResampleParameters::kNearest, rule.nearest_mode);
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
  template <class T> static T place(std::span<const std::string_view> words, const std::string& word) {
    return static_cast<T>(place_of_word(words, word));
  }
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
      a.dims[i] = FastDivisor::of(static_cast<uint32_t>(out.dims[axis]));
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
      a.maps[i] = map_of(in.dims[axis], out.dims[axis], in.strides[axis], scales_.empty() ? 0 : scales_[i]);
    }
    return kOkStatus;
  }

  // `scale` 0: the sizes' quotient.
  ResizedAxis map_of(int64_t extent, int64_t results, int64_t stride, double scale) const {
    const auto in = static_cast<float>(extent), out = static_cast<float>(results);
    if (scale == 0) scale = static_cast<double>(results) / static_cast<double>(extent);
    ResizedAxis m{extent, stride, 0, static_cast<float>(scale), 0, 0.5f, 0, 1};
    if (coordinates_ == kAsymmetric) {
      m.factor = static_cast<float>(1 / scale);
    } else if (coordinates_ == kAlignCorners) {
      if (results > 1) m.factor = in - 1, m.divisor = out - 1;
    } else if (coordinates_ != kPytorch || results > 1) {
      m.by_halves = 1;
      if (coordinates_ == kTensorFlow) m.after = 0;
      if (coordinates_ == kSymmetric) m.before = in / 2 * (1 - out / (m.scale * in));
    }
    return m;
  }

  Gpu& gpu_;
  int32_t coordinates_;
  Ints axes_;
  Floats scales_;
  ResizeArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_resize(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Resize>(gpu, read_parameters<ResizeParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
