// Kernel "pool_any": poolings of float32 over any number of dimensions. Results: the values and, for the maximum, positions (int64, may
// be absent). Parameters: kind (0 maximum, 1 mean, 2 mean that counts padding, 3 norm), p (of the norm), column_major (of positions),
// the window.
#include <cmath>
#include <limits>
#include <vector>

#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/spatial_window.h"
#include "base/index.h"

namespace kiln::cpu::kernels {
namespace {

enum class Kind : uint8_t { kMax, kMean, kMeanWithPadding, kNorm };

// The elements of the input along one axis that a window meets: first, first + step, ..., `count` of them, the tap of the first, and
// how many a mean divides by.
struct Reach {
  int64_t first, count, divisor;
};

class PoolAny final : public DenseKernel {
 public:
  explicit PoolAny(const Attributes& p)
      : window_(read_spatial_window(p)), p_(p.integer("p", 2)), column_major_(p.integer("column_major", 0) != 0) {
    const int64_t kind = p.integer("kind");
    if (kind < 0 || kind > 3 || p_ < 1) throw Error(Code::kMalformedPlan, "there is no such pooling");
    kind_ = static_cast<Kind>(kind);
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    const bool two = call.outputs.size() == 2;
    if (call.inputs.size() != 1 || (call.outputs.size() != 1 && !(two && kind_ == Kind::kMax)))
      return {Code::kMalformedPlan, "a pooling has other operands"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (x.dtype != DType::kF32 || y.dtype != DType::kF32 || x.rank != static_cast<int>(window_.rank()) + 2)
      return {Code::kMalformedPlan, "a pooling takes float32 of another rank"};
    if (y.rank != x.rank || x.dims[0] != y.dims[0] || x.dims[1] != y.dims[1])
      return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
    if (two && call.outputs[1].present() && (call.outputs[1].dtype != DType::kI64 || !same_dims(call.outputs[1], y)))
      return {Code::kShapeMismatch, "the positions of a pooling have another shape"};
    reaches_.clear();
    if (y.elements() == 0) return kOkStatus;
    for (size_t i = 0; i < window_.rank(); ++i) {
      if (!window_.fits(i, x.dims[i + 2], y.dims[i + 2]))
        return {Code::kShapeMismatch, "operands of a pooling do not fit each other"};
      reaches_.push_back(reach(i, x.dims[i + 2], y.dims[i + 2]));
    }
    return kOkStatus;
  }

  std::vector<Reach> reach(size_t axis, int64_t in, int64_t out) const {
    const auto [begin, end] = window_.pads(axis, in, out);
    const int64_t step = window_.dilations[axis], taps = window_.kernel[axis];
    // Taps at start + t * step that lie in [0, length).
    const auto inside = [&](int64_t start, int64_t length, int64_t& skipped) {
      skipped = start < 0 ? std::min((-start + step - 1) / step, taps) : 0;
      const int64_t first = start + skipped * step;
      return first >= length ? 0 : std::min(taps - skipped, (length - first + step - 1) / step);
    };
    std::vector<Reach> list;
    for (int64_t o = 0; o < out; ++o) {
      const int64_t start = o * window_.strides[axis] - begin;
      int64_t skipped = 0, ignored = 0;
      const int64_t count = inside(start, in, skipped);
      const int64_t padded = inside(start + begin, in + begin + end, ignored);
      list.push_back({start + skipped * step, count, kind_ == Kind::kMeanWithPadding ? padded : count});
    }
    return list;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (y.elements() == 0) return kOkStatus;
    const int64_t planes = y.dims[0] * y.dims[1], in = extent(x, 2, x.rank), out = extent(y, 2, y.rank);
    double taps = 1;
    for (int64_t k : window_.kernel) taps *= static_cast<double>(k);
    const int threads = useful_threads(thread_count(), static_cast<double>(y.elements()) * (5 + taps));
    auto* positions =
        call.outputs.size() == 2 && call.outputs[1].present() ? static_cast<int64_t*>(call.outputs[1].data) : nullptr;
    parallel_ranges(threads, planes * y.dims[2], [&](int64_t begin, int64_t end) {
      const int64_t slice = out / y.dims[2];
      for (int64_t i = begin; i < end; ++i) {
        const int64_t plane = i / y.dims[2], at = plane * out + i % y.dims[2] * slice;
        run_slice(x, y, static_cast<const float*>(x.data) + plane * in, plane * in, i % y.dims[2] * slice, slice,
                  static_cast<float*>(y.data) + at, positions ? positions + at : nullptr);
      }
    });
    return kOkStatus;
  }

  // Outputs [first, first + count) of one plane.
  void run_slice(const TensorView& x, const TensorView& y, const float* plane, int64_t plane_at, int64_t first,
                 int64_t count, float* to, int64_t* positions) const {
    const size_t rank = window_.rank();
    constexpr size_t kMostAxes = 8;
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
        window[i] = nth(reaches_[i], rest % y.dims[i + 2]);
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
    int64_t index[8] = {};
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
      case Kind::kMax:
        for (int64_t k = 0; k < count; ++k, at += step) {
          const float v = plane[at];
          if (r.position >= 0 && (v <= r.best || std::isnan(r.best))) continue;
          r.best = v;
          r.position = at;
        }
        return;
      case Kind::kMean:
      case Kind::kMeanWithPadding:
        for (int64_t k = 0; k < count; ++k, at += step) r.sum += plane[at];
        return;
      case Kind::kNorm:
        for (int64_t k = 0; k < count; ++k, at += step) {
          const double v = std::abs(static_cast<double>(plane[at]));
          r.sum += p_ == 1 ? v : p_ == 2 ? v * v : std::pow(v, static_cast<double>(p_));
        }
        return;
    }
  }

  float finish(const Result& r, int64_t divisor) const {
    if (kind_ == Kind::kMax) return r.best;
    if (kind_ != Kind::kNorm) return static_cast<float>(r.sum / static_cast<double>(divisor));
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
  Kind kind_ = Kind::kMax;
  int64_t p_;
  bool column_major_;
  std::vector<std::vector<Reach>> reaches_;
};

}  // namespace

std::unique_ptr<Kernel> make_pool_any(const Attributes& p) { return std::make_unique<PoolAny>(p); }

}  // namespace kiln::cpu::kernels
