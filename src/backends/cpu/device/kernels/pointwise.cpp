// Kernel "pointwise": a scalar program over broadcast tensors of any strides. Parameters: program.*.
#include <optional>
#include <vector>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/compute/pointwise.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/index.h"
#include "device/pointwise_parameters.h"

namespace kiln::cpu::kernels {
namespace {

PointwiseOperand operand(const TensorView& view, int rank) {
  PointwiseOperand result{view.dtype, Dims(static_cast<size_t>(rank), 0)};
  const int shift = rank - view.rank;
  for (int i = 0; i < view.rank; ++i) nth(result.strides, i + shift) = view.dims[i] == 1 ? 0 : view.strides[i];
  return result;
}

class Pointwise final : public Kernel {
 public:
  explicit Pointwise(ScalarProgram program) : program_(std::move(program)) {}

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.outputs.size() != program_.outputs.size() || call.inputs.size() != program_.input_count)
        return {Code::kMalformedPlan, "the program has other operands"};
      const TensorView& out = call.outputs[0];
      const Dims dims(out.dims, out.dims + out.rank);
      std::vector<PointwiseOperand> inputs, outputs;
      for (const TensorView& v : call.inputs) {
        if (!is_plain(v) || v.rank > out.rank || !fits(v, out))
          return {Code::kShapeMismatch, "an operand does not broadcast to the result"};
        inputs.push_back(operand(v, out.rank));
      }
      for (const TensorView& v : call.outputs) {
        if (!is_plain(v) || v.rank != out.rank || !fits(v, out))
          return {Code::kShapeMismatch, "results differ in shape"};
        outputs.push_back({v.dtype, Dims(v.strides, v.strides + v.rank)});
      }
      plan_.emplace(program_, dims, inputs, outputs, thread_count());
      in_.resize(inputs.size());
      out_.resize(outputs.size());
      return kOkStatus;
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    for (size_t i = 0; i < in_.size(); ++i) in_[i] = call.inputs[i].data;
    for (size_t i = 0; i < out_.size(); ++i) out_[i] = call.outputs[i].data;
    plan_->run(in_.data(), out_.data());
    return kOkStatus;
  }

  Sharing sharing() const noexcept override { return Sharing::kInPlace; }

 private:
  static bool fits(const TensorView& v, const TensorView& out) {
    const int shift = out.rank - v.rank;
    for (int i = 0; i < v.rank; ++i)
      if (v.dims[i] != 1 && v.dims[i] != out.dims[i + shift]) return false;
    return true;
  }

  ScalarProgram program_;
  std::optional<PointwisePlan> plan_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
};

}  // namespace

std::unique_ptr<Kernel> make_pointwise(const Attributes& parameters) {
  return std::make_unique<Pointwise>(read_parameters<PointwiseParameters>(parameters).program);
}

}  // namespace kiln::cpu::kernels
