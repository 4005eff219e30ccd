// Kernel "gather": slices of input 0 along `axis`, chosen by the int32 or int64 indices of input 1. What an index outside of the
// axis chooses is zero: the host does not wait to see it.
#include "backends/cuda/device/cu/gather.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class Gather final : public DenseKernel {
 public:
  Gather(Gpu& gpu, const AxisParameters& p) : DenseKernel(gpu), axis_(p.axis) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1) return {Code::kMalformedPlan, "gather has other operands"};
    const TensorView &data = call.inputs[0], &indices = call.inputs[1], &out = call.outputs[0];
    const int size = element_bytes(data.dtype);
    if (size == 0 || data.dtype != out.dtype || (indices.dtype != DType::kI32 && indices.dtype != DType::kI64))
      return {Code::kMalformedPlan, "gather has operands of other types"};
    if (axis_ < 0 || axis_ >= data.rank) return {Code::kShapeMismatch, "gather has no such axis"};
    const int axis = static_cast<int>(axis_);
    const int64_t outer = extent(data, 0, axis), inner = extent(data, axis + 1, data.rank), count = indices.elements();
    if (out.elements() != outer * count * inner) return {Code::kShapeMismatch, "the result of gather has another size"};
    int64_t word = size;
    while (word < 16 && inner * size % (2 * word) == 0) word *= 2;
    const std::string suffix = indices.dtype == DType::kI32 ? "_i32" : "_i64";
    constant_indices_ = indices.host != nullptr;
    const int part = std::min(size, kPlaceBytes);
    single_ = call_of(outer, count, data.dims[axis], inner * size / part, part, suffix);
    words_ = call_of(outer, count, data.dims[axis], inner * size / word, static_cast<int>(word), suffix);
    word_ = word;
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *indices = call.inputs[1].data, *y = call.outputs[0].data;
    const Call& c = is_aligned(x, word_) && is_aligned(y, word_) ? words_ : single_;
    return gpu_.launch(stream, c.launch, c.arguments, x, indices, y);
  }

  struct Call {
    Launch launch;
    GatherArguments arguments;
  };
  Call call_of(int64_t outer, int64_t count, int64_t extent, int64_t inner, int word, const std::string& suffix) {
    const int64_t words = outer * count * inner;
    if (words > INT32_MAX) throw Error(Code::kUnsupported, "the result of gather has too many elements");
    Call c{{}, {static_cast<uint32_t>(words), divisor(inner), divisor(count), extent, constant_indices_}};
    c.launch.function = gpu_.function("gather", "gather_" + std::to_string(word) + suffix);
    c.launch.threads = kGatherThreads;
    c.launch.grid[0] = blocks_for(words, kGatherThreads);
    return c;
  }

  int64_t axis_;
  bool constant_indices_ = false;
  Call single_ = {}, words_ = {};
  int64_t word_ = 1;  // bytes
};

}  // namespace

std::unique_ptr<Kernel> make_gather(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Gather>(gpu, read_parameters<AxisParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
