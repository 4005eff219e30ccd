// Kernel "conv_int16": convolution of int16 or uint16 with packed int16, which are bytes less their zero points, channels last, as a product
// whose rows are copied to lie side by side unless they do. Inputs: x, packed weights, then what SumOperands has; of a uint16 less 2^15 is
// multiplied. Parameters: window, `depth` (of volumes), groups, and `x_zero`, the value of padding.
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/window_rows.h"
#include "backends/cpu/device/kernels/word_rows.h"

namespace kiln::cpu::kernels {
namespace {

class ConvInt16 final : public Kernel {
 public:
  explicit ConvInt16(const ConvInt16Parameters& p)
      : image_(p.image), depth_(p.depth), padding_(static_cast<uint16_t>(p.x_zero)), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a convolution of 16 bits is too small"};
      return sums_.prepare(call, 2, shape_.windows(), shape_.out_c, pixels_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const TensorView& x = call.inputs[0];
    const SumEpilogue epilogue = sums_.bind(call, 0, nullptr);
    const int64_t columns = shape_.out_c / shape_.groups;
    for (int64_t g = 0; g < shape_.groups; ++g) {
      const WindowRows rows(shape_, static_cast<const uint8_t*>(x.data) + g * (shape_.in_c / shape_.groups), 1, false,
                            padding_);
      const Int8Product product{
          .rows = shape_.windows(),
          .columns = columns,
          .terms = row_bytes_,
          .left = &rows,
          .kind = kind_of_words(x),
          .packed = static_cast<const int8_t*>(call.inputs[1].data) + g * packed_int8_bytes(row_bytes_, columns),
          .out = call.outputs[0].data,
          .out_stride = shape_.out_stride,
          .first_column = g * columns};
      product_int8(product, epilogue, thread_count(), static_cast<uint8_t*>(call.workspace));
    }
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    if (shape_.out_c == 0) return 0;  // whatever the weights have of terms
    return static_cast<size_t>(int8_scratch_bytes(shape_.windows(), row_bytes_, false, thread_count()));
  }

 private:
  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() < 5 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a convolution of 16 bits has five operands or more"};
    const TensorView& w = call.inputs[1];
    if (!is_word(call.inputs[0]) || w.dtype != DType::kI16 || !is_plain(w) || !w.is_dense())
      return {Code::kMalformedPlan, "the operands of a convolution of 16 bits have other types"};
    if (call.inputs[4].present()) return {Code::kMalformedPlan, "a convolution of 16 bits has a zero point of its own"};
    KILN_RETURN_IF_ERROR(read_windows(image_, depth_, call, shape_));
    const int64_t plane = shape_.kernel_h * shape_.kernel_w;  // each below 2^31
    const auto taps = checked_mul(plane, shape_.kernel_d);
    const auto terms = taps ? checked_mul(*taps, shape_.in_c / shape_.groups) : std::nullopt;
    const auto group = terms ? packed_words(*terms, shape_.out_c / shape_.groups) : std::nullopt;
    const auto all = group ? checked_mul(*group, shape_.groups) : std::nullopt;
    if (!all || w.elements() != *all) return {Code::kShapeMismatch, "packed weights have another size"};
    row_bytes_ = *terms * kWordBytes;
    shape_.in_c *= kWordBytes;
    shape_.in_stride *= kWordBytes;
    return kOkStatus;
  }

  GroupedWindow image_;
  DepthParameters depth_;
  uint16_t padding_;
  SumOperands sums_;
  VolumeShape shape_;  // channels of x counted in bytes
  int64_t row_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_int16(const Attributes& parameters) {
  return std::make_unique<ConvInt16>(read_parameters<ConvInt16Parameters>(parameters));
}

}  // namespace kiln::cpu::kernels
