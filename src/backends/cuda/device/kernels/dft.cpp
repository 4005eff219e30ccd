// Kernel "dft": Fourier transforms along an axis of [..., parts], float32 or float64, computed in float64.
#include "backends/cuda/device/cu/dft.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/own_parameters.h"
#include "backends/cuda/device/kernels/registry.h"
#include "base/checked.h"

namespace kiln::cuda::kernels {
namespace {

class Dft final : public DenseKernel {
 public:
  Dft(Gpu& gpu, const DftParameters& p)
      : DenseKernel(gpu),
        axis_(static_cast<int>(p.axis)),
        given_length_(p.length),
        inverse_(p.inverse),
        half_(p.onesided) {}

 private:
  Status read(const KernelCall& call) {
    if (call.inputs.size() != 1 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "a Fourier transform has one operand and one result"};
    const TensorView &x = call.inputs[0], &y = call.outputs[0];
    if (x.dtype != y.dtype || (x.dtype != DType::kF32 && x.dtype != DType::kF64))
      return {Code::kMalformedPlan, "a Fourier transform is of float32 or float64"};
    if (x.rank < 2 || x.rank != y.rank || axis_ >= x.rank - 1)
      return {Code::kShapeMismatch, "a Fourier transform has no such axis"};
    const bool mirrors = half_ && inverse_;
    const int64_t given = x.dims[axis_], parts = x.dims[x.rank - 1],
                  length = given_length_ > 0 ? given_length_
                           : mirrors         ? 2 * (given - 1)
                                             : given,
                  made = half_ && !inverse_ ? length / 2 + 1 : length, made_parts = mirrors ? 1 : 2;
    bool fits = length >= 1 && (parts == 1 || parts == 2) && y.dims[axis_] == made && y.dims[y.rank - 1] == made_parts;
    for (int i = 0; i < x.rank - 1; ++i) fits = fits && (i == axis_ || x.dims[i] == y.dims[i]);
    if (!fits) return {Code::kShapeMismatch, "the operands of a Fourier transform do not fit each other"};
    const int64_t inner = extent(x, axis_ + 1, x.rank - 1), tiles = ceil_div(made, kDftThreads);
    const auto lines = checked_mul(extent(x, 0, axis_), inner), blocks = checked_mul(lines.value_or(INT64_MAX), tiles);
    if (!blocks || *blocks > INT32_MAX || length > INT32_MAX || given > INT32_MAX)
      return {Code::kUnsupported, "a Fourier transform is too large for its kernel"};
    DftArguments& a = arguments_;
    a.length = static_cast<uint32_t>(length);
    a.given = static_cast<uint32_t>(given);
    a.made = static_cast<uint32_t>(made);
    a.tiles = divisor(tiles);
    a.inner = divisor(inner);
    a.parts = static_cast<int32_t>(parts);
    a.made_parts = static_cast<int32_t>(made_parts);
    a.mirrors = mirrors;
    a.factor = inverse_ ? 1 / static_cast<double>(length) : 1;
    blocks_ = static_cast<unsigned>(*blocks);
    return kOkStatus;
  }
  size_t turn_bytes() const { return size_t{arguments_.length} * 2 * sizeof(double); }

  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(read(call));
    turns_ = {gpu_.function("dft", "dft_turns")};
    turns_.threads = kDftThreads;
    turns_.grid[0] = blocks_ == 0 ? 0 : blocks_for(arguments_.length, kDftThreads);
    transform_ = {gpu_.function("dft", "dft" + std::string(number_suffix(call.inputs[0].dtype)))};
    transform_.threads = kDftThreads;
    transform_.grid[0] = blocks_;
    return kOkStatus;
  }
  size_t workspace_dense(const KernelCall& call) override { return read(call).ok() ? turn_bytes() : kNoWorkspace; }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    if (call.workspace_size < turn_bytes())
      return {Code::kMalformedPlan, "the workspace of a Fourier transform is too small"};
    void *turns = call.workspace, *x = call.inputs[0].data, *y = call.outputs[0].data;
    const double direction = inverse_ ? 1 : -1;
    KILN_RETURN_IF_ERROR(gpu_.launch(stream, turns_, arguments_.length, direction, turns));
    return gpu_.launch(stream, transform_, arguments_, x, turns, y);
  }

  int axis_;
  int64_t given_length_;
  bool inverse_, half_;
  unsigned blocks_ = 0;
  DftArguments arguments_ = {};
  Launch turns_, transform_;
};

}  // namespace

std::unique_ptr<Kernel> make_dft(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Dft>(gpu, read_parameters<DftParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
