// Kernels "integer_product" and "integer_conv": products and convolutions of bytes, exact. Inputs: both operands, their zero points (may be
// absent), then either nothing more (the result is int32), or scales of both, scale and zero point of the result (bytes), and, of a
// convolution, a bias (int32, may be absent). Scales and zero points are one, or one for each row of the left operand and each column of the
// right one; of a convolution those of the weights may be one for each channel of the result.
#include "backends/cuda/device/cu/integer_product.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/integer_parameters.h"

namespace kiln::cuda::kernels {
namespace {

static_assert(SpatialWindow::kMostDimensions == kIntegerAxes);

// Places of the inputs.
enum IntegerInput : size_t { kLeft, kRight, kLeftZero, kRightZero, kLeftScale, kRightScale, kScale, kZero, kBias };

class IntegerKernel : public DenseKernel {
 protected:
  using DenseKernel::DenseKernel;

  // Types of operands, and numbers that are one for all or one for each row or column.
  Status check(const KernelCall& call, size_t inputs_of_bytes) {
    if ((call.inputs.size() != 4 && call.inputs.size() != inputs_of_bytes) || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a product of bytes has other operands"};
    const bool quantizes = call.inputs.size() > 4;
    const TensorView& y = call.outputs[0];
    if (!is_byte(call.inputs[kLeft]) || !is_byte(call.inputs[kRight]) ||
        (quantizes ? !is_byte(y) : y.dtype != DType::kI32))
      return {Code::kMalformedPlan, "a product of bytes has operands of other types"};
    if (y.elements() > INT32_MAX) return {Code::kUnsupported, "a product of bytes has too many results"};
    return kOkStatus;
  }

  // Steps of the numbers, of which there are so many; false where one does not fit.
  bool place(const KernelCall& call, int64_t rows, int64_t columns, IntegerOperand& a, IntegerOperand& b,
             IntegerResult& y) {
    a.is_signed = call.inputs[kLeft].dtype == DType::kI8;
    b.is_signed = call.inputs[kRight].dtype == DType::kI8;
    y.is_signed = call.outputs[0].dtype == DType::kI8;
    bool sound = fits_zero(call, kLeftZero, call.inputs[kLeft].dtype, rows, a.zero_step) &&
                 fits_zero(call, kRightZero, call.inputs[kRight].dtype, columns, b.zero_step);
    if (call.inputs.size() == 4) return sound;
    sound = sound && fits(call.inputs[kLeftScale], DType::kF32, rows, y.a_step) &&
            fits(call.inputs[kRightScale], DType::kF32, columns, y.b_step) &&
            fits(call.inputs[kScale], DType::kF32, rows, y.y_step) &&
            fits(call.inputs[kZero], call.outputs[0].dtype, rows, y.zero_step);
    if (call.inputs.size() <= kBias || !call.inputs[kBias].present()) return sound;
    const TensorView& bias = call.inputs[kBias];
    return sound && bias.dtype == DType::kI32 && bias.elements() == columns;
  }

  void point(const KernelCall& call, IntegerOperand& a, IntegerOperand& b, IntegerResult& y) const noexcept {
    a.data = pointer_of<const uint8_t>(call.inputs[kLeft]);
    b.data = pointer_of<const uint8_t>(call.inputs[kRight]);
    a.zero = pointer_of<const uint8_t>(call.inputs[kLeftZero]);
    b.zero = pointer_of<const uint8_t>(call.inputs[kRightZero]);
    y.data = call.outputs[0].data;
    if (call.inputs.size() == 4) return;
    y.a_scale = pointer_of<const float>(call.inputs[kLeftScale]);
    y.b_scale = pointer_of<const float>(call.inputs[kRightScale]);
    y.y_scale = pointer_of<const float>(call.inputs[kScale]);
    y.zero = pointer_of<const uint8_t>(call.inputs[kZero]);
    y.bias = call.inputs.size() > kBias ? pointer_of<const int32_t>(call.inputs[kBias]) : nullptr;
  }

  void cover(const char* function, int64_t count) {
    launch_ = {gpu_.function("integer_product", function)};
    launch_.threads = kIntegerThreads;
    launch_.grid[0] = blocks_for(count, kIntegerThreads);
  }

  Launch launch_;

 private:
  static bool fits(const TensorView& v, DType type, int64_t count, int32_t& step) {
    step = v.elements() != 1;
    return v.present() && v.dtype == type && (step == 0 || (v.rank == 1 && v.dims[0] == count));
  }
  static bool fits_zero(const KernelCall& call, IntegerInput place, DType type, int64_t count, int32_t& step) {
    step = 0;
    return !call.inputs[place].present() || fits(call.inputs[place], type, count, step);
  }
};

class IntegerProduct final : public IntegerKernel {
 public:
  IntegerProduct(Gpu& gpu, const NoParameters&) : IntegerKernel(gpu) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    constexpr Status kUnfit = {Code::kShapeMismatch, "the operands of a product of bytes do not fit each other"};
    KILN_RETURN_IF_ERROR(check(call, kBias));
    const TensorView &a = call.inputs[kLeft], &b = call.inputs[kRight], &y = call.outputs[0];
    if (a.rank < 2 || b.rank < 2 || y.rank != std::max(a.rank, b.rank)) return kUnfit;
    const int64_t rows = a.dims[a.rank - 2], terms = a.dims[a.rank - 1], columns = b.dims[b.rank - 1];
    if (b.dims[b.rank - 2] != terms || y.dims[y.rank - 2] != rows || y.dims[y.rank - 1] != columns) return kUnfit;
    const auto rank = static_cast<size_t>(y.rank - 2);
    Loop loop{Dims(y.dims, y.dims + rank), {Dims(y.strides, y.strides + rank)}};
    for (const TensorView* v : {&a, &b}) {
      for (int i = 0; i < v->rank - 2; ++i)
        if (v->dims[i] != 1 && v->dims[i] != y.dims[y.rank - v->rank + i]) return kUnfit;
      loop.strides.push_back(broadcast_strides(v->rank - 2, v->dims, v->strides, rank));
    }
    const Loop batch = merged(loop);
    if (batch.dims.size() > kMaxAxes)
      return {Code::kUnsupported, "the matrices of a product of bytes have too many axes"};
    for (int64_t n : {rows, terms, columns, batch.count()})
      if (n > INT32_MAX) return {Code::kUnsupported, "a product of bytes has too many rows, columns or terms"};
    if (!place(call, rows, columns, arguments_.a, arguments_.b, arguments_.y))
      return {Code::kMalformedPlan, "a scale or zero point of a product of bytes does not fit"};
    arguments_.count = static_cast<uint32_t>(y.elements());
    arguments_.terms = static_cast<uint32_t>(terms);
    arguments_.rows = divisor(rows);
    arguments_.columns = divisor(columns);
    arguments_.batch = walk_of<3>(batch);
    cover("integer_product", y.elements());
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    point(call, arguments_.a, arguments_.b, arguments_.y);
    return gpu_.launch(stream, launch_, arguments_);
  }

