// Kernel "gather": slices of input 0 along `axis`, chosen by the int32 or int64 indices of input 1.
#include <atomic>
#include <cstring>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class Gather final : public DenseKernel {
 public:
  explicit Gather(const AxisParameters& p) : axis_(p.axis) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1) return {Code::kMalformedPlan, "gather has other operands"};
    const TensorView &data = call.inputs[0], &indices = call.inputs[1], &out = call.outputs[0];
    if (element_bytes(data.dtype) == 0 || data.dtype != out.dtype ||
        (indices.dtype != DType::kI32 && indices.dtype != DType::kI64))
      return {Code::kMalformedPlan, "gather has operands of other types"};
    if (axis_ < 0 || axis_ >= data.rank) return {Code::kShapeMismatch, "gather has no such axis"};
    const int axis = static_cast<int>(axis_);
    outer_ = extent(data, 0, axis);
    extent_ = data.dims[axis];
    run_ = extent(data, axis + 1, data.rank) * element_bytes(data.dtype);
    count_ = indices.elements();
    if (out.elements() * element_bytes(out.dtype) != outer_ * count_ * run_)
      return {Code::kShapeMismatch, "the result of gather has another size"};
    return kOkStatus;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    return call.inputs[1].dtype == DType::kI64 ? pick(call, static_cast<const int64_t*>(call.inputs[1].data))
                                               : pick(call, static_cast<const int32_t*>(call.inputs[1].data));
  }

  template <class T> Status pick(const KernelCall& call, const T* indices) const noexcept {
    const auto* from = static_cast<const uint8_t*>(call.inputs[0].data);
    auto* to = static_cast<uint8_t*>(call.outputs[0].data);
    std::atomic<bool> outside{false};
    const int threads =
        useful_threads(thread_count(), 0.15 * static_cast<double>(outer_ * count_) * static_cast<double>(run_ + 16));
    parallel_ranges(threads, outer_ * count_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t index = indices[i % count_];
        if (index < 0) index += extent_;
        if (index < 0 || index >= extent_) {
          outside.store(true, std::memory_order_relaxed);
          continue;
        }
        copy_run(to + i * run_, from + (i / count_ * extent_ + index) * run_);
      }
    });
    return outside ? Status{Code::kInvalidArgument, "an index of Gather is outside its axis"} : kOkStatus;
  }

  void copy_run(uint8_t* to, const uint8_t* from) const noexcept {
    if (run_ == 4) std::memcpy(to, from, 4);
    else if (run_ == 8) std::memcpy(to, from, 8);
    else std::memcpy(to, from, static_cast<size_t>(run_));
  }

  int64_t axis_;
  int64_t outer_ = 0, extent_ = 0, run_ = 0, count_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_gather(const Attributes& parameters) {
  return std::make_unique<Gather>(read_parameters<AxisParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
