// Kernel "recurrent_chip": LSTM, GRU and RNN of float32, float16 or bfloat16 on products of the inputs, all steps in one launch. Inputs: x, packed
// recurrent weights, b, lengths (int32), initial_h, initial_c, peepholes; the last five may be absent. Results: y, y_h, y_c; each may be absent.
// Parameters: RecurrentChipParameters.
#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/recurrent_layer.h"
#include "backends/cuda/device/kernels/recurrent_packing.h"
#include "backends/cuda/device/kernels/registry.h"

namespace kiln::cuda::kernels {
namespace {

constexpr size_t kProducts = 0, kPackedWeights = 1, kBehindWeights = 2;

class RecurrentChip final : public DenseKernel {
 public:
  RecurrentChip(Gpu& gpu, const RecurrentChipParameters& p)
      : DenseKernel(gpu), layer_(p.layer), hidden_(p.hidden), blocks_(p.blocks) {
    if (blocks_ > static_cast<int64_t>(gpu.chip().largest_cluster()))
      throw Error(Code::kPlanDevice, "the GPU has no clusters of " + std::to_string(blocks_) + " blocks");
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != kBehindWeights + BoundLayer::kOperands)
      return {Code::kMalformedPlan, "a recurrent layer has other operands"};
    const TensorView &x = call.inputs[kProducts], &r = call.inputs[kPackedWeights];
    const char* suffix = float_suffix(x.dtype);
    if (!suffix || r.dtype != x.dtype)
      return {Code::kMalformedPlan, "a recurrent layer is of float32, float16 or bfloat16"};
    const int bytes = element_bytes(x.dtype);
    if (bytes == 2 && gpu_.chip().compute < 80)
      return {Code::kPlanDevice, "recurrent layers of 16 bits on tensor cores need compute capability 8.0"};
    KILN_RETURN_IF_ERROR(layer_.prepare(x, hidden_, call.inputs.subspan(kBehindWeights), call.outputs));
    const ChipShare share(layer_.layer().rules.cell, hidden_, blocks_, bytes);
    if (x.dims[2] != layer_.rows() || r.elements() != layer_.layer().directions * blocks_ * share.elements())
      return {Code::kShapeMismatch, "the weights of a recurrent layer do not fit its input"};
    arguments_.weights_are_constant = r.host != nullptr;
    const int64_t sequences = plan(share, bytes);
    launch_.function = gpu_.function("recurrent_chip", "recurrent_chip_" + std::to_string(sequences) + suffix,
                                     static_cast<int>(launch_.shared), launch_.cluster);
    return kOkStatus;
  }

  // Sequences of a block: as few as let all clusters run at the same time.
  int64_t plan(const ChipShare& share, int bytes) {
    const int64_t directions = layer_.layer().directions, batch = layer_.layer().batch;
    const int64_t places = gpu_.chip().multiprocessors;
    // Clusters do not fit all multiprocessors.
    const int64_t at_once = std::max<int64_t>(blocks_ > 1 ? places * 15 / (16 * blocks_) : places, 1);
    const int64_t wanted = ceil_div(batch, std::max<int64_t>(at_once / directions, 1));
    int64_t chosen = 0;
    static constexpr int64_t kOfTwoBytes[] = {8, 16, 32}, kOfFour[] = {1, 2, 4, 8};
    for (int64_t sequences : bytes == 2 ? std::span<const int64_t>(kOfTwoBytes) : std::span<const int64_t>(kOfFour)) {
      if (!fits(share, bytes, sequences)) break;
      chosen = sequences;
      if (sequences >= wanted) break;
    }
    if (chosen == 0) throw Error(Code::kUnsupported, "a recurrent layer has too many units for a block");
    place_tables(share, bytes, chosen);
    launch_.threads = kChipThreads;
    launch_.cluster = static_cast<unsigned>(blocks_);
    launch_.grid = {launch_.cluster, blocks_for(batch, chosen), static_cast<unsigned>(directions)};
    return chosen;
  }

  bool fits(const ChipShare& share, int bytes, int64_t sequences) {
    return share.units * sequences <= int64_t{chip_pairs(static_cast<int>(sequences))} * kChipThreads &&
           place_tables(share, bytes, sequences) <= gpu_.chip().shared_per_block;
  }

  // Shared memory of a block, in bytes; as many weights as fit lie there.
  int64_t place_tables(const ChipShare& share, int bytes, int64_t sequences) {
    constexpr int64_t kAligned = 128, kStates = 3;
    const auto narrow = [](int64_t n) { return static_cast<int32_t>(n); };
    ChipArguments& a = arguments_;
    const int64_t tiles = share.rows / share.tile, warps = kChipThreads / 32;
    const int64_t parts = std::clamp<int64_t>(warps / tiles, 1, share.chunks);
    // Lanes that read pieces of two sequences meet all banks.
    int64_t state_bytes = share.chunks * share.terms * bytes;
    if (bytes == 2 && state_bytes % kAligned == 0) state_bytes += kAligned / 2;
    const int64_t sum_stride = share.rows + 4;
    int64_t at = align_up(kChipBarriers * static_cast<int64_t>(sizeof(uint64_t)), kAligned);
    const auto take = [&](int64_t table) {
      const int64_t here = at;
      at += align_up(table, kAligned);
      return narrow(here);
    };
    a.states_at = take((layer_.resets_first() ? kStates : kStates - 1) * sequences * state_bytes);
    a.sums_at = take(parts * sequences * sum_stride * 4);
    a.numbers_at = take(kChipNumbers * share.units * 4);
    const int64_t kept = std::clamp<int64_t>((gpu_.chip().shared_per_block - at) / share.chunk_bytes, 0, share.chunks);
    a.weights_at = narrow(at);
    a.units = narrow(share.units);
    a.rows = narrow(share.rows);
    a.chunks = narrow(share.chunks);
    a.kept = narrow(kept);
    a.parts = narrow(parts);
    a.state_stride = narrow(state_bytes / bytes);
    a.sum_stride = narrow(sum_stride);
    launch_.shared = static_cast<unsigned>(at + kept * share.chunk_bytes);
    return at + kept * share.chunk_bytes;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    ChipArguments a = arguments_;
    a.layer = layer_.place(call.inputs[kProducts], call.inputs.subspan(kBehindWeights), call.outputs);
    a.r = call.inputs[kPackedWeights].data;
    if (!is_aligned(a.r, 16)) return {Code::kInvalidArgument, "a tensor does not lie at a multiple of 16 bytes"};
    return gpu_.launch(stream, launch_, a);
  }

  BoundLayer layer_;
  int64_t hidden_, blocks_;
  ChipArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_recurrent_chip(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<RecurrentChip>(gpu, read_parameters<RecurrentChipParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