  IntegerProductArguments arguments_ = {};
};

class IntegerConv final : public IntegerKernel {
 public:
  IntegerConv(Gpu& gpu, IntegerConvParameters p) : IntegerKernel(gpu), p_(std::move(p)) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call, kBias + 1));
    const TensorView &x = call.inputs[kLeft], &w = call.inputs[kRight], &y = call.outputs[0];
    const int rank = static_cast<int>(p_.window.rank()) + 2;
    if (x.rank != rank || w.rank != rank || y.rank != rank || !shapes_fit(x, w, y))
      return {Code::kShapeMismatch, "the operands of a convolution of bytes do not fit each other"};
    IntegerConvArguments& a = arguments_;
    if (!place(call, 1, w.dims[0], a.x, a.w, a.y))
      return {Code::kMalformedPlan, "a scale, zero point or bias of a convolution does not fit"};
    a.count = static_cast<uint32_t>(y.elements());
    a.axes = rank - 2;
    a.groups = p_.groups;
    a.channels = w.dims[1];
    a.plane = extent(x, 2, rank);
    a.taps = extent(w, 2, rank);
    if (a.count > 0) {
      a.columns = divisor(w.dims[0]);
      a.outputs = divisor(w.dims[0] / p_.groups);
      for (int i = 0; i < a.axes; ++i) put_axis(static_cast<size_t>(i), x.dims[i + 2], y.dims[i + 2]);
    }
    cover("integer_conv", y.elements());
    return kOkStatus;
  }

  bool shapes_fit(const TensorView& x, const TensorView& w, const TensorView& y) const {
    const int64_t groups = p_.groups;
    if (w.dims[0] % groups != 0 || x.dims[1] % groups != 0 || x.dims[1] / groups != w.dims[1] ||
        y.dims[0] != x.dims[0] || y.dims[1] != w.dims[0])
      return false;
    for (size_t i = 0; i < p_.window.rank(); ++i)
      if (p_.window.kernel[i] != w.dims[i + 2] || !p_.window.fits(i, x.dims[i + 2], y.dims[i + 2])) return false;
    return true;
  }

  void put_axis(size_t i, int64_t in, int64_t out) {
    arguments_.out[i] = divisor(out);
    arguments_.window[i] = {in, p_.window.kernel[i], p_.window.strides[i], p_.window.dilations[i],
                            p_.window.pads(i, in, out).first};
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    point(call, arguments_.x, arguments_.w, arguments_.y);
    return gpu_.launch(stream, launch_, arguments_);
  }

  IntegerConvParameters p_;
  IntegerConvArguments arguments_ = {};
};

}  // namespace

std::unique_ptr<Kernel> make_integer_product(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<IntegerProduct>(gpu, read_parameters<NoParameters>(parameters));
}
std::unique_ptr<Kernel> make_integer_conv(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<IntegerConv>(gpu, read_parameters<IntegerConvParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
