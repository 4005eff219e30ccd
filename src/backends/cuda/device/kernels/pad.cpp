// Kernel "pad": adds elements around a tensor, or removes them where a pad is negative. Inputs: data, value (one element of the same
// type, may be absent: zero). Parameters: mode (constant, edge, reflect, wrap), before (a number per axis).
#include "backends/cuda/device/cu/pad.h"

#include <array>
#include <numeric>

#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class Pad final : public Kernel {
 public:
  Pad(Gpu& gpu, PadParameters p) : gpu_(gpu), before_(std::move(p.before)) {
    arguments_.mode = static_cast<PadMode>(p.mode);
  }

  Status prepare(const KernelCall& call) noexcept override {
    return guarded([&]() -> Status {
      if (call.inputs.size() != 2 || call.outputs.size() != 1) return {Code::kMalformedPlan, "pad has other operands"};
      const TensorView &in = call.inputs[0], &value = call.inputs[1], &out = call.outputs[0];
      const int size = element_bytes(in.dtype);
      if (!is_plain(in) || !is_plain(out) || size == 0 || in.dtype != out.dtype)
        return {Code::kMalformedPlan, "pad takes plain tensors of one type"};
      if (in.rank != out.rank || static_cast<int>(before_.size()) != in.rank)
        return {Code::kShapeMismatch, "pad has another number of axes"};
      if (value.present() && (value.dtype != in.dtype || value.elements() != 1))
        return {Code::kShapeMismatch, "the value of pad is one element"};
      const int64_t count = out.elements();
      if (in.rank > kMaxAxes || count > INT32_MAX) return {Code::kUnsupported, "pad has too many axes or elements"};
      if (arguments_.mode != PadMode::kConstant && count > 0 && in.elements() == 0)
        return {Code::kShapeMismatch, "there is nothing to pad with in an axis without elements"};
      put_axes(in, out);
      arguments_.count = static_cast<uint32_t>(count);
      launch_ = {gpu_.function("pad", "pad_" + std::to_string(size))};
      launch_.threads = kPadAxisThreads;
      launch_.grid[0] = blocks_for(count, kPadAxisThreads);
      return kOkStatus;
    });
  }

  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    const void *x = call.inputs[0].data, *value = call.inputs[1].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, value, y);
  }

 private:
  void put_axes(const TensorView& in, const TensorView& out) {
    std::array<int, kMaxAxes> order{};
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.begin() + out.rank,
                     [&](int a, int b) { return out.strides[a] > out.strides[b]; });
    PadArguments& a = arguments_;
    a.axes = out.rank;
    for (int i = 0; i < out.rank; ++i) {
      const int axis = order[static_cast<size_t>(i)];
      a.dims[i] = divisor(out.dims[axis]);
      a.before[i] = before_[static_cast<size_t>(axis)];
      a.extents[i] = in.dims[axis];
      a.from_strides[i] = in.strides[axis];
      a.to_strides[i] = out.strides[axis];
    }
  }

  Gpu& gpu_;
  Ints before_;
  PadArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_pad(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Pad>(gpu, read_parameters<PadParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
