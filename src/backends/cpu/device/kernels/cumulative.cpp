// Kernel "cumulative": running sums or products along an axis. Inputs: data, axis (one element). Parameters: product, exclusive,
// reverse.
#include <type_traits>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/running.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/axis_parameters.h"
#include "tensor/convert.h"

namespace kiln::cpu::kernels {
namespace {

class Cumulative final : public DenseKernel {
 public:
  explicit Cumulative(const CumulativeParameters& p)
      : product_(p.product), exclusive_(p.exclusive), reverse_(p.reverse) {}

 private:
  static constexpr int64_t kColumns = 64;        // lines whose running values one thread holds
  static constexpr int64_t kWideColumns = 1024;  // of which whole rows are added

  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1 || call.inputs[0].dtype != call.outputs[0].dtype ||
        (call.inputs[1].dtype != DType::kI32 && call.inputs[1].dtype != DType::kI64) || call.inputs[1].elements() != 1)
      return {Code::kMalformedPlan, "cumulative has other operands"};
    if (!same_dims(call.inputs[0], call.outputs[0]))
      return {Code::kShapeMismatch, "the result of cumulative has another shape"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    switch (call.inputs[0].dtype) {
      case DType::kF32: return run<float, double>(call);
      case DType::kF64: return run<double, double>(call);
      case DType::kI32: return run<uint32_t, uint32_t>(call);
      case DType::kI64: return run<uint64_t, uint64_t>(call);
      default: return {Code::kMalformedPlan, "cumulative does not compute in this type"};
    }
  }

  template <class T, class Sum> Status run(const KernelCall& call) const noexcept {
    const TensorView& in = call.inputs[0];
    int64_t axis = load_int(call.inputs[1].dtype, call.inputs[1].data, 0);
    if (axis < 0) axis += in.rank;
    if (axis < 0 || axis >= in.rank) return {Code::kInvalidArgument, "a cumulative operator has no such axis"};
    const int64_t n = in.dims[axis], inner = extent(in, static_cast<int>(axis) + 1, in.rank);
    if (in.elements() == 0) return kOkStatus;
    const auto* from = static_cast<const T*>(in.data);
    auto* to = static_cast<T*>(call.outputs[0].data);
    const int threads = useful_threads(thread_count(), static_cast<double>(in.elements()));
    const bool adds_rows = !product_ && inner > 1 && !std::is_same_v<T, double>;
    const int64_t lines_of_each = in.elements() / n / threads;
    const int64_t most = adds_rows ? std::clamp(lines_of_each, kColumns, kWideColumns) : kColumns;
    const int64_t blocks = (inner + most - 1) / most;
    parallel_ranges(threads, in.elements() / (n * inner) * blocks, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const int64_t first = b / blocks * n * inner + b % blocks * most;
        const int64_t columns = std::min(most, inner - b % blocks * most);
        if (adds_rows) sum_rows(from + first, to + first, n, columns, inner);
        else if (product_) lines<T, Sum, true>(from + first, to + first, n, inner, columns);
        else lines<T, Sum, false>(from + first, to + first, n, inner, columns);
      }
    });
    return kOkStatus;
  }

  template <class T> void sum_rows(const T* from, T* to, int64_t n, int64_t columns, int64_t stride) const noexcept {
    if constexpr (!std::is_same_v<T, double>) running_sums(from, to, n, columns, stride, exclusive_, reverse_);
  }

  template <class T, class Sum, bool kProduct>
  void lines(const T* from, T* to, int64_t n, int64_t stride, int64_t columns) const noexcept {
    if (columns == 1) return line<T, Sum, kProduct>(from, to, n, stride);
    Sum sums[kColumns];
    std::fill(sums, sums + columns, Sum{kProduct});
    for (int64_t j = 0; j < n; ++j) {
      const int64_t row = (reverse_ ? n - 1 - j : j) * stride;
      for (int64_t i = 0; i < columns; ++i) {
        const Sum before = sums[i], x = static_cast<Sum>(from[row + i]);
        sums[i] = kProduct ? before * x : before + x;
        to[row + i] = static_cast<T>(exclusive_ ? before : sums[i]);
      }
    }
  }

  template <class T, class Sum, bool kProduct>
  void line(const T* from, T* to, int64_t n, int64_t stride) const noexcept {
    Sum sum{kProduct};
    const int64_t step = reverse_ ? -stride : stride, first = reverse_ ? (n - 1) * stride : 0;
    for (int64_t j = 0, at = first; j < n; ++j, at += step) {
      const Sum before = sum, x = static_cast<Sum>(from[at]);
      sum = kProduct ? before * x : before + x;
      to[at] = static_cast<T>(exclusive_ ? before : sum);
    }
  }

  bool product_, exclusive_, reverse_;
};

}  // namespace

std::unique_ptr<Kernel> make_cumulative(const Attributes& p) {
  return std::make_unique<Cumulative>(read_parameters<CumulativeParameters>(p));
}

}  // namespace kiln::cpu::kernels
