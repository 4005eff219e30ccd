// Kernel "quantize_any": QuantizeLinear, or with "inverse" DequantizeLinear, between all types that the operators have. Inputs: x, scales and
// zero points (absent: zero), each one value, one for each index of `axis`, or with `block` above zero one for each block of them.
#include "backends/cuda/device/cu/quantize.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

bool is_any_of(DType type, std::initializer_list<DType> list) {
  return std::find(list.begin(), list.end(), type) != list.end();
}
bool is_real_type(DType type) { return is_any_of(type, {DType::kF16, DType::kBF16, DType::kF32, DType::kF64}); }
bool is_code_type(DType type) {
  return bits(type) > 0 &&
         (bits(type) < 8 || is_any_of(type, {DType::kI8, DType::kU8, DType::kI16, DType::kU16, DType::kF8E4M3FN,
                                             DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ}));
}

class QuantizeAny final : public DenseKernel {
 public:
  QuantizeAny(Gpu& gpu, const QuantizeAnyParameters& p) : DenseKernel(gpu), p_(p) {
    if (!is_real_type(p.precision)) throw malformed_parameter("precision", "is no type to divide in");
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 3 || call.outputs.size() != 1 || !call.inputs[0].present() || !call.inputs[1].present())
      return {Code::kMalformedPlan, "quantize_any has other operands"};
    const TensorView &x = call.inputs[0], &scale = call.inputs[1], &zero = call.inputs[2], &y = call.outputs[0];
    const bool integer_scale = !p_.inverse && scale.dtype == DType::kI32;
    const DType real = p_.inverse ? y.dtype : x.dtype, code = p_.inverse ? x.dtype : y.dtype;
    if (!(is_real_type(real) || (!p_.inverse && real == DType::kI32)) ||
        !(is_code_type(code) || (p_.inverse && code == DType::kI32)) ||
        !(is_real_type(scale.dtype) || scale.dtype == DType::kF8E8M0 || integer_scale) ||
        (zero.present() && zero.dtype != code))
      return {Code::kMalformedPlan, "quantize_any has operands of other types"};
    if (!same_dims(x, y)) return {Code::kShapeMismatch, "quantization keeps the shape"};
    if (x.elements() > INT32_MAX - kQuantizeLanes)
      return {Code::kUnsupported, "quantize_any takes fewer than 2^31 elements"};
    arguments_ = {};
    const bool has_axis = p_.axis < x.rank;
    const int axis = static_cast<int>(p_.axis);
    const int64_t n = has_axis ? x.dims[axis] : 1, inner = has_axis ? extent(x, axis + 1, x.rank) : 1;
    if (!places(x, scale, n, inner, arguments_.scale) ||
        (zero.present() && !places(x, zero, n, inner, arguments_.zero)))
      return {Code::kShapeMismatch, "a scale or zero point has another size"};
    arguments_.from = x.dtype;
    arguments_.to = y.dtype;
    arguments_.count = static_cast<uint32_t>(x.elements());
    arguments_.extent = divisor(std::min<int64_t>(n, INT32_MAX));
    arguments_.inner = divisor(std::min<int64_t>(inner, INT32_MAX));
    arguments_.block = divisor(std::max<int64_t>(p_.block, 1));
    arguments_.precision = p_.precision;
    arguments_.saturate = p_.saturate;
    const bool wide = is_any_of(DType::kI32, {x.dtype, scale.dtype}) ||
                      is_any_of(DType::kF64, {x.dtype, scale.dtype}) || p_.precision == DType::kF64;
    launch_ = {
        gpu_.function("quantize", std::string(p_.inverse ? "dequantize" : "quantize") + (wide ? "_f64" : "_f32"))};
    launch_.threads = kQuantizeThreads;
    launch_.grid[0] = blocks_for(x.elements(), int64_t{kQuantizeThreads} * kQuantizeLanes);
    return kOkStatus;
  }

  // False when its shape is none of those that it may have.
  bool places(const TensorView& x, const TensorView& v, int64_t n, int64_t inner, QuantizeParameter& to) const {
    to.type = v.dtype;
    to.outer = to.axis = to.inner = 0;
    if (v.elements() == 1) return true;
    if (p_.axis >= x.rank) return false;
    if (p_.block == 0) {
      to.axis = 1;
      return v.rank == 1 && v.dims[0] == n;
    }
    if (v.rank != x.rank) return false;
    const int64_t blocks = ceil_div(n, p_.block);
    for (int i = 0; i < x.rank; ++i)
      if (v.dims[i] != (i == p_.axis ? blocks : x.dims[i])) return false;
    to.outer = blocks * inner;
    to.axis = inner;
    to.inner = 1;
    return true;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    arguments_.x = call.inputs[0].data;
    arguments_.scale.data = call.inputs[1].data;
    arguments_.zero.data = call.inputs[2].present() ? call.inputs[2].data : nullptr;
    arguments_.y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_);
  }

  QuantizeAnyParameters p_;
  QuantizeArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_quantize_any(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<QuantizeAny>(gpu, read_parameters<QuantizeAnyParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
