// Parameters of the kernels "gather_dequantized".
#include "device/gather_dequantized.h"

#include "base/checked.h"

namespace kiln {
namespace {

// Parameters of integers that these strides reach; nothing when they are none.
std::optional<int64_t> reach(const GatherDequantizedParameters& p, const Ints& strides) {
  std::optional<int64_t> most = 0;
  for (size_t axis = 0; axis < strides.size() && most; ++axis) {
    const int64_t last = p.dims[axis] - 1;
    const auto step = checked_mul(static_cast<int64_t>(axis) == p.block_axis ? last / p.block : last, strides[axis]);
    most = step ? checked_add(*most, *step) : std::nullopt;
  }
  return most ? checked_add(*most, 1) : std::nullopt;
}

}  // namespace

void GatherDequantizedParameters::check() const {
  const auto size = checked_element_count(dims);
  if (dims.empty() || !size || !checked_mul(*size, 8))
    throw Error(Code::kMalformedPlan, "a table of integers has no size");
  if (bits != 2 && bits != 4 && bits != 8)
    throw Error(Code::kMalformedPlan, "a table of integers of " + std::to_string(bits) + " bits");
  const auto rank = static_cast<int64_t>(dims.size());
  if (axis >= rank || block_axis >= rank || scale_strides.size() != dims.size() ||
      (!zero_strides.empty() && zero_strides.size() != dims.size()))
    throw Error(Code::kMalformedPlan, "the parameters of a table have another rank");
}

Status check_gather_dequantized(const GatherDequantizedParameters& p, const KernelCall& call) noexcept {
  if (call.inputs.size() < 3 || call.inputs.size() > 4 || call.outputs.size() != 1)
    return {Code::kMalformedPlan, "gather_dequantized has other operands"};
  const TensorView &table = call.inputs[0], &indices = call.inputs[1], &scale = call.inputs[2], &out = call.outputs[0];
  const TensorView* zero = call.inputs.size() == 4 ? &call.inputs[3] : nullptr;
  if (table.dtype != DType::kU8 || (indices.dtype != DType::kI32 && indices.dtype != DType::kI64) ||
      scale.dtype != DType::kF32 || out.dtype != DType::kF32 || (zero && zero->dtype != DType::kU8))
    return {Code::kMalformedPlan, "gather_dequantized has operands of other types"};
  const auto bytes_of = [&](int64_t integers) { return (integers * p.bits + 7) / 8; };
  int64_t size = 1, slice = 1;  // of the table, and of what an index takes of it
  for (size_t axis = 0; axis < p.dims.size(); ++axis) {
    size *= p.dims[axis];
    if (static_cast<int64_t>(axis) != p.axis) slice *= p.dims[axis];
  }
  const auto scales = reach(p, p.scale_strides), zeros = reach(p, p.zero_strides);
  if (!scales || !zeros || table.elements() != bytes_of(size) || *scales > scale.elements() ||
      (zero && (*zeros > size || bytes_of(*zeros) > zero->elements())))
    return {Code::kShapeMismatch, "a table of integers or its parameters have another size"};
  const auto elements = checked_mul(slice, indices.elements());
  if (!elements || out.elements() != *elements)
    return {Code::kShapeMismatch, "the result of gather_dequantized has another size"};
  return kOkStatus;
}

}  // namespace kiln
