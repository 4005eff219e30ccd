// Kernel "pool": maximum or mean of windows of float32, float16 or bfloat16, or maximum of bytes, fastest with channels last. Parameters: kind (a
// PoolKind) and the window.
#include "backends/cuda/device/cu/pool.h"

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/loop.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/pool_parameters.h"

namespace kiln::cuda::kernels {
namespace {

// Null: there is no such pooling.
const char* pool_suffix(DType type, PoolKind kind) {
  if (kind != PoolKind::kMax || float_suffix(type)) return float_suffix(type);
  return type == DType::kU8 ? "_u8" : type == DType::kI8 ? "_i8" : nullptr;
}

class Pool final : public Kernel {
 public:
  Pool(Gpu& gpu, const PoolParameters& p) : gpu_(gpu), kind_(static_cast<PoolKind>(p.kind)), window_(p.window) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 1 || call.outputs.size() != 1)
        return {Code::kMalformedPlan, "a pooling has one operand and one result"};
      const TensorView &x = call.inputs[0], &y = call.outputs[0];
      const auto in = image_of(x), out = image_of(y);
      if (!in || !out || !pool_suffix(x.dtype, kind_) || x.dtype != y.dtype)
        return {Code::kMalformedPlan,
                "operands of a pooling are no images of float32, float16 or bfloat16, or for a maximum bytes"};
      if (in->batch != out->batch || in->channels != out->channels || !window_.fits(0, in->height, out->height) ||
          !window_.fits(1, in->width, out->width))
        return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
      single_ = call_of(*in, *out, x.dtype, 1);
      const int64_t lanes = kWord / element_bytes(x.dtype);
      words_ = can_take_words(*in, lanes) && can_take_words(*out, lanes) ? call_of(*in, *out, x.dtype, lanes) : single_;
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *y = call.outputs[0].data;
    const Call& c = is_aligned(x, kWord) && is_aligned(y, kWord) ? words_ : single_;
    return gpu_.launch(stream, c.launch, c.arguments, x, y);
  }

 private:
  struct Call {
    Launch launch;
    PoolArguments arguments;
  };

  static bool can_take_words(const ImageView& v, int64_t lanes) {
    return v.channels > 1 && v.channel_stride == 1 && v.channels % lanes == 0 && v.pixel_stride % lanes == 0 &&
           v.row_stride % lanes == 0 && v.batch_stride % lanes == 0;
  }

  Call call_of(const ImageView& in, const ImageView& out, DType type, int64_t lanes) {
    const int64_t groups = out.channels / lanes, count = out.pixels() * groups;
    if (count > INT32_MAX) throw Error(Code::kUnsupported, "the result of a pooling has too many elements");
    Call c{};
    PoolArguments& a = c.arguments;
    const Loop loop{{out.batch, out.height, out.width, groups},
                    {{out.batch_stride, out.row_stride, out.pixel_stride, out.channel_stride * lanes}}};
    a.to = walk_of<1>(loop);
    a.groups = divisor(groups);
    a.columns = divisor(out.width);
    a.rows = divisor(out.height);
    a.from_batch = in.batch_stride;
    a.from_row = in.row_stride;
    a.from_column = in.pixel_stride;
    a.from_group = in.channel_stride * lanes;
    set_window(a, window_, in, out);
    a.kernel_h = narrow_signed(window_.kernel[0]);
    a.kernel_w = narrow_signed(window_.kernel[1]);
    a.bottom = narrow_signed(window_.pads(0, in.height, out.height).second);
    a.right = narrow_signed(window_.pads(1, in.width, out.width).second);
    const bool square = window_.kernel[0] == window_.kernel[1] && (window_.kernel[0] == 2 || window_.kernel[0] == 3);
    const std::string name = lanes == 1 ? "pool_"
                             : square   ? "pool_words" + std::to_string(window_.kernel[0]) + "_"
                                        : "pool_words_";
    c.launch.function =
        gpu_.function("pool", name + std::to_string(static_cast<int>(kind_)) + pool_suffix(type, kind_));
    c.launch.threads = kPoolThreads;
    c.launch.grid[0] = blocks_for(count, kPoolThreads);
    return c;
  }

  Gpu& gpu_;
  PoolKind kind_;
  SlidingWindow window_;
  Call single_ = {}, words_ = {};
};

}  // namespace

std::unique_ptr<Kernel> make_pool(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Pool>(gpu, read_parameters<PoolParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
