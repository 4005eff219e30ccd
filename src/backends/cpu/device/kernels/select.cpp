// Kernels whose results hold as much as their operands say: "non_zero" (input: data) and "compress" (inputs: data, condition;
// parameter axis, negative: the flattened data).
#include <cstring>
#include <numeric>

#include "backends/cpu/device/kernels/indexed.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

// Calls body(is_zero, data) with a predicate of the element's bits.
template <class Body> bool with_zero_test(const TensorView& v, Body&& body) {
  return with_element(element_bytes(v.dtype), [&]<class T>(T) {
    if constexpr (!std::is_same_v<T, Bytes16>) {
      const T magnitude = is_float(v.dtype) ? static_cast<T>(static_cast<T>(~T{}) >> 1) : static_cast<T>(~T{});
      body([magnitude](T x) { return (x & magnitude) == 0; }, static_cast<const T*>(v.data));
    }
  });
}

class NonZero final : public DenseKernel {
 public:
  explicit NonZero(const NoParameters&) {}

 private:
  bool sizes_results() const override { return true; }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1 || call.outputs[0].dtype != DType::kI64 ||
        element_bytes(call.inputs[0].dtype) == 0 || is_complex(call.inputs[0].dtype))
      return {Code::kMalformedPlan, "non_zero has other operands"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      Status status;
      with_zero_test(call.inputs[0], [&](auto is_zero, const auto* data) { status = search(call, is_zero, data); });
      return status;
    });
  }

  template <class Test, class T> static Status search(const KernelCall& call, Test is_zero, const T* data) {
    const TensorView& in = call.inputs[0];
    const int64_t n = in.elements();
    const int64_t found = std::count_if(data, data + n, [&](T x) { return !is_zero(x); });
    auto* to = static_cast<int64_t*>(place_result(call.outputs[0], {in.rank, found}));
    if (!to) return {Code::kShapeMismatch, "the result of non_zero has another shape"};
    if (in.rank == 0 || found == 0) return kOkStatus;
    const int64_t columns = in.dims[in.rank - 1];
    int64_t next = 0;
    for (int64_t row = 0; row < n / columns; ++row)
      for (int64_t column = 0; column < columns; ++column) {
        if (is_zero(data[row * columns + column])) continue;
        int64_t rest = row;
        to[(in.rank - 1) * found + next] = column;
        for (int k = in.rank - 1; k-- > 0; rest /= in.dims[k]) to[k * found + next] = rest % in.dims[k];
        ++next;
      }
    return kOkStatus;
  }
};

class Compress final : public DenseKernel {
 public:
  explicit Compress(const CompressParameters& p) : axis_(p.axis) {}

 private:
  bool sizes_results() const override { return true; }
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1 || call.inputs[1].dtype != DType::kBool ||
        call.inputs[1].rank != 1 || element_bytes(call.inputs[0].dtype) == 0 ||
        call.inputs[0].dtype != call.outputs[0].dtype)
      return {Code::kMalformedPlan, "compress has other operands"};
    if (axis_ >= call.inputs[0].rank) return {Code::kShapeMismatch, "compress has no such axis"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      const TensorView &in = call.inputs[0], &condition = call.inputs[1];
      const auto* keep = static_cast<const uint8_t*>(condition.data);
      Dims dims(in.dims, in.dims + in.rank);
      if (axis_ < 0) dims = {in.elements()};
      const auto axis = static_cast<size_t>(std::max<int64_t>(axis_, 0));
      const int64_t length = dims[axis];
      for (int64_t i = length; i < condition.elements(); ++i)
        if (keep[i]) return {Code::kInvalidArgument, "the condition of Compress is longer than its axis"};
      const int64_t tested = std::min(length, condition.elements());
      const int64_t kept = std::count_if(keep, keep + tested, [](uint8_t k) { return k != 0; });
      const int64_t outer = axis_ < 0 ? 1 : extent(in, 0, static_cast<int>(axis));
      const int64_t run = (axis_ < 0 ? 1 : extent(in, static_cast<int>(axis) + 1, in.rank)) * element_bytes(in.dtype);
      dims[axis] = kept;
      auto* to = static_cast<uint8_t*>(place_result(call.outputs[0], dims));
      if (!to) return {Code::kShapeMismatch, "the result of compress has another shape"};
      const auto* from = static_cast<const uint8_t*>(in.data);
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t i = 0; i < tested && run > 0; ++i) {
          if (!keep[i]) continue;
          std::memcpy(to, from + (o * length + i) * run, static_cast<size_t>(run));
          to += run;
        }
      return kOkStatus;
    });
  }

  int64_t axis_;
};

}  // namespace

std::unique_ptr<Kernel> make_non_zero(const Attributes& p) {
  return std::make_unique<NonZero>(read_parameters<NoParameters>(p));
}
std::unique_ptr<Kernel> make_compress(const Attributes& p) {
  return std::make_unique<Compress>(read_parameters<CompressParameters>(p));
}

}  // namespace kiln::cpu::kernels
