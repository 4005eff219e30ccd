// Kernel "cast_float8": elements of any real type as floats of 8 bits. Parameters: saturate, and the rounding to float8e8m0.
#include "backends/cuda/device/cu/cast_float8.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

bool is_float8(DType type) { return is_float(type) && bits(type) == 8; }

class CastFloat8 final : public DenseKernel {
 public:
  CastFloat8(Gpu& gpu, const CastFloat8Parameters& p) : DenseKernel(gpu) {
    arguments_.rounding = p.rounding;
    arguments_.saturate = p.saturate;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a cast has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (bits(x.dtype) == 0 || is_complex(x.dtype) || !is_float8(y.dtype))
      return {Code::kMalformedPlan, "a cast to floats of 8 bits has operands of other types"};
    if (!same_dims(x, y)) return {Code::kShapeMismatch, "a cast keeps the shape"};
    arguments_.count = x.elements();
    arguments_.from = x.dtype;
    arguments_.to = y.dtype;
    launch_ = {gpu_.function("cast_float8", "cast_float8")};
    launch_.threads = kCastThreads;
    launch_.grid[0] = blocks_for(x.elements(), kCastThreads);
    return kOkStatus;
  }
  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    const void* x = call.inputs[0].data;
    void* y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, x, y);
  }

  CastFloat8Arguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_cast_float8(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<CastFloat8>(gpu, read_parameters<CastFloat8Parameters>(parameters));
}

}  // namespace kiln::cuda::kernels
