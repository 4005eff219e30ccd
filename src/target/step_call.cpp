// Views of a problem's operands.
#include "target/step_call.h"

#include "base/error.h"

namespace kiln {

StepCall::StepCall(const Problem& problem, const Emitted& emitted, Shapes shapes) {
  std::string reason;
  const Device* device = try_open_device(emitted.device, reason);  // views need none
  const bool readable = device && device->host_memory();
  for (int from : emitted.inputs) inputs.push_back(input(problem, emitted, from, shapes, readable));
  for (const Argument& a : problem.outputs)
    outputs.push_back(a.present ? view(a.dtype, shapes == Shapes::kLargest ? a.max : a.opt, a.layout) : TensorView());
}

TensorView StepCall::view(DType dtype, const Dims& dims, const Layout& layout) {
  held_.push_back({dims, layout.is_plain() ? strides(layout, dims) : Dims(), layout});
  const Held& h = held_.back();
  TensorView v;
  v.dims = h.dims.data();
  v.strides = layout.is_plain() ? h.strides.data() : nullptr;
  v.rank = static_cast<int>(h.dims.size());
  v.dtype = dtype;
  v.layout = &h.layout;
  return v;
}

TensorView StepCall::input(const Problem& problem, const Emitted& emitted, int from, Shapes shapes, bool readable) {
  if (from == Emitted::kAbsent) return {};
  const bool packed = Emitted::is_constant(from);
  const Argument& a = problem.input(from);
  const Tensor* constant = packed ? &emitted.constants.at(static_cast<size_t>(Emitted::constant_of(from))) : a.constant;
  TensorView v = packed ? view(constant->dtype(), constant->dims(), Layout())
                        : view(a.dtype, shapes == Shapes::kLargest ? a.max : a.opt, a.layout);
  if (!constant) return v;
  v.host = constant->data();
  if (readable) v.data = const_cast<void*>(constant->data());
  return v;
}

std::unique_ptr<Kernel> make_kernel(const Emitted& emitted) {
  std::unique_ptr<Kernel> kernel =
      open_device(emitted.device).create_kernel(emitted.kernel, emitted.parameters, emitted.code.get());
  if (!kernel)
    throw Error(Code::kInternal, "the device '" + emitted.device + "' has no kernel '" + emitted.kernel + "'");
  return kernel;
}

size_t workspace_of(const Problem& problem, const Emitted& emitted) {
  const StepCall step(problem, emitted, StepCall::Shapes::kLargest);
  return make_kernel(emitted)->workspace(step.call());
}

}  // namespace kiln
