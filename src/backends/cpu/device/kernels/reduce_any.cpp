// Kernel "reduce_any": a reduction of float64 or whole numbers over axes that follow each other. Parameters: kind (a ReduceKind; of whole
// numbers kSum, kMax, kMin and kProduct, which wrap), first, count (of the axes).
#include <cmath>
#include <limits>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kColumns = 64;  // results that one thread holds at a time

// NaN wins.
template <class T> T greater_of(T a, T b) { return a != a || a > b ? a : b; }
template <class T> T lesser_of(T a, T b) { return a != a || a < b ? a : b; }

// One step of a reduction: how an element joins what came before it, and the result of none.
template <ReduceKind kKind, class T> struct Step {
  static constexpr T first() {
    if constexpr (kKind == ReduceKind::kMax)
      return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                  : std::numeric_limits<T>::lowest();
    if constexpr (kKind == ReduceKind::kMin)
      return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
    return kKind == ReduceKind::kProduct ? T{1} : T{0};
  }
  static T join(T before, T x) {
    if constexpr (kKind == ReduceKind::kMax) return greater_of(before, x);
    if constexpr (kKind == ReduceKind::kMin) return lesser_of(before, x);
    if constexpr (kKind == ReduceKind::kProduct) return before * x;
    if constexpr (kKind == ReduceKind::kL1) return before + std::abs(x);
    if constexpr (kKind == ReduceKind::kSumSquares) return before + x * x;
    return before + x;
  }
};

class ReduceAny final : public DenseKernel {
 public:
  explicit ReduceAny(const ReduceAnyParameters& p) : kind_(p.kind), first_(p.first), count_(p.count) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1 || call.inputs[0].dtype != call.outputs[0].dtype)
      return {Code::kMalformedPlan, "reduce_any has other operands"};
    const TensorView& in = call.inputs[0];
    const bool exact = kind_ == ReduceKind::kSum || kind_ == ReduceKind::kMax || kind_ == ReduceKind::kMin ||
                       kind_ == ReduceKind::kProduct;
    const bool whole = in.dtype == DType::kI32 || in.dtype == DType::kI64;
    if ((in.dtype != DType::kF64 && !(whole && exact)) || kind_ == ReduceKind::kLogSumExp)
      return {Code::kMalformedPlan, "reduce_any has no such reduction of this type"};
    if (first_ + count_ > in.rank) return {Code::kShapeMismatch, "reduce_any has no such axes"};
    const auto first = static_cast<int>(first_), end = static_cast<int>(first_ + count_);
    outer_ = extent(in, 0, first), n_ = extent(in, first, end), inner_ = extent(in, end, in.rank);
    return outer_ * inner_ == call.outputs[0].elements()
               ? kOkStatus
               : Status{Code::kShapeMismatch, "the result of reduce_any has another size"};
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    switch (call.inputs[0].dtype) {
      case DType::kF64: reduce_doubles(call); break;
      case DType::kI32: exact<int32_t, uint32_t>(call); break;
      default: exact<int64_t, uint64_t>(call); break;
    }
    return kOkStatus;
  }

  // T orders the elements, U adds and multiplies them.
  template <class T, class U> void exact(const KernelCall& call) const noexcept {
    switch (kind_) {
      case ReduceKind::kMax: return run<ReduceKind::kMax, T>(call);
      case ReduceKind::kMin: return run<ReduceKind::kMin, T>(call);
      case ReduceKind::kProduct: return run<ReduceKind::kProduct, U>(call);
      default: return run<ReduceKind::kSum, U>(call);
    }
  }

  void reduce_doubles(const KernelCall& call) const noexcept {
    auto* y = static_cast<double*>(call.outputs[0].data);
    const int64_t results = outer_ * inner_;
    const auto finish = [&](auto&& f) {
      for (int64_t i = 0; i < results; ++i) y[i] = f(y[i]);
    };
    switch (kind_) {
      case ReduceKind::kL1: return run<ReduceKind::kL1, double>(call);
      case ReduceKind::kSumSquares: return run<ReduceKind::kSumSquares, double>(call);
      case ReduceKind::kL2:
        run<ReduceKind::kSumSquares, double>(call);
        return finish([](double v) { return std::sqrt(v); });
      case ReduceKind::kMean:
        run<ReduceKind::kSum, double>(call);
        return finish([count = static_cast<double>(n_)](double v) { return v / count; });
      case ReduceKind::kLogSum:
        run<ReduceKind::kSum, double>(call);
        return finish([](double v) { return std::log(v); });
      default: return exact<double, double>(call);
    }
  }

  template <ReduceKind kKind, class T> void run(const KernelCall& call) const noexcept {
    const auto* x = static_cast<const T*>(call.inputs[0].data);
    auto* y = static_cast<T*>(call.outputs[0].data);
    const int64_t blocks = (inner_ + kColumns - 1) / kColumns;
    const int threads =
        useful_threads(thread_count(), 0.7 * static_cast<double>(outer_ * inner_) * static_cast<double>(n_ + 1));
    parallel_ranges(threads, outer_ * blocks, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const int64_t column = b % blocks * kColumns;
        const T* from = x + b / blocks * n_ * inner_ + column;
        T* to = y + b / blocks * inner_ + column;
        if (inner_ == 1) *to = line<kKind>(from);
        else columns<kKind>(from, to, std::min(kColumns, inner_ - column));
      }
    });
  }

  // Four sums at once: each waits for its own only.
  template <ReduceKind kKind, class T> T line(const T* x) const noexcept {
    using S = Step<kKind, T>;
    T parts[4] = {S::first(), S::first(), S::first(), S::first()};
    int64_t i = 0;
    for (; i + 4 <= n_; i += 4)
      for (int k = 0; k < 4; ++k) parts[k] = S::join(parts[k], x[i + k]);
    for (; i < n_; ++i) parts[0] = S::join(parts[0], x[i]);
    return join_all<kKind>(parts);
  }

  template <ReduceKind kKind, class T> static T join_all(const T (&parts)[4]) {
    // What was added up already is not squared again.
    using S = Step<kKind == ReduceKind::kL1 || kKind == ReduceKind::kSumSquares ? ReduceKind::kSum : kKind, T>;
    return S::join(S::join(parts[0], parts[1]), S::join(parts[2], parts[3]));
  }

  template <ReduceKind kKind, class T> void columns(const T* x, T* y, int64_t count) const noexcept {
    using S = Step<kKind, T>;
    T parts[kColumns];
    std::fill(parts, parts + count, S::first());
    for (int64_t j = 0; j < n_; ++j, x += inner_)
      for (int64_t i = 0; i < count; ++i) parts[i] = S::join(parts[i], x[i]);
    std::copy(parts, parts + count, y);
  }

  ReduceKind kind_;
  int64_t first_, count_, outer_ = 0, n_ = 0, inner_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_reduce_any(const Attributes& p) {
  return std::make_unique<ReduceAny>(read_parameters<ReduceAnyParameters>(p));
}

}  // namespace kiln::cpu::kernels
