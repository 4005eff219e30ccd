// Kernels "scatter_elements" (parameter axis) and "scatter_nd": a copy of the data with elements replaced by, or combined with,
// updates. Inputs: data, indices, updates. Parameter reduction: none, add, mul, max, min.
#include <cmath>
#include <cstring>
#include <type_traits>

#include "backends/cpu/device/kernels/indexed.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cpu::kernels {
namespace {

using enum Scattering;

template <Scattering R, class T> T combine(T a, T b) {
  if constexpr (std::is_same_v<T, float>) {
    if constexpr (R == kAdd) return a + b;
    if constexpr (R == kMultiply) return a * b;
    if (std::isnan(a) || std::isnan(b)) return a + b;
  } else {
    using U = std::make_unsigned_t<T>;
    if constexpr (R == kAdd) return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
    if constexpr (R == kMultiply) return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  }
  return (R == kMaximum) == (a > b) ? a : b;
}

class Scatter : public DenseKernel {
 protected:
  explicit Scatter(Scattering reduction) : reduction_(reduction) {}

  Status check(const KernelCall& call) const {
    if (call.inputs.size() != 3 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a scattering kernel has three inputs and one result"};
    const DType type = call.inputs[0].dtype;
    const bool numbers = type == DType::kF32 || type == DType::kI32 || type == DType::kI64;
    if (element_bytes(type) == 0 || type != call.inputs[2].dtype || type != call.outputs[0].dtype ||
        !is_index(call.inputs[1]) || (reduction_ != kReplace && !numbers))
      return {Code::kMalformedPlan, "a scattering kernel has operands of other types"};
    if (!same_dims(call.inputs[0], call.outputs[0]))
      return {Code::kShapeMismatch, "the result of a scattering operator has the shape of its data"};
    return kOkStatus;
  }

  // Copies the data, then calls body(result, updates, combine), all of one type.
  template <class Body> void each(const KernelCall& call, Body&& body) const noexcept {
    const TensorView& data = call.inputs[0];
    const int64_t bytes = data.elements() * element_bytes(data.dtype);
    if (bytes > 0 && call.outputs[0].data != data.data)
      std::memcpy(call.outputs[0].data, data.data, static_cast<size_t>(bytes));
    if (reduction_ == kReplace) {
      with_element(element_bytes(data.dtype), [&]<class T>(T) { typed<T>(call, body, [](T, T b) { return b; }); });
    } else if (data.dtype == DType::kF32) {
      reduce<float>(call, body);
    } else if (data.dtype == DType::kI32) {
      reduce<int32_t>(call, body);
    } else {
      reduce<int64_t>(call, body);
    }
  }

  static Status outside() { return {Code::kInvalidArgument, "an index of a scattering operator is outside its axis"}; }

 private:
  template <class T, class Body, class F> void typed(const KernelCall& call, Body& body, F f) const {
    body(static_cast<T*>(call.outputs[0].data), static_cast<const T*>(call.inputs[2].data), f);
  }
  template <class T, class Body> void reduce(const KernelCall& call, Body& body) const {
    if (reduction_ == kAdd) typed<T>(call, body, combine<kAdd, T>);
    else if (reduction_ == kMultiply) typed<T>(call, body, combine<kMultiply, T>);
    else if (reduction_ == kMaximum) typed<T>(call, body, combine<kMaximum, T>);
    else typed<T>(call, body, combine<kMinimum, T>);
  }

  Scattering reduction_;
};

class ScatterElements final : public Scatter {
 public:
  explicit ScatterElements(const ScatterElementsParameters& p) : Scatter(p.reduction), axis_(p.axis) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call));
    if (!same_dims(call.inputs[1], call.inputs[2]) || !pairs_.prepare(call.inputs[0], call.inputs[1], axis_))
      return {Code::kShapeMismatch, "the operands of ScatterElements do not fit each other"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    bool inside = true;
    each(call, [&](auto* to, const auto* updates, auto f) {
      with_indices(call.inputs[1], [&](const auto* indices) {
        inside = pairs_.run(indices, [&](int64_t i, int64_t at) { to[at] = f(to[at], updates[i]); });
      });
    });
    return inside ? kOkStatus : outside();
  }

  int64_t axis_;
  ElementPairs pairs_;
};

class ScatterNd final : public Scatter {
 public:
  explicit ScatterNd(const ScatterNdParameters& p) : Scatter(p.reduction) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call));
    if (call.inputs[1].dtype != DType::kI64) return {Code::kMalformedPlan, "the indices of ScatterND are int64"};
    if (!tuples_.prepare(call.inputs[0], call.inputs[1], 0) ||
        call.inputs[2].elements() != tuples_.count() * tuples_.run())
      return {Code::kShapeMismatch, "the operands of ScatterND do not fit each other"};
    return kOkStatus;
  }
  // Threads share the elements of the slices, so that updates of one slice keep their order.
  Status launch_dense(const KernelCall& call) noexcept override {
    const auto* indices = static_cast<const int64_t*>(call.inputs[1].data);
    std::atomic<bool> wrong{false};
    const int64_t run = tuples_.run();
    const int threads = useful_threads(thread_count(), static_cast<double>(tuples_.count()) * static_cast<double>(run));
    each(call, [&](auto* to, const auto* updates, auto f) {
      parallel_ranges(threads, run, [&](int64_t begin, int64_t end) {
        for (int64_t t = 0; t < tuples_.count(); ++t) {
          const int64_t at = tuples_.offset(indices, t);
          if (at < 0) {
            wrong.store(true, std::memory_order_relaxed);
            continue;
          }
          for (int64_t i = begin; i < end; ++i) to[at + i] = f(to[at + i], updates[t * run + i]);
        }
      });
    });
    return wrong ? outside() : kOkStatus;
  }

  Tuples tuples_;
};

}  // namespace

std::unique_ptr<Kernel> make_scatter_elements(const Attributes& p) {
  return std::make_unique<ScatterElements>(read_parameters<ScatterElementsParameters>(p));
}
std::unique_ptr<Kernel> make_scatter_nd(const Attributes& p) {
  return std::make_unique<ScatterNd>(read_parameters<ScatterNdParameters>(p));
}

}  // namespace kiln::cpu::kernels
