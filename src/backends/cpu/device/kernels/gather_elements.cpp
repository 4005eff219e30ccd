// Kernels "gather_elements" (parameter axis) and "gather_nd" (parameter batch_axes). Inputs: data, indices.
#include <cstring>

#include "backends/cpu/device/kernels/indexed.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cpu::kernels {
namespace {

Status check(const KernelCall& call) {
  if (call.inputs.size() != 2 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "a gathering kernel has two inputs and one result"};
  if (element_bytes(call.inputs[0].dtype) == 0 || call.inputs[0].dtype != call.outputs[0].dtype ||
      !is_index(call.inputs[1]))
    return {Code::kMalformedPlan, "a gathering kernel has operands of other types"};
  return kOkStatus;
}

Status outside() { return {Code::kInvalidArgument, "an index of a gathering operator is outside its axis"}; }

class GatherElements final : public DenseKernel {
 public:
  explicit GatherElements(const AxisParameters& p) : axis_(p.axis) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call));
    if (!same_dims(call.inputs[1], call.outputs[0]) || !pairs_.prepare(call.inputs[0], call.inputs[1], axis_))
      return {Code::kShapeMismatch, "the operands of GatherElements do not fit each other"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    bool inside = true;
    with_element(element_bytes(call.inputs[0].dtype), [&]<class T>(T) {
      const auto* from = static_cast<const T*>(call.inputs[0].data);
      auto* to = static_cast<T*>(call.outputs[0].data);
      with_indices(call.inputs[1], [&](const auto* indices) {
        inside = pairs_.run(indices, [&](int64_t i, int64_t at) { to[i] = from[at]; });
      });
    });
    return inside ? kOkStatus : outside();
  }

  int64_t axis_;
  ElementPairs pairs_;
};

class GatherNd final : public DenseKernel {
 public:
  explicit GatherNd(const GatherNdParameters& p) : batch_(p.batch_axes) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check(call));
    const TensorView &data = call.inputs[0], &indices = call.inputs[1];
    if (indices.dtype != DType::kI64) return {Code::kMalformedPlan, "the indices of GatherND are int64"};
    if (!tuples_.prepare(data, indices, batch_) || call.outputs[0].elements() != tuples_.count() * tuples_.run())
      return {Code::kShapeMismatch, "the operands of GatherND do not fit each other"};
    run_ = tuples_.run() * element_bytes(data.dtype);
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    const auto* from = static_cast<const uint8_t*>(call.inputs[0].data);
    const auto* indices = static_cast<const int64_t*>(call.inputs[1].data);
    auto* to = static_cast<uint8_t*>(call.outputs[0].data);
    const int size = element_bytes(call.inputs[0].dtype);
    const int threads =
        useful_threads(thread_count(), 0.15 * static_cast<double>(tuples_.count()) * static_cast<double>(run_ + 32));
    std::atomic<bool> wrong{false};
    parallel_ranges(threads, tuples_.count(), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t at = tuples_.offset(indices, t);
        if (at < 0) wrong.store(true, std::memory_order_relaxed);
        else if (run_ > 0) std::memcpy(to + t * run_, from + at * size, static_cast<size_t>(run_));
      }
    });
    return wrong ? outside() : kOkStatus;
  }

  int64_t batch_, run_ = 0;
  Tuples tuples_;
};

}  // namespace

std::unique_ptr<Kernel> make_gather_elements(const Attributes& p) {
  return std::make_unique<GatherElements>(read_parameters<AxisParameters>(p));
}
std::unique_ptr<Kernel> make_gather_nd(const Attributes& p) {
  return std::make_unique<GatherNd>(read_parameters<GatherNdParameters>(p));
}

}  // namespace kiln::cpu::kernels
