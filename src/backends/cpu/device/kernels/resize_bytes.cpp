// Kernel "resize_bytes": images of dequantized bytes resized by weights and quantized again, channels last. Parameters: those of "resize",
// whose axes are rows and columns; scales and zero points of x and of the result.
#include <algorithm>

#include "backends/cpu/device/compute/byte_maps.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/resample_bytes.h"
#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/views.h"
#include "base/index.h"
#include "device/byte_image_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class ResizeBytes final : public Kernel {
 public:
  explicit ResizeBytes(ResizeBytesParameters p)
      : resize_(std::move(p.resize)),
        from_{static_cast<float>(p.x_scale), p.x_zero, false},
        to_{static_cast<float>(p.y_scale), p.y_zero, false} {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a resize of bytes is too small"};
      from_.is_signed = call.inputs[0].dtype == DType::kI8;
      to_.is_signed = call.outputs[0].dtype == DType::kI8;
      if (is_empty()) return kOkStatus;
      KILN_RETURN_IF_ERROR(read_taps(call.inputs[0].rank - 2, in_.height, out_.height, rows_));
      return read_taps(call.inputs[0].rank - 1, in_.width, out_.width, columns_);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    if (is_empty()) return kOkStatus;
    const auto* x = static_cast<const uint8_t*>(call.inputs[0].data);
    auto* y = static_cast<uint8_t*>(call.outputs[0].data);
    auto* space = static_cast<uint8_t*>(call.workspace);
    const double work = static_cast<double>(out_.height * in_.width * rows_.count + out_.height * out_.width * 4) *
                        static_cast<double>(out_.batch * out_.channels);
    parallel_ranges(useful_threads(thread_count(), 0.3 * work), out_.batch * out_.height,
                    [&](int64_t begin, int64_t end, int part) {
                      uint8_t* own = space + static_cast<size_t>(part) * own_bytes();
                      for (int64_t i = begin; i < end; ++i) run_row(x, i / out_.height, i % out_.height, own, y);
                    });
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return own_bytes() * static_cast<size_t>(thread_count());
  }

 private:
  static constexpr int64_t kMostTaps = int64_t{1} << 28;  // of all output elements along an axis together

  Status read(const KernelCall& call) noexcept {
    KILN_RETURN_IF_ERROR(check_byte_images(call));
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const auto in = image_of(x), out = image_of(y);
    if (!in || !out || !in->equidistant || !out->equidistant || x.rank != y.rank)
      return {Code::kMalformedPlan, "operands of a resize of bytes are no channels-last images of bytes"};
    if (in->batch != out->batch || in->channels != out->channels)
      return {Code::kShapeMismatch, "a resize of bytes keeps images and channels"};
    in_ = *in;
    out_ = *out;
    return kOkStatus;
  }
  bool is_empty() const { return out_.batch * out_.channels * out_.height * out_.width == 0; }

  // Of a thread: a line of sums along columns, one of results, and the lines of a window.
  size_t own_bytes() const {
    const auto line = [](int64_t elements, size_t size) {
      return (static_cast<size_t>(elements) * size + 63) / 64 * 64;
    };
    return line(in_.width * in_.channels, sizeof(double)) + line(out_.width * out_.channels, sizeof(float));
  }

  Status read_taps(int axis, int64_t in, int64_t out, DoubleTaps& taps) const {
    const Ints& axes = resize_.resample.axes;
    taps = DoubleTaps();
    taps.out = out;
    const auto found = std::find(axes.begin(), axes.end(), axis);
    if (axis < 2 || found == axes.end()) {
      if (in != out) return {Code::kShapeMismatch, "the operands of a resize of bytes do not fit each other"};
      taps.count = 1;
      for (int64_t i = 0; i < out; ++i) taps.index.push_back(i);
      taps.weight.assign(static_cast<size_t>(out), 1.0);
      return kOkStatus;
    }
    if (in < 1 || in > INT32_MAX)
      return {Code::kShapeMismatch, "the operands of a resize of bytes do not fit each other"};
    const auto k = static_cast<size_t>(found - axes.begin());
    AxisMap map{.axis = static_cast<size_t>(axis), .in = in, .out = out};
    map.scale = resize_.scales.empty() ? static_cast<double>(out) / static_cast<double>(in) : resize_.scales[k];
    const double most = resize_.resample.rule.antialias ? 4 / std::min(map.scale, 1.0) + 4 : 4;
    if (most * static_cast<double>(out) > static_cast<double>(kMostTaps))
      return {Code::kShapeMismatch, "a resize of bytes has too many taps"};
    for (int64_t i = 0; i < out; ++i) add_taps(sample_at(map, resize_.resample.rule, i), map, i, taps);
    return kOkStatus;
  }
  static void add_taps(const Sample& s, const AxisMap& map, int64_t i, DoubleTaps& taps) {
    if (i == 0) {
      taps.count = static_cast<int64_t>(s.weights.size());
      taps.index.assign(static_cast<size_t>(taps.count * taps.out), 0);
      taps.weight.assign(static_cast<size_t>(taps.count * taps.out), 0.0);
    }
    for (int64_t k = 0; k < taps.count; ++k) {
      nth(taps.index, k * taps.out + i) = std::clamp<int64_t>(s.first + k, 0, map.in - 1);
      nth(taps.weight, k * taps.out + i) = nth(s.weights, k);
    }
  }

  void run_row(const uint8_t* x, int64_t image, int64_t row, uint8_t* own, uint8_t* y) const noexcept {
    auto* sums = reinterpret_cast<double*>(own);
    auto* numbers =
        reinterpret_cast<float*>(own + (static_cast<size_t>(in_.width * in_.channels) * sizeof(double) + 63) / 64 * 64);
    const int64_t channels = in_.channels;
    sum_rows(x + image * in_.image_stride, row, sums);
    resample_pixels(columns_, channels, sums, numbers);
    uint8_t* to = y + image * out_.image_stride + row * out_.row_stride;
    const bool dense = out_.pixel_stride == channels;
    for (int64_t p = 0; p < (dense ? 1 : out_.width); ++p)
      quantize_floats(numbers + p * channels, to + p * out_.pixel_stride, dense ? out_.width * channels : channels, to_,
                      1);
  }

  // The taps of a row of the result, a few at a time: the first sums begin with nought, the others go on.
  void sum_rows(const uint8_t* image, int64_t row, double* sums) const noexcept {
    constexpr int64_t kTaps = 16;
    const bool dense = in_.pixel_stride == in_.channels;
    const int64_t pixels = dense ? 1 : in_.width, elements = dense ? in_.width * in_.channels : in_.channels;
    const uint8_t* lines[kTaps];
    double weights[kTaps];
    for (int64_t first = 0; first < rows_.count; first += kTaps) {
      const int64_t count = std::min(kTaps, rows_.count - first);
      for (int64_t p = 0; p < pixels; ++p) {
        for (int64_t k = 0; k < count; ++k) {
          const int64_t at = (first + k) * rows_.out + row;
          lines[k] = image + nth(rows_.index, at) * in_.row_stride + p * in_.pixel_stride;
          weights[k] = nth(rows_.weight, at);
        }
        sum_byte_lines(lines, weights, count, elements, from_, first == 0, sums + p * in_.channels);
      }
    }
  }

  ResizeParameters resize_;
  DequantizedBytes from_;
  Quantizer to_;
  ImageView in_, out_;
  DoubleTaps rows_, columns_;
};

}  // namespace

std::unique_ptr<Kernel> make_resize_bytes(const Attributes& parameters) {
  return std::make_unique<ResizeBytes>(read_parameters<ResizeBytesParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
