// Kernel "pool_volumes": maxima of bytes over three spatial dimensions, channels last: of each slice by itself, then of slices. Parameters:
// the window.
#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/byte_image.h"
#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/device/kernels/pool_shape.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/checked.h"

namespace kiln::cpu::kernels {
namespace {

class PoolVolumes final : public Kernel {
 public:
  explicit PoolVolumes(PoolVolumesParameters p) : window_(std::move(p.window)) {}

  Status prepare(const KernelCall& call) noexcept override {
    KILN_RETURN_IF_ERROR(read(call));
    return workspace_ > call.workspace_size
               ? Status{Code::kMalformedPlan, "the workspace of a pooling of volumes is too small"}
               : kOkStatus;
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const bool is_signed = call.inputs[0].dtype == DType::kI8;
    auto* space = static_cast<uint8_t*>(call.workspace);
    max_pool_bytes(slices_, is_signed, static_cast<const uint8_t*>(call.inputs[0].data), pixels_of(in_), 1, space,
                   dense_pixels(slices_.out_height, slices_.out_width, slices_.channels), 1, thread_count());
    max_pool_bytes(
        depths_, is_signed, space, dense_pixels(depths_.height, depths_.width, depths_.channels), 1,
        static_cast<uint8_t*>(call.outputs[0].data),
        {out_.pixel_stride, out_.pixel_stride * depths_.width, out_.pixel_stride * depths_.width * depths_.out_height},
        1, thread_count());
    return kOkStatus;
  }

  size_t workspace(const KernelCall& call) noexcept override { return read(call).ok() ? workspace_ : kNoWorkspace; }

 private:
  SlidingWindow along(size_t first, size_t second) const {
    SlidingWindow w{.padding = static_cast<SlidingWindow::Padding>(window_.padding)};
    int to = 0;
    for (size_t axis : {first, second}) {
      if (axis < window_.rank()) {
        w.kernel[to] = window_.kernel[axis];
        w.stride[to] = window_.strides[axis];
        w.dilation[to] = window_.dilations[axis];
        w.begin[to] = window_.begin[axis];
        w.end[to] = window_.end[axis];
      }
      ++to;
    }
    return w;
  }

  Status read(const KernelCall& call) noexcept {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a pooling has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const auto in = slices_of(x), out = slices_of(y);
    if (!in || !out || !is_byte(x) || y.dtype != x.dtype)
      return {Code::kMalformedPlan, "operands of a pooling are no channels-last volumes of bytes"};
    bool fits = x.dims[0] == y.dims[0] && x.dims[1] == y.dims[1];
    for (size_t axis = 0; axis < 3; ++axis) fits = fits && window_.fits(axis, x.dims[2 + axis], y.dims[2 + axis]);
    if (!fits) return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
    in_ = *in;
    out_ = *out;
    slices_ = pool_shape(in_, out_, along(1, 2));
    ImageView columns, results;  // of slices
    columns.batch = results.batch = x.dims[0];
    columns.channels = results.channels = x.dims[1];
    columns.height = x.dims[2];
    results.height = y.dims[2];
    columns.width = results.width = out_.height * out_.width;
    depths_ = pool_shape(columns, results, along(0, 3));
    const auto pixels = checked_mul(in_.batch, columns.width);
    const auto bytes = pixels ? checked_mul(*pixels, x.dims[1]) : std::nullopt;
    if (!bytes) return {Code::kOverflow, "the maxima of slices are too many bytes"};
    workspace_ = static_cast<size_t>(*bytes);
    return kOkStatus;
  }

  SpatialWindow window_;
  ImageView in_, out_;
  PoolShape slices_, depths_;
  size_t workspace_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_pool_volumes(const Attributes& parameters) {
  return std::make_unique<PoolVolumes>(read_parameters<PoolVolumesParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
