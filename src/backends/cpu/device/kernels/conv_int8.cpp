// Kernel "conv_int8": convolution of bytes with signed bytes, channels last, as a product whose rows are copied to lie side by side
// unless they do. Inputs and parameters as byte_image.h has them; `parts`: the weights are the sum of so many, packed below one another.
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/window_rows.h"

namespace kiln::cpu::kernels {
namespace {

class ConvInt8 final : public Kernel {
 public:
  explicit ConvInt8(const ConvInt8Parameters& p) : image_(p.image), x_zero_(p.x_zero), parts_(p.parts), sums_(p.sums) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      KILN_RETURN_IF_ERROR(read(call));
      if (workspace(call) > call.workspace_size)
        return {Code::kMalformedPlan, "the workspace of a convolution of bytes is too small"};
      return sums_.prepare(call, 2, rows(), shape_.out_c, pixels_of);
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const int64_t columns = shape_.out_c / shape_.groups, packed = packed_int8_bytes(terms_, columns);
    const bool is_signed = call.inputs[0].dtype == DType::kI8;
    const int32_t zero = sums_.zero_point(call, x_zero_);
    auto* space = static_cast<std::byte*>(call.workspace);
    const SumEpilogue epilogue = sums_.bind(call, is_signed ? 128 : 0, space);
    auto* scratch = reinterpret_cast<uint8_t*>(space + SumOperands::space(call, 2, shape_.out_c));
    for (int64_t g = 0; g < shape_.groups; ++g) {
      const WindowRows left(shape_,
                            static_cast<const uint8_t*>(call.inputs[0].data) + g * (shape_.in_c / shape_.groups),
                            parts_, is_signed, zero);
      const Int8Product product{.rows = rows(),
                                .columns = columns,
                                .terms = terms_,
                                .left = &left,
                                .kind = is_signed && left.in_place() ? Int8Product::kFlipped : Int8Product::kUnsigned,
                                .packed = static_cast<const int8_t*>(call.inputs[1].data) + g * packed,
                                .out = call.outputs[0].data,
                                .out_stride = shape_.out_stride,
                                .first_column = g * columns};
      product_int8(product, epilogue, thread_count(), scratch);
    }
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override {
    if (!read(call).ok()) return kNoWorkspace;
    return SumOperands::space(call, 2, shape_.out_c) +
           static_cast<size_t>(int8_scratch_bytes(rows(), terms_, thread_count()));
  }

 private:
  int64_t rows() const { return shape_.batch * shape_.out_h() * shape_.out_w(); }

  Status read(const KernelCall& call) noexcept {
    KILN_RETURN_IF_ERROR(read_byte_images(image_, call, DType::kI8, shape_));
    const int64_t taps = shape_.kernel_h * shape_.kernel_w;  // each below 2^31
    const auto part = checked_mul(taps, shape_.in_c / shape_.groups);
    const auto terms = part ? checked_mul(*part, parts_) : std::nullopt;
    const auto padded = terms ? checked_add(*terms, 3) : std::nullopt;
    const auto group = padded ? checked_mul(*padded / 4 * 4, int8_columns(shape_.out_c / shape_.groups)) : std::nullopt;
    const auto all = group ? checked_mul(*group, shape_.groups) : std::nullopt;
    if (!all || call.inputs[1].elements() != *all) return {Code::kShapeMismatch, "packed weights have another size"};
    terms_ = *terms;
    return kOkStatus;
  }

  GroupedWindow image_;
  int32_t x_zero_;
  int64_t parts_;
  SumOperands sums_;
  ConvShape shape_;
  int64_t terms_ = 0;  // of all parts
};

}  // namespace

std::unique_ptr<Kernel> make_conv_int8(const Attributes& parameters) {
  return std::make_unique<ConvInt8>(read_parameters<ConvInt8Parameters>(parameters));
}

}  // namespace kiln::cpu::kernels
