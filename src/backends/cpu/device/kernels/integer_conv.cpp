// Kernel "integer_conv": convolutions of bytes over any number of dimensions. Inputs: x [n, c, ...], w [m, c / groups, ...], their zero
// points (may be absent), then either nothing more (the result is int32), or scales of x and w, scale and zero point of the result
// (bytes), and a bias (int32, may be absent). Parameters: the window, groups.
#include "backends/cpu/device/compute/integer_product.h"
#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/integer_result.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/integer_parameters.h"

namespace kiln::cpu::kernels {
namespace {

constexpr double kNanosecondsPerConvTerm = 0.05;

class IntegerConv final : public DenseKernel {
 public:
  explicit IntegerConv(IntegerConvParameters p) : window_(std::move(p.window)), groups_(p.groups) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    const bool quantizes = call.inputs.size() == 9;
    if ((call.inputs.size() != 4 && !quantizes) || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a convolution of bytes has other operands"};
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
    if (!is_byte(x) || !is_byte(w) || (quantizes ? !is_byte(y) : y.dtype != DType::kI32))
      return {Code::kMalformedPlan, "a convolution of bytes has operands of other types"};
    const int rank = static_cast<int>(window_.rank()) + 2;
    if (x.rank != rank || w.rank != rank || y.rank != rank || !shapes_fit(x, w, y))
      return {Code::kShapeMismatch, "the operands of a convolution of bytes do not fit each other"};
    channels_ = w.dims[1], outputs_ = w.dims[0] / groups_;
    taps_ = extent(w, 2, rank), in_plane_ = extent(x, 2, rank), out_plane_ = extent(y, 2, rank);
    bool sound = ZeroPoint::fits(call.inputs[2], 1) && ZeroPoint::fits(call.inputs[3], w.dims[0]);
    for (size_t i = 4; i < call.inputs.size(); ++i) {
      const DType type = i == 8 ? DType::kI32 : i == 7 ? y.dtype : DType::kF32;
      if (i == 8 && !call.inputs[i].present()) continue;
      sound = sound && call.inputs[i].dtype == type &&
              (i == 8 ? call.inputs[i].elements() == w.dims[0]
                      : PerIndex<float>::fits(call.inputs[i], i == 5 ? w.dims[0] : 1));
    }
    return sound ? kOkStatus
                 : Status{Code::kMalformedPlan, "a scale, zero point or bias of a convolution does not fit"};
  }

  bool shapes_fit(const TensorView& x, const TensorView& w, const TensorView& y) {
    if (w.dims[0] % groups_ != 0 || x.dims[1] % groups_ != 0 || x.dims[1] / groups_ != w.dims[1] ||
        y.dims[0] != x.dims[0] || y.dims[1] != w.dims[0])
      return false;
    begin_.clear();
    for (size_t i = 0; i < window_.rank(); ++i) {
      if (window_.kernel[i] != w.dims[i + 2] || !window_.fits(i, x.dims[i + 2], y.dims[i + 2])) return false;
      begin_.push_back(window_.pads(i, x.dims[i + 2], y.dims[i + 2]).first);
    }
    return true;
  }

  int64_t depth() const { return channels_ * taps_; }
  int64_t terms() const { return paired(depth()); }
  size_t weight_bytes() const { return cache_lines(groups_ * outputs_ * terms() * 2); }
  // Of a thread: the panel, where its elements lie, and the sums.
  size_t own_bytes() const {
    return cache_lines(terms() * kIntegerPanel * 2) + cache_lines(taps_ * kIntegerPanel * 8) +
           cache_lines(outputs_ * kIntegerPanel * 4);
  }
  size_t workspace_dense(const KernelCall& call) override {
    if (!prepare_dense(call).ok()) return kNoWorkspace;
    if (call.outputs[0].elements() == 0) return 0;
    return weight_bytes() + own_bytes() * static_cast<size_t>(thread_count());
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView &w = call.inputs[1], &y = call.outputs[0];
    if (y.elements() == 0) return kOkStatus;
    const double work = kNanosecondsPerConvTerm * static_cast<double>(y.elements()) * static_cast<double>(depth());
    const int parts = useful_threads(thread_count(), work);
    if (call.workspace_size < weight_bytes() + own_bytes() * static_cast<size_t>(parts))
      return {Code::kMalformedPlan, "the workspace of a convolution of bytes is too small"};
    auto* weights = static_cast<int16_t*>(call.workspace);
    const ZeroPoint zero(call.inputs[3]);
    parallel_ranges(parts, w.dims[0], [&](int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m) {
        center(static_cast<const uint8_t*>(w.data) + m * depth(), w.dtype == DType::kI8, zero[m], weights + m * terms(),
               depth());
        if (depth() % 2) weights[m * terms() + depth()] = 0;
      }
    });
    const int64_t panels = (out_plane_ + kIntegerPanel - 1) / kIntegerPanel;
    parallel_pieces(parts, work, y.dims[0] * groups_ * panels, [&](int64_t begin, int64_t end, int part) {
      auto* own = static_cast<uint8_t*>(call.workspace) + weight_bytes() + own_bytes() * static_cast<size_t>(part);
      for (int64_t i = begin; i < end; ++i)
        run_panel(call, weights, i / panels / groups_, i / panels % groups_, i % panels * kIntegerPanel, own);
    });
    return kOkStatus;
  }

