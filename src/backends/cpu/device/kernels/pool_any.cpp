// Kernel "pool_any": poolings of float32 over any number of dimensions. Results: the values and, for the maximum, positions (int64, may
// be absent). Parameters: kind (0 maximum, 1 mean, 2 mean that counts padding, 3 norm), p (of the norm), column_major (of positions),
// the window.
#include <cmath>
#include <limits>
#include <vector>

#include "backends/cpu/device/compute/pieces.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/index.h"
#include "device/pool_parameters.h"
#include "tensor/sliding_fold.h"

namespace kiln::cpu::kernels {
namespace {

constexpr size_t kMostAxes = 8;
constexpr int64_t kMostKnown = int64_t{1} << 16;  // outputs along an axis whose windows are worked out beforehand
constexpr double kNanosecondsPerFold = 15;        // of an element of an axis

constexpr Extreme kNothing{-std::numeric_limits<double>::infinity(), -1};
Extreme sum(const Extreme& a, const Extreme& b) { return {a.value + b.value, a.position}; }

// The elements of the input along one axis that a window meets: first, first + step, ..., `count` of them, the tap of the first, and
// how many a mean divides by.
struct Reach {
  int64_t first, count, divisor;
};

class PoolAny final : public DenseKernel {
 public:
  explicit PoolAny(PoolAnyParameters p)
      : window_(std::move(p.window)), p_(p.p), column_major_(p.column_major), kind_(p.kind) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    const bool two = call.outputs.size() == 2;
    if (call.inputs.size() != 1 || (call.outputs.size() != 1 && !(two && kind_ == Pooling::kMaximum)))
      return {Code::kMalformedPlan, "a pooling has other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (x.dtype != DType::kF32 || y.dtype != DType::kF32 || x.rank != static_cast<int>(window_.rank()) + 2)
      return {Code::kMalformedPlan, "a pooling takes float32 of another rank"};
    if (y.rank != x.rank || x.dims[0] != y.dims[0] || x.dims[1] != y.dims[1])
      return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
    if (two && call.outputs[1].present() && (call.outputs[1].dtype != DType::kI64 || !same_dims(call.outputs[1], y)))
      return {Code::kShapeMismatch, "the positions of a pooling have another shape"};
    reaches_.clear();
    ends_.clear();
    axes_.clear();
    slides_ = false;
    if (y.elements() == 0) return kOkStatus;
    for (size_t i = 0; i < window_.rank(); ++i) {
      if (!window_.fits(i, x.dims[i + 2], y.dims[i + 2]))
        return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
      add_axis(i, x.dims[i + 2], y.dims[i + 2]);
    }
    order_ = folding_order(axes_);
    slides_ = windows_overlap(window_.kernel, static_cast<double>(extent(x, 2, x.rank)),
                              static_cast<double>(extent(y, 2, y.rank)));
    return kOkStatus;
  }

  void add_axis(size_t axis, int64_t in, int64_t out) {
    const auto [begin, end] = window_.pads(axis, in, out);
    axes_.push_back({in, out, window_.kernel[axis], window_.strides[axis], window_.dilations[axis], begin});
    ends_.push_back(end);
    std::vector<Reach> list;
    for (int64_t o = 0; o < std::min(out, kMostKnown); ++o) list.push_back(reach(axis, o));
    reaches_.push_back(std::move(list));
  }
  Reach reach(size_t axis, int64_t o) const {
    const auto [first, count] = axes_[axis].reach(o);
    return {first, count, kind_ == Pooling::kMeanWithPadding ? axes_[axis].padded_reach(o, ends_[axis]).count : count};
  }
  Reach known_reach(size_t axis, int64_t o) const { return o < kMostKnown ? nth(reaches_[axis], o) : reach(axis, o); }

