// Kernel "copy": one tensor into another, element by element. Parameters: those of CopyRule. Operands behind the first: the starts of
// a slice, or what fills the blocks of the result.
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
    if (call.inputs.empty() || call.outputs.size() != 1 || call.inputs.size() != rule_.operands(call.outputs[0]))
      return {Code::kMalformedPlan, "a copy has one result"};
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    const int size = element_bytes(in.dtype);
    if (!has_place(in) || !has_place(out) || in.dtype != out.dtype || size == 0)
      return {Code::kMalformedPlan, "a copy takes tensors of one type in memory"};
    if (call.inputs.size() > 1) KILN_RETURN_IF_ERROR(check_second(call.inputs[1], in.dtype));
    return guarded([&]() -> Status {
      std::vector<CopyWalk> walks;
      const CopyRule::Walked walked = rule_.walks(in, out, walks);
      if (walked == CopyRule::Walked::kNever)
        return {Code::kShapeMismatch, "the copy's operands do not fit each other"};
      elementwise_ = walked == CopyRule::Walked::kElementwise;
      parts_.clear();
      for (const CopyWalk& w : walks)
        parts_.push_back(
            {StridedCopy(w.dims, w.from, w.to, size, thread_count()), w.from_start * size, w.to_start * size, w.fills});
      return kOkStatus;
    });
  }

  Status launch(Stream&, const KernelCall& call) noexcept override {
    const TensorView &in = call.inputs[0], &out = call.outputs[0];
    if (rule_.late_starts()) {
      const auto start = rule_.late_start(in, out, call.inputs[1]);
      if (!start) return {Code::kInvalidArgument, "the starts of a slice do not suit the shape of its result"};
      parts_[0].copy.run(static_cast<const uint8_t*>(in.data) + *start * element_bytes(in.dtype), out.data);
      return kOkStatus;
    }
    if (elementwise_) return copy_elementwise(in, out), kOkStatus;
    for (const Part& p : parts_)
      p.copy.run(static_cast<const uint8_t*>(p.fills ? call.inputs[1].data : in.data) + p.from,
                 static_cast<uint8_t*>(out.data) + p.to);
    return kOkStatus;
  }

 private:
  struct Part {
    StridedCopy copy;
    int64_t from, to;  // bytes
    bool fills;
  };

  static bool has_place(const TensorView& v) { return is_plain(v) || (!v.slot && CopyRule::has_blocks(v)); }

  Status check_second(const TensorView& v, DType type) const noexcept {
    if (!is_plain(v) || !v.is_dense()) return {Code::kMalformedPlan, "the second operand of a copy is a row"};
    if (!rule_.late_starts())
      return v.dtype == type && v.elements() == 1
                 ? kOkStatus
                 : Status{Code::kMalformedPlan, "one element of the copy's type fills its blocks"};
    return v.elements() == static_cast<int64_t>(rule_.axes()) && (v.dtype == DType::kI32 || v.dtype == DType::kI64)
               ? kOkStatus
               : Status{Code::kMalformedPlan, "the starts of a slice are one integer per axis"};
  }

  static void copy_elementwise(const TensorView& in, const TensorView& out) noexcept {
    const int64_t count = in.elements();
    const auto size = static_cast<size_t>(element_bytes(in.dtype));
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(static_cast<uint8_t*>(out.data) + static_cast<size_t>(offset_of(out, i)) * size,
                  static_cast<const uint8_t*>(in.data) + static_cast<size_t>(offset_of(in, i)) * size, size);
  }

  CopyRule rule_;
  std::vector<Part> parts_;  // one, but with blocks
  bool elementwise_ = false;
};

}  // namespace

std::unique_ptr<Kernel> make_copy(const Attributes& parameters) {
  return std::make_unique<Copy>(read_parameters<CopyParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
