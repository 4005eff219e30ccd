// Kernel "copy": one tensor into another, element by element. Parameters: those of CopyRule.
#include "device/copy_rule.h"

#include <cstring>

#include "backends/cpu/device/compute/transpose.h"
#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

class Copy final : public Kernel {
 public:
  explicit Copy(CopyParameters parameters) : rule_(std::move(parameters)) {}

  Status prepare(const KernelCall& call) noexcept override {
    if (call.inputs.size() != (rule_.late_starts() ? 2 : 1) || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a copy has one result"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if (!is_plain(in) || !is_plain(out) || in.dtype != out.dtype || !element_bytes(in.dtype))
      return {Code::kMalformedPlan, "a copy takes plain tensors of one type"};
    if (rule_.late_starts()) {
      const TensorView& starts = call.inputs[1];
      if (!is_plain(starts) || !starts.is_dense() || starts.elements() != static_cast<int64_t>(rule_.axes()) ||
          (starts.dtype != DType::kI32 && starts.dtype != DType::kI64))
        return {Code::kMalformedPlan, "the starts of a slice are one integer per axis"};
    }
    return guarded([&]() -> Status {
      CopyWalk w;
      const CopyRule::Walked walked = rule_.walk(in, out, w);
      if (walked == CopyRule::Walked::kNever)
        return {Code::kShapeMismatch, "the copy's operands do not fit each other"};
      elementwise_ = walked == CopyRule::Walked::kElementwise;
      start_ = w.from_start * element_bytes(in.dtype);
      copy_ = StridedCopy(w.dims, w.from, w.to, element_bytes(in.dtype), thread_count());
      return kOkStatus;
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if (rule_.late_starts()) {
      const auto start = rule_.late_start(in, out, call.inputs[1]);
      if (!start) return {Code::kInvalidArgument, "the starts of a slice do not suit the shape of its result"};
      copy_.run(static_cast<const uint8_t*>(in.data) + *start * element_bytes(in.dtype), out.data);
      return kOkStatus;
    }
    if (elementwise_) copy_elementwise(in, out);
    else copy_.run(static_cast<const uint8_t*>(in.data) + start_, out.data);
    return kOkStatus;
  }

 private:
  static void copy_elementwise(const TensorView& in, const TensorView& out) noexcept {
    const int64_t count = in.elements();
    const auto size = static_cast<size_t>(element_bytes(in.dtype));
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(static_cast<uint8_t*>(out.data) + static_cast<size_t>(offset_of(out, i)) * size,
                  static_cast<const uint8_t*>(in.data) + static_cast<size_t>(offset_of(in, i)) * size, size);
  }

  CopyRule rule_;
  StridedCopy copy_;
  int64_t start_ = 0;  // bytes
  bool elementwise_ = false;
};

}  // namespace

std::unique_ptr<Kernel> make_copy(const Attributes& parameters) {
  return std::make_unique<Copy>(read_parameters<CopyParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
