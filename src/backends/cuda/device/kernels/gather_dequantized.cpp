// Kernel "gather_dequantized": slices of a table of packed integers along `axis`, chosen by indices, as (integer - zero point) * scale. Inputs:
// the table's bytes, int32 or int64 indices, scales, and zero points packed like the table (absent: zero). What an index outside of the axis
// chooses is zero: the host does not wait to see it.
#include "backends/cuda/device/cu/gather_dequantized.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "base/index.h"
#include "device/gather_dequantized.h"

namespace kiln::cuda::kernels {
namespace {

class GatherDequantized final : public DenseKernel {
 public:
  GatherDequantized(Gpu& gpu, GatherDequantizedParameters p) : DenseKernel(gpu), parameters_(std::move(p)) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    KILN_RETURN_IF_ERROR(check_gather_dequantized(parameters_, call));
    const GatherDequantizedParameters& p = parameters_;
    const TensorView &indices = call.inputs[1], &out = call.outputs[0];
    const int64_t count = out.elements(), index_count = indices.elements();
    if (p.dims.size() > kMaxAxes || count > INT32_MAX)
      return {Code::kUnsupported, "gather_dequantized has too many axes or elements"};
    GatherDequantizedArguments& a = arguments_;
    a = {};
    a.count = static_cast<uint32_t>(count);
    a.axes = static_cast<int32_t>(p.dims.size());
    a.axis = static_cast<int32_t>(p.axis);
    a.block_axis = static_cast<int32_t>(p.block_axis);
    a.bits = static_cast<int32_t>(p.bits);
    a.flip = p.is_signed ? 1 << (p.bits - 1) : 0;
    a.extent = nth(p.dims, p.axis);
    if (a.extent > INT32_MAX) return {Code::kUnsupported, "an axis of a table of integers is too long"};
    a.block = divisor(std::min<int64_t>(p.block, INT32_MAX));
    const Dims strides = row_major_strides(p.dims);
    for (size_t i = 0; count > 0 && i < p.dims.size(); ++i) {
      a.dims[i] = divisor(static_cast<int64_t>(i) == p.axis ? index_count : p.dims[i]);
      a.table_strides[i] = strides[i];
      a.scale_strides[i] = p.scale_strides[i];
      a.zero_strides[i] = p.zero_strides.empty() ? 0 : p.zero_strides[i];
    }
    launch_ = {gpu_.function("gather_dequantized",
                             indices.dtype == DType::kI32 ? "gather_dequantized_i32" : "gather_dequantized_i64")};
    launch_.threads = kGatherCodesThreads;
    launch_.grid[0] = blocks_for(count, kGatherCodesThreads);
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *table = call.inputs[0].data, *indices = call.inputs[1].data, *scales = call.inputs[2].data,
         *zeros = call.inputs.size() == 4 ? call.inputs[3].data : nullptr, *y = call.outputs[0].data;
    return gpu_.launch(stream, launch_, arguments_, table, indices, scales, zeros, y);
  }

  GatherDequantizedParameters parameters_;
  GatherDequantizedArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_gather_dequantized(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<GatherDequantized>(gpu, read_parameters<GatherDequantizedParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
