// Kernel "conv_transpose": transposed convolution over one or two dimensions, channels last. Inputs: x, weights [in, out / groups,
// height, width], bias, residual. Parameter `ordered`: the weights are as conv_transpose's tactic packs them.
#include "backends/cpu/device/compute/conv_transpose.h"

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/conv_call.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/conv_transpose.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kMostExtent = int64_t{1} << 31;

class ConvTranspose final : public Kernel {
 public:
  explicit ConvTranspose(const ConvTransposeParameters& p)
      : parameters_(p.conv), blocks_(p.blocks), ordered_(p.ordered) {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read(call, shape_, residual_stride_));
    if (floats(shape_) * static_cast<int64_t>(sizeof(float)) > static_cast<int64_t>(call.workspace_size))
      return {Code::kMalformedPlan, "the workspace of a transposed convolution is too small"};
    return kOkStatus;
  }

  // What cannot be read is refused by prepare.
  size_t workspace(const KernelCall& call) noexcept override {
    TransposeShape s;
    int64_t stride = 0;
    return read(call, s, stride).ok() ? static_cast<size_t>(floats(s)) * sizeof(float) : kNoWorkspace;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const auto* x = static_cast<const float*>(call.inputs[0].data);
    const auto* weights = static_cast<const float*>(call.inputs[1].data);
    auto* y = static_cast<float*>(call.outputs[0].data);
    auto* columns = static_cast<float*>(call.workspace);
    if (!ordered_) {
      float* packed = columns + column_floats(shape_);
      pack_transpose(shape_, weights, blocks_, packed, packed + packed_transpose_floats(shape_));
      weights = packed;
    }
    const Epilogue epilogue = make_epilogue(parameters_.epilogue, call.inputs[2], call.inputs[3], residual_stride_);
    const int64_t in_image = shape_.in[0] * shape_.in[1] * shape_.in_stride,
                  out_image = shape_.out[0] * shape_.out[1] * shape_.out_stride;
    const double work = 0.3 * static_cast<double>(shape_.out[0] * shape_.out[1] * shape_.out_c);
    for (int64_t n = 0; n < call.inputs[0].dims[0]; ++n) {
      if (!shape_.is_depthwise()) multiply(x + n * in_image, weights, columns);
      parallel_ranges(useful_threads(thread_count(), work), shape_.out[0], [&](int64_t begin, int64_t end) {
        float* to = y + n * out_image;
        if (shape_.is_depthwise())
          sum_scaled_taps(shape_, x + n * in_image, weights, epilogue, n * shape_.out[0], begin, end, to);
        else sum_taps(shape_, columns, epilogue, n * shape_.out[0], begin, end, to);
      });
    }
    return kOkStatus;
  }

 private:
  Status read(const KernelCall& call, TransposeShape& s, int64_t& residual_stride) const noexcept {
    if (call.inputs.size() != 4 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a transposed convolution has four operands"};
    const TensorView &w = call.inputs[1], &bias = call.inputs[2];
    const auto in = image_of(call.inputs[0]), out = image_of(call.outputs[0]);
    if (!in || !out || !in->equidistant || !out->equidistant || !is_f32(call.inputs[0]) || !is_f32(call.outputs[0]) ||
        !is_dense_f32(w))
      return {Code::kMalformedPlan, "operands of a transposed convolution are not channels last, float32"};
    s.groups = parameters_.groups;
    s.in_c = in->channels;
    s.out_c = out->channels;
    s.in_stride = in->pixel_stride;
    s.out_stride = out->pixel_stride;
    const int64_t sizes[2][2] = {{in->height, out->height}, {in->width, out->width}};
    for (int axis : {0, 1}) {
      s.in[axis] = sizes[axis][0];
      s.out[axis] = sizes[axis][1];
      s.kernel[axis] = parameters_.window.kernel[axis];
      s.stride[axis] = parameters_.window.stride[axis];
      s.dilation[axis] = parameters_.window.dilation[axis];
      s.begin[axis] = parameters_.window.begin[axis];
      if (s.kernel[axis] > kMostExtent || s.dilation[axis] > kMostExtent || s.begin[axis] > kMostExtent)
        return {Code::kMalformedPlan, "the window of a transposed convolution is too large"};
    }
    if (s.in_c % s.groups != 0 || s.out_c % s.groups != 0 || in->batch != out->batch)
      return {Code::kShapeMismatch, "operands of a transposed convolution do not fit each other"};
    const auto wanted = ordered_ ? checked_packed_floats(s) : weight_floats(s);
    if (!wanted || w.elements() != *wanted)
      return {Code::kShapeMismatch, "weights of a transposed convolution have another size"};
    if (bias.present() && !is_vector(bias, s.out_c))
      return {Code::kShapeMismatch, "the bias of a transposed convolution has another size"};
    if (!checked_mul(s.in[0] * s.in[1], *weight_floats(s) / std::max<int64_t>(s.in_c / s.groups, 1)))
      return {Code::kOverflow, "a transposed convolution is too large"};
    return read_residual(call.inputs[3], *out, residual_stride);
  }

  static std::optional<int64_t> weight_floats(const TransposeShape& s) {
    const auto taps = checked_mul(s.kernel[0], s.kernel[1]);
    const auto rows = taps ? checked_mul(*taps, s.in_c) : std::nullopt;
    return rows ? checked_mul(*rows, s.out_c / s.groups) : std::nullopt;
  }
  static std::optional<int64_t> checked_packed_floats(const TransposeShape& s) {
    return weight_floats(s) ? std::optional(packed_transpose_floats(s)) : std::nullopt;
  }
  static int64_t column_floats(const TransposeShape& s) {
    return s.is_depthwise() ? 0 : align_up(s.in[0] * s.in[1] * s.taps() * s.out_c, 16);
  }
  int64_t floats(const TransposeShape& s) const {
    const int64_t own = ordered_ ? 0 : packed_transpose_floats(s) + ordered_transpose_floats(s);
    return column_floats(s) + own + product_floats(s);
  }
  GemmCall product_of(const TransposeShape& s) const {
    GemmCall call;
    call.m = s.in[0] * s.in[1];
    call.n = s.taps() * (s.out_c / s.groups);
    call.k = s.in_c / s.groups;
    call.a_stride = s.in_stride;
    call.c_stride = s.taps() * s.out_c;
    return call;
  }
  int64_t product_floats(const TransposeShape& s) const {
    return s.is_depthwise() ? 0 : gemm_workspace(product_of(s), blocks_);
  }

  void multiply(const float* x, const float* weights, float* columns) const noexcept {
    float* space = columns + floats(shape_) - product_floats(shape_);
    GemmCall call = product_of(shape_);
    for (int64_t g = 0; g < shape_.groups; ++g) {
      call.a = x + g * call.k;
      call.c = columns + g * call.n;
      gemm(call, weights + g * align_up(packed_b_floats(call.k, call.n), 16), {}, blocks_, space);
    }
  }

  ConvParameters parameters_;
  BlockConfig blocks_;
  bool ordered_;
  TransposeShape shape_;
  int64_t residual_stride_ = 0;
};

}  // namespace

int64_t ordered_transpose_floats(const TransposeShape& s) {
  return s.is_depthwise() ? 0 : align_up(s.in_c / s.groups * s.taps() * (s.out_c / s.groups), 16);
}

int64_t packed_transpose_floats(const TransposeShape& s) {
  if (s.is_depthwise()) return align_up(s.taps() * s.in_c, 16);
  return s.groups * align_up(packed_b_floats(s.in_c / s.groups, s.taps() * (s.out_c / s.groups)), 16);
}

void pack_transpose(const TransposeShape& s, const float* weights, const BlockConfig& blocks, float* packed,
                    float* ordered) noexcept {
  if (s.is_depthwise()) return order_taps(s, weights, 0, packed);
  const int64_t k = s.in_c / s.groups, n = s.taps() * (s.out_c / s.groups);
  for (int64_t g = 0; g < s.groups; ++g) {
    order_taps(s, weights, g, ordered);
    pack_b({ordered, n, false}, k, n, blocks.panel, packed + g * align_up(packed_b_floats(k, n), 16));
  }
}

std::unique_ptr<Kernel> make_conv_transpose(const Attributes& parameters) {
  return std::make_unique<ConvTranspose>(read_parameters<ConvTransposeParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
