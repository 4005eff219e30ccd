// Kernels "conv_any" and "product_any": convolutions and products between plain tensors of any strides, float32, float16 or
// bfloat16, constant or not. Inputs: x [n, c, (h,) w], weights [o, c, (h,) w], or a [..., m, k] and b [..., k, n] whose leading axes
// broadcast; bias (one element for each column, float32 or like x), residual (of the result's shape).
#include "backends/cuda/device/cu/conv_any.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/product_parameters.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/conv_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class AnyKernel : public Kernel {
 public:
  AnyKernel(Gpu& gpu, const EpilogueParameters& epilogue) : gpu_(gpu), epilogue_(epilogue) {}

  Status prepare(const KernelCall& call) noexcept final {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 4 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "a product has four operands"};
      const TensorView &x = call.inputs[0], &w = call.inputs[1], &bias = call.inputs[2], &residual = call.inputs[3],
                       &y = call.outputs[0];
      if (!float_suffix(x.dtype)) return {Code::kMalformedPlan, "a product is of float32, float16 or bfloat16"};
      for (const TensorView& v : {x, w, residual, y})
        if (v.present() && (v.dtype != x.dtype || !is_plain(v)))
          return {Code::kMalformedPlan, "the operands of a product are plain and of one type"};
      if (residual.present() && !same_dims(residual, y))
        return {Code::kShapeMismatch, "the sum of a product has another shape"};
      ConvAnyArguments& a = arguments_;
      a = {};
      a.factor = 1;
      a.activation = epilogue_.activation;
      a.alpha = epilogue_.alpha;
      a.beta = epilogue_.beta;
      a.residual_after = epilogue_.residual_after;
      rows_ = {{}, {{}, {}}};
      items_ = {{}, {{}, {}, {}, {}}};
      KILN_RETURN_IF_ERROR(read(call));
      const int64_t columns = int64_t{a.columns} * (a.bias_per_item ? items_.count() : 1);
      if (bias.present() && (!is_plain(bias) || !bias.is_dense() || bias.elements() != columns ||
                             (bias.dtype != DType::kF32 && bias.dtype != x.dtype)))
        return {Code::kShapeMismatch, "the bias of a product is one number for each column"};
      a.bias_is_float = bias.dtype == DType::kF32;
      return plan(float_suffix(x.dtype));
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept final {
    ConvAnyArguments& a = arguments_;
    a.x = call.inputs[0].data;
    a.w = call.inputs[1].data;
    a.bias = call.inputs[2].data;
    a.residual = call.inputs[3].data;
    a.y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, a);
  }

 protected:
  // Fills the arguments but addresses and bias, rows_ and items_.
  virtual Status read(const KernelCall& call) = 0;

  static bool narrow_enough(std::initializer_list<int64_t> sizes) {
    return std::all_of(sizes.begin(), sizes.end(), [](int64_t n) { return n <= INT32_MAX; });
  }

  Gpu& gpu_;
  ConvAnyArguments arguments_ = {};
  Loop rows_, items_;  // operands: y, residual; y, x, w, residual

 private:
  Status plan(const char* suffix) {
    constexpr int64_t kMostItems = UINT16_MAX, kMostColumnTiles = UINT16_MAX;
    // Items keep their order: the bias of a group is found by its number.
    if (items_.dims.size() > kMaxAxes || items_.count() > kMostItems || rows_.count() > INT32_MAX ||
        ceil_div(arguments_.columns, kAnySide) > kMostColumnTiles)
      return {Code::kUnsupported, "a product has too many items, rows or columns"};
    arguments_.items = walk_of<4>(items_);
    arguments_.rows = walk_of<2>(rows_);
    launch_ = {gpu_.function("conv_any", "conv_any" + std::string(suffix)),
               {blocks_for(rows_.count(), kAnySide), blocks_for(arguments_.columns, kAnySide),
                static_cast<unsigned>(items_.count())},
               kAnyThreads};
    return kOkStatus;
  }

  EpilogueParameters epilogue_;
  Launch launch_;
};

class ConvAny final : public AnyKernel {
 public:
  ConvAny(Gpu& gpu, const ConvParameters& p) : AnyKernel(gpu, p.epilogue), window_(p.window), groups_(p.groups) {}

 private:
  Status read(const KernelCall& call) override {
    const TensorView &w = call.inputs[1], &residual = call.inputs[3];
    const auto in = image_of(call.inputs[0]), weights = image_of(w), out = image_of(call.outputs[0]);
    const auto sum = residual.present() ? image_of(residual) : out;
    if (!in || !weights || !out || !sum) return {Code::kMalformedPlan, "the operands of a convolution are no images"};
    if (weights->height != window_.kernel[0] || weights->width != window_.kernel[1] ||
        weights->batch != out->channels || in->channels != weights->channels * groups_ ||
        out->channels % groups_ != 0 || in->batch != out->batch || !window_.fits(0, in->height, out->height) ||
        !window_.fits(1, in->width, out->width))
      return {Code::kShapeMismatch, "the operands of a convolution do not fit each other"};
    const int64_t columns = out->channels / groups_;
    const auto taps = checked_mul(weights->height, weights->width);
    const auto terms = taps ? checked_mul(*taps, weights->channels) : std::nullopt;
    if (!terms || !narrow_enough({*terms, out->pixels(), groups_}))
      return {Code::kUnsupported, "a convolution has too many terms, pixels or groups"};
    ConvAnyArguments& a = arguments_;
    a.columns = static_cast<uint32_t>(columns);
    a.terms = static_cast<uint32_t>(*terms);
    a.y_column = out->channel_stride, a.residual_column = sum->channel_stride;
    a.w_column = weights->batch_stride, a.w_channel = weights->channel_stride;
    a.w_tap_h = weights->row_stride, a.w_tap_w = weights->pixel_stride;
    a.x_batch = in->batch_stride, a.x_row = in->row_stride, a.x_pixel = in->pixel_stride,
    a.x_channel = in->channel_stride;
    a.out_plane = divisor(out->height * out->width);
    a.out_width = divisor(out->width);
    a.channels = divisor(weights->channels);
    a.taps_w = divisor(weights->width);
    set_window(a, window_, *in, *out);
    a.bias_per_item = 1;
    rows_ = {{out->batch, out->height, out->width},
             {{out->batch_stride, out->row_stride, out->pixel_stride},
              {sum->batch_stride, sum->row_stride, sum->pixel_stride}}};
    items_ = {{groups_},
              {{columns * out->channel_stride},
               {weights->channels * in->channel_stride},
               {columns * weights->batch_stride},
               {columns * sum->channel_stride}}};
    return kOkStatus;
  }

