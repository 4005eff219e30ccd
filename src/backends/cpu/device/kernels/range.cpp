// Kernel "range": start, start + delta, … up to but without limit. Inputs: start, limit, delta, one element each.
#include <cmath>
#include <limits>

#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/parameter_fields.h"
#include "tensor/convert.h"

namespace kiln::cpu::kernels {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 40;

class Range final : public DenseKernel {
 public:
  explicit Range(const NoParameters&) {}

 private:
  bool sizes_results() const override { return true; }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 3 || call.outputs.size() != 1) return {Code::kMalformedPlan, "range has three inputs"};
    for (const TensorView& v : call.inputs)
      if (v.elements() != 1 || v.dtype != call.outputs[0].dtype)
        return {Code::kMalformedPlan, "range takes single elements of its type"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      switch (call.outputs[0].dtype) {
        case DType::kF32: return run<float>(call);
        case DType::kF64: return run<double>(call);
        case DType::kI16: return run<int16_t>(call);
        case DType::kI32: return run<int32_t>(call);
        case DType::kI64: return run<int64_t>(call);
        default: return {Code::kMalformedPlan, "range does not count in this type"};
      }
    });
  }

  // Negative: there is no such length.
  template <class T> static int64_t length(T start, T limit, T delta) {
    if constexpr (std::is_integral_v<T>) {
      if (delta == 0) return -1;
      if (delta > 0 ? start >= limit : start <= limit) return 0;
      const auto a = static_cast<int64_t>(start), b = static_cast<int64_t>(limit), d = static_cast<int64_t>(delta);
      const uint64_t span = d > 0 ? static_cast<uint64_t>(b) - static_cast<uint64_t>(a)
                                  : static_cast<uint64_t>(a) - static_cast<uint64_t>(b);
      const uint64_t step = d > 0 ? static_cast<uint64_t>(d) : uint64_t{0} - static_cast<uint64_t>(d);
      const uint64_t n = (span - 1) / step + 1;
      return n <= static_cast<uint64_t>(kMostElements) ? static_cast<int64_t>(n) : -1;
    } else {
      const double n = std::ceil((double{limit} - double{start}) / double{delta});
      if (!(std::abs(n) <= static_cast<double>(kMostElements))) return -1;
      return std::max<int64_t>(static_cast<int64_t>(n), 0);
    }
  }

  template <class T> static Status run(const KernelCall& call) {
    const T start = *static_cast<const T*>(call.inputs[0].data), delta = *static_cast<const T*>(call.inputs[2].data);
    const TensorView& out = call.outputs[0];
    int64_t n = out.slot ? length(start, *static_cast<const T*>(call.inputs[1].data), delta) : out.elements();
    if (n < 0) return {Code::kInvalidArgument, "a range has no finite length"};
    auto* to = static_cast<T*>(out.slot ? place_result(out, {n}) : out.data);
    for (int64_t i = 0; i < n; ++i) {
      if constexpr (std::is_integral_v<T>)
        to[i] = static_cast<T>(static_cast<uint64_t>(start) + static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
      else to[i] = static_cast<T>(double{start} + static_cast<double>(i) * double{delta});
    }
    return kOkStatus;
  }
};

}  // namespace

std::unique_ptr<Kernel> make_range(const Attributes& p) {
  return std::make_unique<Range>(read_parameters<NoParameters>(p));
}

}  // namespace kiln::cpu::kernels
