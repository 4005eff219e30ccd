// Kernel "late_shape": operators that move elements and whose parameters, and so the shape of the result, are values that only running
// tells. Parameter `what`: reshape (inputs: data, shape; parameter allowzero), expand (data, shape), tile (data, repeats), slice (data,
// starts, ends, axes, steps), pad (data, pads, value, axes; parameter mode), resize (data, roi, scales, sizes; parameters of "resize"
// but scales and roi). It finds the shape, and lets the kernel "copy", "pad" or "resize" do the work.
#include <cmath>
#include <vector>

#include "backends/cpu/device/kernels/common.h"
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/index.h"
#include "device/copy_rule.h"
#include "tensor/convert.h"
#include "tensor/sampling.h"

namespace kiln::cpu::kernels {
namespace {

[[noreturn]] void refuse(const char* what) { throw Error(Code::kInvalidArgument, what); }

Ints read_ints(const TensorView& v) {
  Ints values;
  for (int64_t i = 0, n = v.elements(); i < n; ++i) values.push_back(load_int(v.dtype, v.data, offset_of(v, i)));
  return values;
}

Floats read_reals(const TensorView& v) {
  Floats values;
  for (int64_t i = 0, n = v.elements(); i < n; ++i) values.push_back(load_double(v.dtype, v.data, offset_of(v, i)));
  return values;
}

bool given(const TensorView& v) { return v.present() && !(v.rank == 1 && v.dims[0] == 0); }

// The axes as an input says, or the first `count`.
Ints axes_of(const KernelCall& call, size_t input, size_t count) {
  const int64_t rank = call.inputs[0].rank;
  Ints axes;
  if (input < call.inputs.size() && call.inputs[input].present()) axes = read_ints(call.inputs[input]);
  else
    for (size_t i = 0; i < count; ++i) axes.push_back(static_cast<int64_t>(i));
  if (axes.size() != count) refuse("there are more or fewer axes than values for them");
  for (int64_t& axis : axes) axis = normalize_axis(axis, rank);
  return axes;
}

// What the working kernel is, and the shape of the result.
struct Work {
  std::unique_ptr<Kernel> kernel;
  Dims dims;
  std::vector<TensorView> inputs;
};

// Dimensions that are kept cancel, so that -1 has a meaning beside one of zero.
Dims reshaped(const Dims& in, Ints shape, bool allow_zero) {
  int64_t known = 1, unknown = -1;
  Dims others = in;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !allow_zero) {
      if (i >= in.size()) refuse("a Reshape keeps a dimension that its input does not have");
      shape[i] = in[i];
      others[i] = 1;
    } else if (shape[i] == -1) {
      if (unknown >= 0) refuse("a Reshape leaves two dimensions open");
      unknown = static_cast<int64_t>(i);
    } else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known)) {
      refuse("a Reshape asks for a shape that cannot be");
    }
  }
  const int64_t count = element_count(others);
  if (unknown >= 0) {
    if (known == 0 || count % known != 0) refuse("a Reshape does not fit the number of elements");
    nth(shape, unknown) = count / known;
  } else if (element_count(shape) != element_count(in)) {
    refuse("a Reshape does not fit the number of elements");
  }
  return shape;
}

Dims expanded(Dims in, Ints shape) {
  if (shape.size() < in.size()) shape.insert(shape.begin(), in.size() - shape.size(), 1);
  in.insert(in.begin(), shape.size() - in.size(), 1);
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] != 1 && shape[i] != 1 && in[i] != shape[i]) refuse("an Expand does not fit its input");
    if (in[i] == 1) in[i] = shape[i];
  }
  return in;
}

// How many elements a slice takes of an axis.
int64_t slice_length(int64_t start, int64_t end, int64_t step, int64_t extent) {
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  const auto place = [&](int64_t v, int64_t least) {
    return std::clamp(v < 0 ? std::max(v, -extent - 1) + extent : v, least, std::max(high, least));
  };
  const int64_t from = place(start, step > 0 ? 0 : std::min<int64_t>(0, high)), to = place(end, low);
  const int64_t distance = step > 0 ? to - from : from - to;
  if (distance <= 0) return 0;
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  return static_cast<int64_t>(static_cast<uint64_t>(distance - 1) / stride) + 1;
}