  SlidingWindow window_;
  int64_t groups_;
};

// A tensor's last axes as a matrix; an axis that it lacks has one element.
struct MatrixView {
  MatrixView(const TensorView& v, bool has_rows, bool has_columns, bool transposed = false) {
    int axis = v.rank;
    if (has_columns) take(v, --axis, columns, column_stride);
    if (has_rows) take(v, --axis, rows, row_stride);
    leading = axis;
    if (!transposed) return;
    std::swap(rows, columns);
    std::swap(row_stride, column_stride);
  }
  static void take(const TensorView& v, int axis, int64_t& extent, int64_t& stride) {
    if (axis < 0) return;
    extent = v.dims[axis];
    stride = v.strides[axis];
  }
  int64_t rows = 1, columns = 1, row_stride = 0, column_stride = 0;
  int leading;  // leading axes; negative: the tensor has too few
};

class ProductAny final : public AnyKernel {
 public:
  ProductAny(Gpu& gpu, const ProductAnyParameters& p)
      : AnyKernel(gpu, p.epilogue),
        vector_a_(p.vector_a),
        vector_b_(p.vector_b),
        transpose_a_(p.transpose_a),
        transpose_b_(p.transpose_b),
        factor_(static_cast<float>(p.factor)) {}

 private:
  Status read(const KernelCall& call) override {
    const TensorView &a_view = call.inputs[0], &b_view = call.inputs[1], &y = call.outputs[0];
    const TensorView& sum = call.inputs[3].present() ? call.inputs[3] : y;
    const MatrixView ma(a_view, !vector_a_, true, transpose_a_), mb(b_view, true, !vector_b_, transpose_b_),
        my(y, !vector_a_, !vector_b_), ms(sum, !vector_a_, !vector_b_);
    if (ma.leading < 0 || mb.leading < 0 || my.leading < 0 || ma.leading > my.leading || mb.leading > my.leading)
      return {Code::kShapeMismatch, "the operands of a product have too few or too many axes"};
    if (ma.columns != mb.rows || my.rows != ma.rows || my.columns != mb.columns)
      return {Code::kShapeMismatch, "the operands of a product do not fit each other"};
    if (!narrow_enough({ma.rows, ma.columns, mb.columns})) return {Code::kUnsupported, "a product is too large"};
    ConvAnyArguments& a = arguments_;
    a.factor = factor_;
    a.columns = static_cast<uint32_t>(mb.columns);
    a.terms = static_cast<uint32_t>(ma.columns);
    a.y_column = my.column_stride, a.residual_column = ms.column_stride;
    a.w_column = mb.column_stride, a.w_channel = mb.row_stride;
    a.x_pixel = ma.row_stride, a.x_channel = ma.column_stride;
    a.out_plane = a.out_width = divisor(ma.rows);
    a.channels = divisor(ma.columns);
    a.taps_w = divisor(1);
    a.height = 1;
    a.width = static_cast<int32_t>(ma.rows);
    a.stride_h = a.stride_w = a.dilation_h = a.dilation_w = 1;
    rows_ = {{ma.rows}, {{my.row_stride}, {ms.row_stride}}};
    return read_items(a_view, ma.leading, b_view, mb.leading, y, sum, my.leading);
  }

  Status read_items(const TensorView& a, int a_axes, const TensorView& b, int b_axes, const TensorView& y,
                    const TensorView& sum, int axes) {
    Loop items{{}, {{}, {}, {}, {}}};
    for (int i = 0; i < axes; ++i) {
      const int in_a = i - (axes - a_axes), in_b = i - (axes - b_axes);
      for (const auto& [v, own] : {std::pair(&a, in_a), std::pair(&b, in_b)})
        if (own >= 0 && v->dims[own] != 1 && v->dims[own] != y.dims[i])
          return {Code::kShapeMismatch, "the leading axes of a product do not broadcast"};
      const auto stride = [](const TensorView& v, int axis) {
        return axis < 0 || v.dims[axis] == 1 ? 0 : v.strides[axis];
      };
      items.dims.push_back(y.dims[i]);
      items.strides[0].push_back(y.strides[i]);
      items.strides[1].push_back(stride(a, in_a));
      items.strides[2].push_back(stride(b, in_b));
      items.strides[3].push_back(sum.strides[i]);
    }
    items_ = merged(items);
    return kOkStatus;
  }

  bool vector_a_, vector_b_, transpose_a_, transpose_b_;
  float factor_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv_any(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ConvAny>(gpu, read_parameters<ConvParameters>(parameters));
}
std::unique_ptr<Kernel> make_product_any(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ProductAny>(gpu, read_parameters<ProductAnyParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
