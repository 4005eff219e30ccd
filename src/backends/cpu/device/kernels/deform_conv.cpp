// Kernel "deform_conv": convolution of float32 images [n, c, h, w] whose taps are moved by offsets: rows sampled from pixels whose
// channels lie together, times the weights.
// Inputs: x, weights [m, c / groups, kh, kw], offsets [n, 2 * offset_groups * taps, oh, ow], bias, mask; the last two may be absent.
// Parameters: groups, offset_groups, strides, dilations, pads (of the beginnings).
#include <cmath>

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/compute/transpose.h"
#include "backends/cpu/device/compute/weighted_rows.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kPlaces = 128;  // of the result that one thread samples at a time
constexpr int64_t kMostTerms = int64_t{1} << 40;

class DeformConv final : public DenseKernel {
 public:
  explicit DeformConv(const DeformConvParameters& p) : p_(p) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(read(call));
    if (call.workspace_size < workspace_dense(call))
      return {Code::kMalformedPlan, "the workspace of deform_conv is too small"};
    order_operands();
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
    images_ = x.dims[0], in_ = x.dims[1], out_ = w.dims[0], height_ = x.dims[2], width_ = x.dims[3],
    places_ = y.dims[2] * y.dims[3];
    const auto taps = checked_mul(w.dims[2], w.dims[3]);
    const auto moves = taps ? checked_mul(*taps, p_.offset_groups) : std::nullopt;
    const auto terms = taps ? checked_mul(*taps, std::max<int64_t>(in_, 1)) : std::nullopt;
    if (!moves || !terms || *terms > kMostTerms || *moves > kMostTerms || height_ * width_ > INT32_MAX)
      return {Code::kUnsupported, "deform_conv is too large"};
    taps_ = *taps, columns_ = w.dims[3];
    const auto fits = [&](const TensorView& v, int64_t channels) {
      return v.dims[0] == y.dims[0] && v.dims[1] == channels && v.dims[2] == y.dims[2] && v.dims[3] == y.dims[3];
    };
    if (x.dims[0] != y.dims[0] || in_ % p_.groups != 0 || out_ % p_.groups != 0 || in_ % p_.offset_groups != 0 ||
        w.dims[1] != in_ / p_.groups || y.dims[1] != out_ || !fits(offset, 2 * *moves) ||
        (y.elements() > 0 && height_ * width_ == 0) || (mask.present() && !fits(mask, *moves)) ||
        (bias.present() && (bias.rank != 1 || bias.dims[0] != out_)))
      return {Code::kShapeMismatch, "the operands of deform_conv do not fit each other"};
    product_.m = kPlaces;
    product_.n = out_ / p_.groups;
    product_.k = in_ / p_.groups * taps_;
    product_.a_stride = product_.k;
    product_.c_stride = product_.n;
    return kOkStatus;
  }

  // Of all threads: the images with their channels last, then the weights, [group, tap, channel, result].
  int64_t image_floats() const { return align_up(images_ * in_ * height_ * width_, 16); }
  int64_t shared_floats() const { return image_floats() + align_up(out_ * product_.k, 16); }
  // Of a thread: the rows that are sampled, their product, and what the product takes.
  int64_t row_floats() const { return align_up(kPlaces * product_.k, 16); }
  int64_t result_floats() const { return align_up(kPlaces * product_.n, 16); }
  int64_t own_floats() const {
    return row_floats() + result_floats() + align_up(gemm_unpacked_workspace(product_, {}, {}), 16);
  }

  size_t workspace_dense(const KernelCall& call) override {
    if (!read(call).ok()) return kNoWorkspace;
    return static_cast<size_t>(shared_floats() + own_floats() * thread_count()) * sizeof(float);
  }

  void order_operands() {
    const int64_t plane = height_ * width_, own = in_ / p_.groups, results = product_.n;
    channels_last_ = StridedCopy(Dims{images_, plane, in_}, Dims{in_ * plane, 1, plane}, Dims{in_ * plane, in_, 1},
                                 sizeof(float), thread_count());
    taps_first_ = StridedCopy(Dims{p_.groups, taps_, own, results}, Dims{results * own * taps_, 1, taps_, own * taps_},
                              Dims{taps_ * own * results, own * results, results, 1}, sizeof(float), thread_count());
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& y = call.outputs[0];
    if (y.elements() == 0) return kOkStatus;
    auto* space = static_cast<float*>(call.workspace);
    channels_last_.run(call.inputs[0].data, space);
    taps_first_.run(call.inputs[1].data, space + image_floats());
    const int64_t blocks = (places_ + kPlaces - 1) / kPlaces;
    const double work = static_cast<double>(y.dims[0] * places_) * static_cast<double>(in_ * taps_) *
                        (0.2 + 0.05 * static_cast<double>(product_.n));
    parallel_pieces(thread_count(), work, y.dims[0] * p_.groups * blocks, [&](int64_t begin, int64_t end, int part) {
      float* own = space + shared_floats() + part * own_floats();
      for (int64_t i = begin; i < end; ++i)
        block(call, i / blocks / p_.groups, i / blocks % p_.groups, i % blocks * kPlaces, space, own);
    });
    return kOkStatus;
  }

  // The results of a group of channels at some places of an image.
  void block(const KernelCall& call, int64_t image, int64_t group, int64_t first, const float* shared,
             float* own) const noexcept {
    const int64_t count = std::min(kPlaces, places_ - first), results = product_.n;
    sample(call, image, group, first, count, shared + image * in_ * height_ * width_, own);
    GemmCall product = product_;
    product.m = count;
    product.a = own;
    product.c = own + row_floats();
    Epilogue epilogue;
    if (call.inputs[3].present()) epilogue.bias = static_cast<const float*>(call.inputs[3].data) + group * results;
    const float* weights = shared + image_floats() + group * product.k * results;
    gemm_unpacked(product, {weights, results, false}, epilogue, {}, {}, own + row_floats() + result_floats());
    auto* to = static_cast<float*>(call.outputs[0].data) + (image * out_ + group * results) * places_ + first;
    for (int64_t n = 0; n < results; ++n)
      for (int64_t i = 0; i < count; ++i) to[n * places_ + i] = product.c[i * results + n];
  }

  // Row i is [tap, channel of the group], what the taps of place i read.
  void sample(const KernelCall& call, int64_t image, int64_t group, int64_t first, int64_t count, const float* pixels,
              float* rows) const noexcept {
    const int64_t own = in_ / p_.groups, per_offset = in_ / p_.offset_groups, begin = group * own;
    for (int64_t t = 0; t < taps_; ++t)
      for (int64_t c = begin; c < begin + own;) {
        const int64_t moved = c / per_offset, end = std::min((moved + 1) * per_offset, begin + own);
        const int64_t tap = ((image * p_.offset_groups + moved) * taps_ + t) * places_;
        const auto* mask = call.inputs[4].present() ? static_cast<const float*>(call.inputs[4].data) + tap : nullptr;
        for (int64_t i = 0; i < count; ++i) {
          const Corners at = locate(call, 2 * tap, t, first + i);
          weighted_rows(pixels + c, at.offsets, at.weights, at.count, mask ? mask[first + i] : 1, end - c,
                        rows + i * product_.k + t * own + c - begin);
        }
        c = end;
      }
  }

  // Up to four neighbours and how much each counts.
  struct Corners {
    int64_t count = 0, offsets[4];
    float weights[4];
  };

  // Where tap t reads at this place, moved by what lies at `moves`.
  Corners locate(const KernelCall& call, int64_t moves, int64_t t, int64_t place) const noexcept {
    const int64_t width = call.outputs[0].dims[3];
    const auto* down = static_cast<const float*>(call.inputs[2].data) + moves + place;
    const double row =
        static_cast<double>(t / columns_ * p_.dilations[0] - p_.pads[0] + place / width * p_.strides[0]) +
        static_cast<double>(*down);
    const double column =
        static_cast<double>(t % columns_ * p_.dilations[1] - p_.pads[1] + place % width * p_.strides[1]) +
        static_cast<double>(down[places_]);
    Corners corners;
    if (!(row > -1 && row < static_cast<double>(height_) && column > -1 && column < static_cast<double>(width_)))
      return corners;
    const auto top = static_cast<int64_t>(row + 1) - 1, left = static_cast<int64_t>(column + 1) - 1;
    const double v = row - static_cast<double>(top), h = column - static_cast<double>(left);
    const double parts[] = {(1 - v) * (1 - h), (1 - v) * h, v * (1 - h), v * h};
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t r = top + k / 2, c = left + k % 2;
      if (r < 0 || r >= height_ || c < 0 || c >= width_) continue;
      corners.offsets[corners.count] = (r * width_ + c) * in_;
      corners.weights[corners.count++] = static_cast<float>(parts[k]);
    }
    return corners;
  }

  DeformConvParameters p_;
  int64_t images_ = 0, in_ = 0, out_ = 0, height_ = 0, width_ = 0, places_ = 0, taps_ = 0, columns_ = 1;
  GemmCall product_;  // of a full block
  StridedCopy channels_last_, taps_first_;
};

}  // namespace

std::unique_ptr<Kernel> make_deform_conv(const Attributes& p) {
  return std::make_unique<DeformConv>(read_parameters<DeformConvParameters>(p));
}

}  // namespace kiln::cpu::kernels
