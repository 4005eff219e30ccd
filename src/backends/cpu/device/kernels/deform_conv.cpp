// Kernel "deform_conv": convolution of float32 images [n, c, h, w] whose taps are moved by offsets: sampled columns, times the weights.
// Inputs: x, weights [m, c / groups, kh, kw], offsets [n, 2 * offset_groups * taps, oh, ow], bias, mask; the last two may be absent.
// Parameters: groups, offset_groups, strides, dilations, pads (of the beginnings).
#include <cmath>

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/compute/weighted_gather.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kPlaces = 128;  // of the result that one thread samples at a time
constexpr int64_t kCorners = 4;
constexpr int64_t kMostExtent = int64_t{1} << 31;
constexpr int64_t kMostTerms = int64_t{1} << 40;

class DeformConv final : public DenseKernel {
 public:
  explicit DeformConv(const Attributes& p)
      : groups_(read_integer(p, "groups", 1, kMostExtent)),
        offset_groups_(read_integer(p, "offset_groups", 1, kMostExtent)) {
    read_pair(p, "strides", 1, strides_);
    read_pair(p, "dilations", 1, dilations_);
    read_pair(p, "pads", -kMostExtent, pads_);
  }

 private:
  static void read_pair(const Attributes& p, const char* name, int64_t least, int64_t* to) {
    const Ints values = p.ints(name);
    if (values.size() != 2 || std::ranges::any_of(values, [&](int64_t v) { return v < least || v > kMostExtent; }))
      throw Error(Code::kMalformedPlan, std::string("deform_conv has other ") + name);
    std::ranges::copy(values, to);
  }

  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(read(call));
    if (call.workspace_size < workspace_dense(call))
      return {Code::kMalformedPlan, "the workspace of deform_conv is too small"};
    return kOkStatus;
  }

  Status read(const KernelCall& call) {
    if (call.inputs.size() != 5 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "deform_conv has other operands"};
    for (const auto& list : {call.inputs, call.outputs})
      for (const TensorView& v : list)
        if (v.present() && v.dtype != DType::kF32) return {Code::kMalformedPlan, "deform_conv computes in float32"};
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &offset = call.inputs[2], &bias = call.inputs[3],
                     &mask = call.inputs[4], &y = call.outputs[0];
    if (x.rank != 4 || w.rank != 4 || offset.rank != 4 || y.rank != 4 || (mask.present() && mask.rank != 4))
      return {Code::kShapeMismatch, "an operand of deform_conv has another rank"};
    in_ = x.dims[1], out_ = w.dims[0], height_ = x.dims[2], width_ = x.dims[3], places_ = y.dims[2] * y.dims[3];
    const auto taps = checked_mul(w.dims[2], w.dims[3]);
    const auto moves = taps ? checked_mul(*taps, offset_groups_) : std::nullopt;
    const auto terms = taps ? checked_mul(*taps, std::max<int64_t>(in_, 1)) : std::nullopt;
    if (!moves || !terms || *terms > kMostTerms || *moves > kMostTerms || height_ * width_ > INT32_MAX)
      return {Code::kUnsupported, "deform_conv is too large"};
    taps_ = *taps, columns_ = w.dims[3];
    const auto fits = [&](const TensorView& v, int64_t channels) {
      return v.dims[0] == y.dims[0] && v.dims[1] == channels && v.dims[2] == y.dims[2] && v.dims[3] == y.dims[3];
    };
    if (x.dims[0] != y.dims[0] || in_ % groups_ != 0 || out_ % groups_ != 0 || in_ % offset_groups_ != 0 ||
        w.dims[1] != in_ / groups_ || y.dims[1] != out_ || !fits(offset, 2 * *moves) ||
        (y.elements() > 0 && height_ * width_ == 0) || (mask.present() && !fits(mask, *moves)) ||
        (bias.present() && (bias.rank != 1 || bias.dims[0] != out_)))
      return {Code::kShapeMismatch, "the operands of deform_conv do not fit each other"};
    product_.m = out_ / groups_;
    product_.n = kPlaces;
    product_.k = in_ / groups_ * taps_;
    product_.a_stride = product_.k;
    product_.c_stride = places_;
    return kOkStatus;
  }

  // Of a thread: the columns, then the product's own.
  int64_t column_floats() const { return align_up(product_.k * kPlaces, 16); }
  int64_t floats() const { return column_floats() + align_up(gemm_unpacked_workspace(product_, {}, {}), 16); }

  size_t workspace_dense(const KernelCall& call) override {
    if (!read(call).ok()) return kNoWorkspace;
    return static_cast<size_t>(floats()) * sizeof(float) * static_cast<size_t>(thread_count());
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& y = call.outputs[0];
    if (y.elements() == 0) return kOkStatus;
    const int64_t blocks = (places_ + kPlaces - 1) / kPlaces;
    const double work = static_cast<double>(y.dims[0] * places_) * static_cast<double>(in_ * taps_) *
                        (1 + 0.05 * static_cast<double>(product_.m));
    parallel_pieces(thread_count(), work, y.dims[0] * groups_ * blocks, [&](int64_t begin, int64_t end, int part) {
      auto* space = static_cast<float*>(call.workspace) + part * floats();
      for (int64_t i = begin; i < end; ++i)
        block(call, i / blocks / groups_, i / blocks % groups_, i % blocks * kPlaces, space);
    });
    return kOkStatus;
  }

  // The results of a group of channels at some places of an image.
  void block(const KernelCall& call, int64_t image, int64_t group, int64_t first, float* space) const noexcept {
    const int64_t count = std::min(kPlaces, places_ - first), own = in_ / groups_, per_offset = in_ / offset_groups_;
    const auto* x = static_cast<const float*>(call.inputs[0].data) + image * in_ * height_ * width_;
    for (int64_t t = 0; t < taps_; ++t)
      for (int64_t c = group * own; c < (group + 1) * own;) {
        const int64_t moved = c / per_offset, end = std::min((moved + 1) * per_offset, (group + 1) * own);
        int32_t offsets[kCorners * kPlaces];
        float weights[kCorners * kPlaces];
        const int64_t tap = ((image * offset_groups_ + moved) * taps_ + t) * places_;
        locate(call, 2 * tap, t, first, count, offsets, weights);
        const auto* scale =
            call.inputs[4].present() ? static_cast<const float*>(call.inputs[4].data) + tap + first : nullptr;
        for (; c < end; ++c)
          weighted_gather(x + c * height_ * width_, offsets, weights, scale, kCorners, kPlaces, count,
                          space + ((c - group * own) * taps_ + t) * kPlaces);
      }
    GemmCall product = product_;
    product.n = count;
    product.a = static_cast<const float*>(call.inputs[1].data) + group * product.m * product.k;
    product.c = static_cast<float*>(call.outputs[0].data) + (image * out_ + group * product.m) * places_ + first;
    Epilogue epilogue;
    if (call.inputs[3].present()) {
      const auto* bias = static_cast<const float*>(call.inputs[3].data) + group * product.m;
      for (int64_t m = 0; m < product.m; ++m) std::fill_n(product.c + m * places_, count, bias[m]);
      epilogue.residual = product.c;
      epilogue.residual_stride = places_;
    }
    gemm_unpacked(product, {space, kPlaces, false}, epilogue, {}, {}, space + column_floats());
  }

  // Where tap t reads at these places, moved by what lies at `moves`, and how much each of four neighbours counts.
  void locate(const KernelCall& call, int64_t moves, int64_t t, int64_t first, int64_t count, int32_t* offsets,
              float* weights) const noexcept {
    const int64_t width = call.outputs[0].dims[3];
    const auto* down = static_cast<const float*>(call.inputs[2].data) + moves + first;
    const double row0 = static_cast<double>(t / columns_ * dilations_[0] - pads_[0]),
                 column0 = static_cast<double>(t % columns_ * dilations_[1] - pads_[1]);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t place = first + i;
      const double row = row0 + static_cast<double>(place / width * strides_[0]) + static_cast<double>(down[i]);
      const double column =
          column0 + static_cast<double>(place % width * strides_[1]) + static_cast<double>(down[places_ + i]);
      corners(row, column, offsets + i, weights + i);
    }
  }

  void corners(double row, double column, int32_t* offsets, float* weights) const noexcept {
    for (int64_t k = 0; k < kCorners; ++k) offsets[k * kPlaces] = -1, weights[k * kPlaces] = 0;
    if (!(row > -1 && row < static_cast<double>(height_) && column > -1 && column < static_cast<double>(width_)))
      return;
    const auto top = static_cast<int64_t>(row + 1) - 1, left = static_cast<int64_t>(column + 1) - 1;
    const double v = row - static_cast<double>(top), h = column - static_cast<double>(left);
    const double parts[kCorners] = {(1 - v) * (1 - h), (1 - v) * h, v * (1 - h), v * h};
    for (int64_t k = 0; k < kCorners; ++k) {
      const int64_t r = top + k / 2, c = left + k % 2;
      if (r < 0 || r >= height_ || c < 0 || c >= width_) continue;
      offsets[k * kPlaces] = static_cast<int32_t>(r * width_ + c);
      weights[k * kPlaces] = static_cast<float>(parts[k]);
    }
  }

  int64_t groups_, offset_groups_, strides_[2], dilations_[2], pads_[2];
  int64_t in_ = 0, out_ = 0, height_ = 0, width_ = 0, places_ = 0, taps_ = 0, columns_ = 1;
  GemmCall product_;  // of a full block
};

}  // namespace

std::unique_ptr<Kernel> make_deform_conv(const Attributes& p) { return std::make_unique<DeformConv>(p); }

}  // namespace kiln::cpu::kernels
