// Kernel "reverse_sequence": reverses the first lengths[b] steps of every batch entry b; a length outside of the axis is brought into it: the
// host does not wait to see it. Inputs: data, lengths (int64). Parameter time_first: the axes are time, batch and not batch, time.
#include "backends/cuda/device/cu/reverse_sequence.h"

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/registry.h"
#include "device/movement_parameters.h"

namespace kiln::cuda::kernels {
namespace {

class ReverseSequence final : public DenseKernel {
 public:
  ReverseSequence(Gpu& gpu, const ReverseSequenceParameters& p) : DenseKernel(gpu), time_first_(p.time_first) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 2 || call.outputs.size() != 1)
      return {Code::kMalformedPlan, "reverse_sequence has other operands"};
    const TensorView &in = call.inputs[0], &lengths = call.inputs[1];
    const int size = element_bytes(in.dtype);
    if (size == 0 || in.dtype != call.outputs[0].dtype || lengths.dtype != DType::kI64)
      return {Code::kMalformedPlan, "reverse_sequence has operands of other types"};
    if (in.rank < 2 || !same_dims(in, call.outputs[0]) || lengths.elements() != in.dims[time_first_ ? 1 : 0])
      return {Code::kShapeMismatch, "the operands of reverse_sequence do not fit each other"};
    const int64_t run = extent(in, 2, in.rank);
    word_ = size;
    while (word_ < 16 && run * size % (2 * word_) == 0) word_ *= 2;
    const int part = std::min(size, kPlaceBytes);
    single_ = call_of(in, run * size / part, part);
    words_ = call_of(in, run * size / word_, word_);
    return kOkStatus;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    void *x = call.inputs[0].data, *lengths = call.inputs[1].data, *y = call.outputs[0].data;
    const Call& c = is_aligned(x, word_) && is_aligned(y, word_) ? words_ : single_;
    return gpu_.launch(stream, c.launch, c.arguments, x, lengths, y);
  }

  struct Call {
    Launch launch;
    ReverseSequenceArguments arguments;
  };
  Call call_of(const TensorView& in, int64_t run, int64_t word) {
    const int64_t words = in.dims[0] * in.dims[1] * run;
    if (words > INT32_MAX) throw Error(Code::kUnsupported, "the result of reverse_sequence has too many elements");
    Call c{};
    if (words > 0)
      c.arguments = {static_cast<uint32_t>(words), divisor(in.dims[1]), divisor(run), in.dims[time_first_ ? 0 : 1],
                     time_first_};
    c.launch.function = gpu_.function("reverse_sequence", "reverse_sequence_" + std::to_string(word));
    c.launch.threads = kReverseThreads;
    c.launch.grid[0] = blocks_for(words, kReverseThreads);
    return c;
  }

  bool time_first_;
  Call single_ = {}, words_ = {};
  int64_t word_ = 1;  // bytes
};

}  // namespace

std::unique_ptr<Kernel> make_reverse_sequence(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<ReverseSequence>(gpu, read_parameters<ReverseSequenceParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
