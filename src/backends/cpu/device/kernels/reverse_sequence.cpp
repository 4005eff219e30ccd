// Kernel "reverse_sequence": reverses the first lengths[b] steps of every batch entry b. Inputs: data, lengths. Parameter time_first:
// the axes are time, batch and not batch, time.
#include <cstring>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cpu::kernels {
namespace {

class ReverseSequence final : public DenseKernel {
 public:
  explicit ReverseSequence(const ReverseSequenceParameters& p) : time_first_(p.time_first) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1 || element_bytes(call.inputs[0].dtype) == 0 ||
        call.inputs[0].dtype != call.outputs[0].dtype || call.inputs[1].dtype != DType::kI64)
      return {Code::kMalformedPlan, "reverse_sequence has other operands"};
    const TensorView& in = call.inputs[0];
    if (in.rank < 2 || !same_dims(in, call.outputs[0]) || call.inputs[1].elements() != in.dims[time_first_ ? 1 : 0])
      return {Code::kShapeMismatch, "the operands of reverse_sequence do not fit each other"};
    return kOkStatus;
  }
  Status launch_dense(const KernelCall& call) noexcept override {
    const TensorView& in = call.inputs[0];
    const auto* lengths = static_cast<const int64_t*>(call.inputs[1].data);
    const int64_t steps = in.dims[time_first_ ? 0 : 1], batch = in.dims[time_first_ ? 1 : 0];
    for (int64_t b = 0; b < batch; ++b)
      if (lengths[b] < 0 || lengths[b] > steps)
        return {Code::kInvalidArgument, "a length of ReverseSequence is outside its axis"};
    const int64_t run = extent(in, 2, in.rank) * element_bytes(in.dtype);
    if (run == 0) return kOkStatus;
    const auto* from = static_cast<const uint8_t*>(in.data);
    auto* to = static_cast<uint8_t*>(call.outputs[0].data);
    const auto at = [&](int64_t t, int64_t b) { return (time_first_ ? t * batch + b : b * steps + t) * run; };
    const int threads =
        useful_threads(thread_count(), 0.15 * static_cast<double>(steps * batch) * static_cast<double>(run + 16));
    parallel_ranges(threads, steps * batch, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t t = time_first_ ? i / batch : i % steps, b = time_first_ ? i % batch : i / steps;
        std::memcpy(to + i * run, from + at(t < lengths[b] ? lengths[b] - 1 - t : t, b), static_cast<size_t>(run));
      }
    });
    return kOkStatus;
  }

  bool time_first_;
};

}  // namespace

std::unique_ptr<Kernel> make_reverse_sequence(const Attributes& p) {
  return std::make_unique<ReverseSequence>(read_parameters<ReverseSequenceParameters>(p));
}

}  // namespace kiln::cpu::kernels