class LateShape final : public Kernel {
 public:
  explicit LateShape(LateShapeParameters p) : p_(std::move(p)) {}

  Slots takes_slots() const noexcept override { return Slots::kResults; }

  Status prepare(const KernelCall& call) noexcept override {
    const size_t least = p_.what == What::kSlice ? 3 : p_.what == What::kResize ? 4 : 2;
    if (call.inputs.size() < least || call.inputs.size() > 5 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a late shape has other operands"};
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      const TensorView& v = call.inputs[i];
      if (!v.present()) continue;
      const bool real = p_.what == What::kResize && (i == 1 || i == 2),
                 data = i == 0 || (p_.what == What::kPad && i == 2);
      if (!is_plain(v) || (data   ? v.dtype != call.outputs[0].dtype || element_bytes(v.dtype) == 0
                           : real ? v.dtype != DType::kF32
                                  : !is_integer(v.dtype)))
        return {Code::kMalformedPlan, "a late shape has operands of other types"};
    }
    if (!call.inputs[0].present() || (p_.what != What::kResize && !call.inputs[1].present()) ||
        (p_.what == What::kSlice && !call.inputs[2].present()))
      return {Code::kMalformedPlan, "a late shape lacks an operand"};
    return kOkStatus;
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      Work work = plan(call);
      if (!checked_element_count(work.dims)) refuse("a result has a size that cannot be");
      TensorView out = call.outputs[0];
      const bool late = out.slot != nullptr;
      void* to = place_result(out, work.dims);
      if (!to && !(late && element_count(work.dims) == 0))
        return {Code::kShapeMismatch, "a result has another shape than was foreseen"};
      if (element_count(work.dims) == 0) return kOkStatus;
      const Dims strides = row_major_strides(work.dims);
      const Layout layout;
      if (late)
        out = {to, work.dims.data(), strides.data(), static_cast<int>(work.dims.size()), out.dtype, &layout, nullptr};
      return run(stream, work, out);
    });
  }

 private:
  static Status run(Stream& stream, const Work& work, const TensorView& out) {
    KernelCall call{work.inputs, {&out, 1}, nullptr, 0};
    const size_t size = work.kernel->workspace(call);
    const Tensor workspace = Tensor::allocate(DType::kU8, {static_cast<int64_t>(size)});
    call.workspace = const_cast<void*>(workspace.data());
    call.workspace_size = size;
    KILN_RETURN_IF_ERROR(work.kernel->prepare(call));
    return work.kernel->launch(stream, call);
  }

  Work plan(const KernelCall& call) const {
    const TensorView& data = call.inputs[0];
    const Dims in(data.dims, data.dims + data.rank);
    const auto copy = [](CopyParameters::What what) { return make_copy(to_parameters(CopyParameters{.what = what})); };
    if (p_.what == What::kReshape)
      return {copy(CopyParameters::What::kDense), reshaped(in, read_ints(call.inputs[1]), p_.allowzero), {data}};
    if (p_.what == What::kExpand)
      return {copy(CopyParameters::What::kExpand), expanded(in, read_ints(call.inputs[1])), {data}};
    if (p_.what == What::kSlice) return plan_slice(call, in);
    if (p_.what == What::kPad) return plan_pad(call, in);
    if (p_.what == What::kResize) return plan_resize(call, in);
    const Ints repeats = read_ints(call.inputs[1]);
    if (repeats.size() != in.size()) refuse("a Tile has other repeats than dimensions");
    Dims out = in;
    for (size_t i = 0; i < out.size(); ++i)
      if (repeats[i] < 0 || __builtin_mul_overflow(out[i], repeats[i], &out[i])) refuse("a Tile is too large");
    return {copy(CopyParameters::What::kTile), out, {data}};
  }

  static Work plan_slice(const KernelCall& call, const Dims& in) {
    const Ints starts = read_ints(call.inputs[1]), ends = read_ints(call.inputs[2]);
    if (starts.size() != ends.size()) refuse("a Slice has other starts than ends");
    const Ints axes = axes_of(call, 3, starts.size());
    Ints steps(starts.size(), 1);
    if (call.inputs.size() > 4 && call.inputs[4].present()) steps = read_ints(call.inputs[4]);
    if (steps.size() != starts.size()) refuse("a Slice has other steps than starts");
    Dims out = in;
    for (size_t i = 0; i < axes.size(); ++i) {
      if (steps[i] == 0) refuse("a Slice has a step of 0");
      const auto axis = static_cast<size_t>(axes[i]);
      out[axis] = slice_length(starts[i], ends[i], steps[i], in[axis]);
    }
    const CopyParameters copy{.what = CopyParameters::What::kSlice, .axes = axes, .steps = steps, .starts = starts};
    return {make_copy(to_parameters(copy)), out, {call.inputs[0]}};
  }

  Work plan_pad(const KernelCall& call, const Dims& in) const {
    const Ints pads = read_ints(call.inputs[1]);
    const Ints axes = axes_of(call, 3, pads.size() / 2);
    if (pads.size() % 2 != 0) refuse("a Pad has an odd number of pads");
    Ints before(in.size(), 0);
    Dims out = in;
    for (size_t i = 0; i < axes.size(); ++i) {
      const auto axis = static_cast<size_t>(axes[i]);
      before[axis] = pads[i];
      if (__builtin_add_overflow(out[axis], pads[i], &out[axis]) ||
          __builtin_add_overflow(out[axis], pads[axes.size() + i], &out[axis]))
        refuse("a Pad is too large");
    }
    const TensorView value = call.inputs.size() > 2 ? call.inputs[2] : TensorView{};
    return {make_pad(to_parameters(PadParameters{p_.padding, before})), out, {call.inputs[0], value}};
  }

  Work plan_resize(const KernelCall& call, const Dims& in) const {
    const Ints& axes = p_.resample.axes;
    for (int64_t axis : axes)
      if (axis >= static_cast<int64_t>(in.size())) refuse("a Resize has an axis that its input does not have");
    Dims out = in;
    ResizeParameters inner{.resample = p_.resample};
    if (p_.resample.crops() && call.inputs[1].present()) inner.roi = read_reals(call.inputs[1]);
    if (given(call.inputs[2])) {
      const Floats scales = read_reals(call.inputs[2]);
      if (scales.size() != axes.size()) refuse("a Resize has other scales than axes");
      for (size_t i = 0; i < axes.size(); ++i) {
        int64_t& d = nth(out, axes[i]);
        const float size = std::floor(static_cast<float>(d) * static_cast<float>(scales[i]));
        if (!(scales[i] > 0) || !(size < 1e15f)) refuse("a Resize has a scale that cannot be");
        d = static_cast<int64_t>(size);
      }
      inner.scales = scales;
    } else {
      if (!call.inputs[3].present()) refuse("a Resize has neither scales nor sizes");
      const Ints sizes = read_ints(call.inputs[3]);
      if (sizes.size() != axes.size()) refuse("a Resize has other sizes than axes");
      for (size_t i = 0; i < axes.size(); ++i) nth(out, axes[i]) = sizes[i];
    }
    if (!kernels_take_scales(inner.scales) || !kernels_take_region(inner.roi))
      refuse("a Resize has a scale or a region beyond what the kernel computes");
    return {make_resize(to_parameters(inner)), out, {call.inputs[0]}};
  }

  using What = LateShapeParameters::What;
  LateShapeParameters p_;
};

}  // namespace

std::unique_ptr<Kernel> make_late_shape(const Attributes& p) {
  return std::make_unique<LateShape>(read_parameters<LateShapeParameters>(p));
}

}  // namespace kiln::cpu::kernels
