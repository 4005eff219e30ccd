// Kernels whose results hold few different elements: "fill" (input: value), "eye" (input: one; parameter k), "trilu" (inputs: data, k, which
// may be absent; parameter upper), "one_hot" (inputs: int32 or int64 indices, and the values off and on; parameter axis).
#include "backends/cuda/device/cu/fill.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cuda::kernels {
namespace {

Status other_operands() { return {Code::kMalformedPlan, "a kernel that fills has other operands"}; }

// Elements that move as they are.
bool moves(const TensorView& from, const TensorView& to) {
  return from.dtype == to.dtype && element_bytes(from.dtype) > 0;
}

class FillKernel : public DenseKernel {
 protected:
  using DenseKernel::DenseKernel;

  // A thread for each element of `out`; of how many there are.
  uint32_t cover(const std::string& name, const char* suffix, const TensorView& out) {
    const int64_t count = out.elements();
    if (count > INT32_MAX) throw Error(Code::kUnsupported, "the result of " + name + " has too many elements");
    launch_ = {gpu_.function("fill", name + "_" + std::to_string(element_bytes(out.dtype)) + suffix)};
    launch_.threads = kFillThreads;
    launch_.grid[0] = blocks_for(count, kFillThreads);
    return static_cast<uint32_t>(count);
  }

  Launch launch_;
};

class Fill final : public FillKernel {
 public:
  Fill(Gpu& gpu, const NoParameters&) : FillKernel(gpu) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1) return other_operands();
    const TensorView &value = call.inputs[0], &out = call.outputs[0];
    if (value.elements() != 1 || !moves(value, out)) return other_operands();
    const int size = element_bytes(out.dtype);
    launch_ = {gpu_.function("fill", "fill_" + std::to_string(size))};
    launch_.threads = kFillThreads;
    launch_.grid[0] = blocks_for(out.elements(), kFillThreads * kFillBytes / size);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    const int64_t count = call.outputs[0].elements();
    void *value = call.inputs[0].data, *y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, count, value, y);
  }
};

class Eye final : public FillKernel {
 public:
  Eye(Gpu& gpu, const EyeParameters& p) : FillKernel(gpu) { arguments_.k = p.k; }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1) return other_operands();
    const TensorView &one = call.inputs[0], &out = call.outputs[0];
    if (one.elements() != 1 || !moves(one, out) || out.rank != 2) return other_operands();
    arguments_.count = cover("eye", "", out);
    arguments_.columns = divisor(out.dims[1]);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *one = call.inputs[0].data, *y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, one, y);
  }

  EyeArguments arguments_ = {};
};

class Trilu final : public FillKernel {
 public:
  Trilu(Gpu& gpu, const TriluParameters& p) : FillKernel(gpu) { arguments_.upper = p.upper; }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1) return other_operands();
    const TensorView &in = call.inputs[0], &k = call.inputs[1], &out = call.outputs[0];
    if (in.rank < 2 || !moves(in, out) || (k.present() && (k.dtype != DType::kI64 || k.elements() != 1)))
      return other_operands();
    if (!same_dims(in, out)) return {Code::kShapeMismatch, "the result of trilu has another shape"};
    arguments_.count = cover("trilu", "", out);
    arguments_.rows = divisor(out.dims[out.rank - 2]);
    arguments_.columns = divisor(out.dims[out.rank - 1]);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *k = call.inputs[1].data, *y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, k, y);
  }

  TriluArguments arguments_ = {};
};

class OneHot final : public FillKernel {
 public:
  OneHot(Gpu& gpu, const AxisParameters& p) : FillKernel(gpu), axis_(p.axis) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1) return other_operands();
    const TensorView &indices = call.inputs[0], &values = call.inputs[1], &out = call.outputs[0];
    if ((indices.dtype != DType::kI32 && indices.dtype != DType::kI64) || values.elements() != 2 || !moves(values, out))
      return other_operands();
    if (axis_ > indices.rank) return {Code::kShapeMismatch, "one_hot has no such axis"};
    const int axis = static_cast<int>(axis_);
    bool fits = out.rank == indices.rank + 1;
    for (int i = 0; fits && i < indices.rank; ++i) fits = out.dims[i < axis ? i : i + 1] == indices.dims[i];
    if (!fits) return {Code::kShapeMismatch, "the result of one_hot has another shape"};
    arguments_.count = cover("one_hot", indices.dtype == DType::kI32 ? "_i32" : "_i64", out);
    if (arguments_.count == 0) return kOkStatus;
    arguments_.depth = divisor(out.dims[axis]);
    arguments_.inner = divisor(extent(indices, axis, indices.rank));
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *indices = call.inputs[0].data, *values = call.inputs[1].data, *y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, indices, values, y);
  }

  int64_t axis_;
  OneHotArguments arguments_ = {};
};

}  // namespace

std::unique_ptr<Kernel> make_fill(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Fill>(gpu, read_parameters<NoParameters>(p));
}
std::unique_ptr<Kernel> make_eye(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Eye>(gpu, read_parameters<EyeParameters>(p));
}
std::unique_ptr<Kernel> make_trilu(Gpu& gpu, const Attributes& p) {
  return std::make_unique<Trilu>(gpu, read_parameters<TriluParameters>(p));
}
std::unique_ptr<Kernel> make_one_hot(Gpu& gpu, const Attributes& p) {
  return std::make_unique<OneHot>(gpu, read_parameters<AxisParameters>(p));
}

}  // namespace kiln::cuda::kernels