  // A plane, what is made of it, and room to fold a line.
  size_t elements_of_fold(const KernelCall& call) const {
    int64_t line = 0;
    for (const SlidingAxis& axis : axes_) line = std::max(line, 2 * axis.in);
    return static_cast<size_t>(line + 2 * std::max(extent(call.inputs[0], 2, call.inputs[0].rank),
                                                   extent(call.outputs[0], 2, call.outputs[0].rank)));
  }
  static int fold_threads(const KernelCall& call) {
    return static_cast<int>(std::min<int64_t>(thread_count(), call.outputs[0].dims[0] * call.outputs[0].dims[1]));
  }
  size_t workspace_dense(const KernelCall& call) override {
    if (!prepare_dense(call).ok()) return kNoWorkspace;
    return slides_ ? sizeof(Extreme) * elements_of_fold(call) * static_cast<size_t>(fold_threads(call)) : 0;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (y.elements() == 0) return kOkStatus;
    const int64_t planes = y.dims[0] * y.dims[1], in = extent(x, 2, x.rank), out = extent(y, 2, y.rank);
    double taps = 1;
    for (int64_t k : window_.kernel) taps *= static_cast<double>(k);
    auto* positions =
        call.outputs.size() == 2 && call.outputs[1].present() ? static_cast<int64_t*>(call.outputs[1].data) : nullptr;
    if (slides_) return launch_fold(call, positions);
    const double nanoseconds = static_cast<double>(y.elements()) * (5 + taps);
    parallel_pieces(thread_count(), nanoseconds, planes * y.dims[2], [&](int64_t begin, int64_t end) {
      const int64_t slice = out / y.dims[2];
      for (int64_t i = begin; i < end; ++i) {
        const int64_t plane = i / y.dims[2], at = plane * out + i % y.dims[2] * slice;
        run_slice(x, y, static_cast<const float*>(x.data) + plane * in, plane * in, i % y.dims[2] * slice, slice,
                  static_cast<float*>(y.data) + at, positions ? positions + at : nullptr);
      }
    });
    return kOkStatus;
  }

  // Long windows, axis by axis.
  Status launch_fold(const KernelCall& call, int64_t* positions) const noexcept {
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    const int64_t planes = y.dims[0] * y.dims[1], in = extent(x, 2, x.rank), out = extent(y, 2, y.rank);
    const size_t own = elements_of_fold(call);
    const int threads = fold_threads(call);
    if (call.workspace_size < sizeof(Extreme) * own * static_cast<size_t>(threads))
      return {Code::kMalformedPlan, "the workspace of a pooling is too small"};
    parallel_ranges(threads, planes, [&](int64_t begin, int64_t end, int part) {
      Extreme* const space = static_cast<Extreme*>(call.workspace) + own * static_cast<size_t>(part);
      for (int64_t p = begin; p < end; ++p) {
        const Extreme* folded = fold_plane(static_cast<const float*>(x.data) + p * in, in, std::max(in, out), space);
        if (!folded) return;
        for (int64_t k = 0; k < out; ++k) {
          Result r;
          r.position = folded[k].position;
          if (kind_ == Pooling::kMaximum) r.best = static_cast<float>(folded[k].value);
          else r.sum = folded[k].value;
          static_cast<float*>(y.data)[p * out + k] = finish(r, divisor_of(y, k));
          if (positions) positions[p * out + k] = r.position < 0 ? -1 : p * in + position_of(x, r.position);
        }
      }
    });
    return kOkStatus;
  }

  // What becomes of the windows of a plane, in `space`; null when the work was ended.
  const Extreme* fold_plane(const float* plane, int64_t in, int64_t room, Extreme* space) const noexcept {
    Extreme *from = space, *to = space + room, *const line = to + room;
    for (int64_t i = 0; i < in; ++i) from[i] = {kind_ == Pooling::kNorm ? power(plane[i]) : plane[i], i};
    int64_t sizes[kMostAxes];
    for (size_t i = 0; i < axes_.size(); ++i) sizes[i] = axes_[i].in;
    Looks looks(kNanosecondsPerFold);
    for (const size_t i : order_) {
      const SlidingAxis& axis = axes_[i];
      int64_t outer = 1, inner = 1;
      for (size_t k = 0; k < axes_.size(); ++k) (k < i ? outer : inner) *= k == i ? 1 : sizes[k];
      for (int64_t n = 0; n < outer * inner; ++n) {
        if (looks.before(static_cast<double>(axis.in + axis.out))) return nullptr;
        const Extreme* source = from + n / inner * axis.in * inner + n % inner;
        Extreme* result = to + n / inner * axis.out * inner + n % inner;
        if (kind_ == Pooling::kMaximum) fold_windows(axis, source, result, inner, kNothing, larger, line);
        else fold_windows(axis, source, result, inner, Extreme{0, -1}, sum, line);
      }
      sizes[i] = axis.out;
      std::swap(from, to);
    }
    return from;
  }