  // Positions in a plane of x that the taps of `columns` outputs from `first` on meet; -1 for padding.
  void locate(const KernelCall& call, int64_t first, int64_t columns, int64_t* at) const {
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const size_t rank = window_.rank();
    for (int64_t tap = 0; tap < taps_; ++tap)
      for (int64_t j = 0; j < kIntegerPanel; ++j) {
        int64_t position = j < columns ? 0 : -1, out = first + j, rest = tap, step = 1;
        for (size_t i = rank; i-- > 0 && position >= 0;) {
          const int64_t extent_in = x.dims[i + 2];
          const int64_t p =
              out % y.dims[i + 2] * window_.strides[i] - begin_[i] + rest % window_.kernel[i] * window_.dilations[i];
          position = p >= 0 && p < extent_in ? position + p * step : -1;
          step *= extent_in;
          out /= y.dims[i + 2];
          rest /= window_.kernel[i];
        }
        at[tap * kIntegerPanel + j] = position;
      }
  }

  void run_panel(const KernelCall& call, const int16_t* weights, int64_t image, int64_t group, int64_t first,
                 uint8_t* own) const {
    const TensorView& x = call.inputs[0];
    const int64_t columns = std::min(kIntegerPanel, out_plane_ - first);
    auto* panel = reinterpret_cast<int16_t*>(own);
    auto* at = reinterpret_cast<int64_t*>(own + cache_lines(terms() * kIntegerPanel * 2));
    auto* sums = reinterpret_cast<int32_t*>(reinterpret_cast<uint8_t*>(at) + cache_lines(taps_ * kIntegerPanel * 8));
    locate(call, first, columns, at);
    const auto* plane = static_cast<const uint8_t*>(x.data) + (image * groups_ + group) * channels_ * in_plane_;
    const int16_t zero = ZeroPoint(call.inputs[2])[0];
    const bool is_signed = x.dtype == DType::kI8;
    int64_t t = 0;
    for (int64_t c = 0; c < channels_; ++c, plane += in_plane_)
      for (int64_t tap = 0; tap < taps_; ++tap, ++t)
        for (int64_t j = 0; j < kIntegerPanel; ++j) {
          const int64_t p = at[tap * kIntegerPanel + j];
          const int16_t value = p < 0       ? zero
                                : is_signed ? static_cast<int16_t>(static_cast<int8_t>(plane[p]))
                                            : static_cast<int16_t>(plane[p]);
          panel[(t / 2 * kIntegerPanel + j) * 2 + t % 2] = static_cast<int16_t>(value - zero);
        }
    if (t % 2)
      for (int64_t j = 0; j < kIntegerPanel; ++j) panel[(t / 2 * kIntegerPanel + j) * 2 + 1] = 0;
    multiply_panel(weights + group * outputs_ * terms(), outputs_, terms(), panel, sums);
    for (int64_t m = 0; m < outputs_; ++m) {
      const int64_t channel = group * outputs_ + m;
      store(call, sums + m * kIntegerPanel, channel, columns,
            (image * groups_ * outputs_ + channel) * out_plane_ + first);
    }
  }

  static void store(const KernelCall& call, const int32_t* sums, int64_t channel, int64_t columns, int64_t at) {
    const TensorView& y = call.outputs[0];
    if (call.inputs.size() == 4) {
      std::copy(sums, sums + columns, static_cast<int32_t*>(y.data) + at);
      return;
    }
    const float scale = PerIndex<float>(call.inputs[4])[0] * PerIndex<float>(call.inputs[5])[channel] /
                        PerIndex<float>(call.inputs[6])[0];
    const int16_t zero = ZeroPoint(call.inputs[7])[0];
    const int64_t bias = call.inputs[8].present() ? static_cast<const int32_t*>(call.inputs[8].data)[channel] : 0;
    for (int64_t j = 0; j < columns; ++j)
      static_cast<uint8_t*>(y.data)[at + j] = quantized(sums[j] + bias, scale, zero, y.dtype == DType::kI8);
  }

  SpatialWindow window_;
  int64_t groups_;
  Ints begin_;
  int64_t channels_ = 0, outputs_ = 0;  // of a group
  int64_t taps_ = 0, in_plane_ = 0, out_plane_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_integer_conv(const Attributes& p) {
  return std::make_unique<IntegerConv>(read_parameters<IntegerConvParameters>(p));
}

}  // namespace kiln::cpu::kernels
