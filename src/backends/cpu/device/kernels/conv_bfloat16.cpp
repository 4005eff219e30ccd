// Kernel "conv_bfloat16": convolution of float32 with packed bfloat16, channels last, sums in float32. x is rounded to bfloat16: row by row
// where windows are pixels, else as a whole before. Inputs: x, packed weights, then what SumOperands has, whose first three are absent.
// Parameters: window and groups.
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/rounded_rows.h"
#include "backends/cpu/device/kernels/window_rows.h"

namespace kiln::cpu::kernels {
namespace {

class ConvBfloat16 final : public Kernel {
 public:
  explicit ConvBfloat16(const Attributes& p)
      : window_(read_sliding_window(p)), groups_(read_integer(p, "groups", 1, int64_t{1} << 30)), sums_(p) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a convolution of bfloat16 is too small"};
      return sums_.prepare(call, 2, rows(), shape_.out_c, pixels_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const auto* x = static_cast<const float*>(call.inputs[0].data);
    auto* space = static_cast<uint8_t*>(call.workspace);
    const SumEpilogue epilogue = sums_.bind(call, 0, nullptr);
    if (pixels_are_rows()) {
      multiply(call, RoundedRows(x, shape_.in_stride, shape_.in_c), epilogue, 0, space);
      return kOkStatus;
    }
    round_image(x, reinterpret_cast<uint16_t*>(space));
    const ConvShape bytes = in_bytes();
    for (int64_t g = 0; g < groups_; ++g)
      multiply(call, WindowRows(bytes, space + g * (bytes.in_c / groups_), 1, false, 0), epilogue, g,
               space + image_bytes());
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return static_cast<size_t>(image_bytes() + int8_scratch_bytes(rows(), terms_, thread_count()));
  }

 private:
  int64_t rows() const { return shape_.batch * shape_.out_h() * shape_.out_w(); }
  int64_t pixels() const { return shape_.batch * shape_.in_h * shape_.in_w; }
  // Each row of the product is a pixel of x.
  bool pixels_are_rows() const {
    const ConvShape& s = shape_;
    return groups_ == 1 && s.kernel_h * s.kernel_w == 1 && s.stride_h * s.stride_w == 1 &&
           s.pad_top + s.pad_left + s.pad_bottom + s.pad_right == 0;
  }
  int64_t image_bytes() const {
    return pixels_are_rows() ? 0 : align_up(pixels() * shape_.in_c * kBfloat16Bytes, int64_t{64});
  }
  // The rounded image, whose pixels lie side by side.
  ConvShape in_bytes() const {
    ConvShape s = shape_;
    s.in_c *= kBfloat16Bytes;
    s.in_stride = s.in_c;
    return s;
  }

  void round_image(const float* x, uint16_t* to) const noexcept {
    const int64_t channels = shape_.in_c;
    const double nanoseconds = static_cast<double>(pixels()) * static_cast<double>(channels) * 0.1;
    parallel_ranges(useful_threads(thread_count(), nanoseconds), pixels(), [&](int64_t begin, int64_t end, int) {
      if (shape_.in_stride == channels)
        return round_to_bfloat16(x + begin * channels, to + begin * channels, (end - begin) * channels);
      for (int64_t i = begin; i < end; ++i) round_to_bfloat16(x + i * shape_.in_stride, to + i * channels, channels);
    });
  }

  void multiply(const KernelCall& call, const ByteRows& left, const SumEpilogue& epilogue, int64_t group,
                uint8_t* scratch) const noexcept {
    const int64_t columns = shape_.out_c / groups_;
    const Int8Product product{
        .rows = rows(),
        .columns = columns,
        .terms = terms_,
        .left = &left,
        .kind = Int8Product::kBfloat16,
        .packed = static_cast<const int8_t*>(call.inputs[1].data) + group * packed_int8_bytes(terms_, columns),
        .out = call.outputs[0].data,
        .out_stride = shape_.out_stride,
        .first_column = group * columns};
    product_int8(product, epilogue, thread_count(), scratch);
  }

  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 5 || call.outputs.size() != 1 || call.inputs[2].present() || call.inputs[4].present() ||
        !is_f32(call.inputs[0]) || !is_f32(call.outputs[0]))
      return {Code::kMalformedPlan, "a convolution of bfloat16 has five operands of float32 or more"};
    KILN_RETURN_IF_ERROR(read_windows(window_, groups_, call, shape_));
    const TensorView& w = call.inputs[1];
    if (w.dtype != DType::kBF16 || !w.is_dense())
      return {Code::kMalformedPlan, "the packed weights of a convolution of bfloat16 have another type"};
    const int64_t taps = shape_.kernel_h * shape_.kernel_w;  // each below 2^31
    const auto terms = checked_mul(taps, shape_.in_c / groups_);
    const auto bytes = terms ? checked_mul(*terms, kBfloat16Bytes) : std::nullopt;
    const auto padded = bytes ? checked_add(*bytes, 3) : std::nullopt;
    const auto group = padded ? checked_mul(*padded / 4 * 4, int8_columns(shape_.out_c / groups_)) : std::nullopt;
    const auto all = group ? checked_mul(*group, groups_) : std::nullopt;
    if (!all || w.elements() != *all / kBfloat16Bytes)
      return {Code::kShapeMismatch, "packed weights have another size"};
    terms_ = *bytes;
    return kOkStatus;
  }

  SlidingWindow window_;
  int64_t groups_;
  SumOperands sums_;
  ConvShape shape_;
  int64_t terms_ = 0;  // bytes of a row
};

}  // namespace

std::unique_ptr<Kernel> make_conv_bfloat16(const Attributes& parameters) {
  return std::make_unique<ConvBfloat16>(parameters);
}

}  // namespace kiln::cpu::kernels