  int64_t divisor_of(const TensorView& y, int64_t output) const {
    int64_t divisor = 1;
    for (size_t i = window_.rank(); i-- > 0;) {
      divisor *= known_reach(i, output % y.dims[i + 2]).divisor;
      output /= y.dims[i + 2];
    }
    return divisor;
  }

  // Outputs [first, first + count) of one plane.
  void run_slice(const TensorView& x, const TensorView& y, const float* plane, int64_t plane_at, int64_t first,
                 int64_t count, float* to, int64_t* positions) const {
    const size_t rank = window_.rank();
    Reach window[kMostAxes];
    int64_t strides[kMostAxes];
    int64_t step = 1;
    for (size_t i = rank; i-- > 0;) {
      strides[i] = step;
      step *= x.dims[i + 2];
    }
    for (int64_t k = 0; k < count; ++k) {
      int64_t rest = first + k, divisor = 1;
      bool any = true;
      for (size_t i = rank; i-- > 0;) {
        window[i] = known_reach(i, rest % y.dims[i + 2]);
        rest /= y.dims[i + 2];
        divisor *= window[i].divisor;
        any = any && window[i].count > 0;
      }
      Result r;
      if (any) walk(window, strides, plane, r);
      to[k] = finish(r, divisor);
      if (positions) positions[k] = r.position < 0 ? -1 : plane_at + position_of(x, r.position);
    }
  }

  struct Result {
    double sum = 0;
    float best = -std::numeric_limits<float>::infinity();
    int64_t position = -1;
  };

  void walk(const Reach* window, const int64_t* strides, const float* plane, Result& r) const {
    const size_t rank = window_.rank(), last = rank - 1;
    int64_t index[kMostAxes] = {};
    for (;;) {
      int64_t at = 0;
      for (size_t i = 0; i < rank; ++i) at += (window[i].first + index[i] * window_.dilations[i]) * strides[i];
      run(plane, at, window[last].count, window_.dilations[last], r);
      size_t i = last;
      for (; i-- > 0;) {
        if (++index[i] < window[i].count) break;
        index[i] = 0;
      }
      if (i > last) return;
    }
  }

  void run(const float* plane, int64_t at, int64_t count, int64_t step, Result& r) const {
    switch (kind_) {
      case Pooling::kMaximum:
        for (int64_t k = 0; k < count; ++k, at += step) {
          const float v = plane[at];
          if (r.position >= 0 && (v <= r.best || std::isnan(r.best))) continue;
          r.best = v;
          r.position = at;
        }
        return;
      case Pooling::kMean:
      case Pooling::kMeanWithPadding:
        for (int64_t k = 0; k < count; ++k, at += step) r.sum += plane[at];
        return;
      case Pooling::kNorm:
        for (int64_t k = 0; k < count; ++k, at += step) r.sum += power(plane[at]);
        return;
    }
  }

  double power(double v) const {
    v = std::abs(v);
    return p_ == 1 ? v : p_ == 2 ? v * v : std::pow(v, static_cast<double>(p_));
  }

  float finish(const Result& r, int64_t divisor) const {
    if (kind_ == Pooling::kMaximum) return r.best;
    if (kind_ != Pooling::kNorm) return static_cast<float>(r.sum / static_cast<double>(divisor));
    return static_cast<float>(p_ == 1   ? r.sum
                              : p_ == 2 ? std::sqrt(r.sum)
                                        : std::pow(r.sum, 1 / static_cast<double>(p_)));
  }

  int64_t position_of(const TensorView& x, int64_t at) const {
    if (!column_major_) return at;
    int64_t result = 0;
    for (int i = x.rank; i-- > 2;) {
      result += at % x.dims[i] * extent(x, 2, i);
      at /= x.dims[i];
    }
    return result;
  }

  SpatialWindow window_;
  int64_t p_;
  bool column_major_;
  Pooling kind_;
  std::vector<SlidingAxis> axes_;
  Ints ends_;                                // padding behind
  std::vector<std::vector<Reach>> reaches_;  // of the first outputs along each axis
  // Of long windows.
  bool slides_ = false;
  std::vector<size_t> order_;
};

}  // namespace

std::unique_ptr<Kernel> make_pool_any(const Attributes& p) {
  return std::make_unique<PoolAny>(read_parameters<PoolAnyParameters>(p));
}

}  // namespace kiln::cpu::kernels
