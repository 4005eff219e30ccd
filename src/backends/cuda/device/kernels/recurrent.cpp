// Kernel "recurrent": LSTM, GRU and RNN of float32, float16 or bfloat16, a launch or two for each step. Inputs: x, w, r, b, lengths (int32),
// initial_h, initial_c, peepholes; the last five may be absent, and w, where x holds its products with the inputs. LSTM and GRU of float32 may have
// w and r in bytes; then four more: w_scale, r_scale, w_zero, r_zero, of a number for each row of each direction, of which the last two may be
// absent. Results: y, y_h, y_c; each may be absent. Parameters: RecurrentParameters.
#include "backends/cuda/device/cu/recurrent.h"

#include <array>

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/recurrent_layer.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/memory.h"

namespace kiln::cuda::kernels {
namespace {

constexpr size_t kX = 0, kW = 1, kR = 2, kLayer = 3, kBytes = kLayer + BoundLayer::kOperands, kAll = kBytes + 4;

// The suffix of functions for weights in bytes; null for other types.
const char* byte_suffix(DType type) { return type == DType::kI8 ? "_i8" : type == DType::kU8 ? "_u8" : nullptr; }

class Recurrent final : public DenseKernel {
 public:
  Recurrent(Gpu& gpu, const RecurrentParameters& p) : DenseKernel(gpu), layer_(p) {}

 private:
  Status prepare_dense(const KernelCall& call) override {
    has_bytes_ = call.inputs.size() == kAll;
    if (call.inputs.size() != kBytes && !has_bytes_)
      return {Code::kMalformedPlan, "a recurrent layer has other operands"};
    const TensorView &x = call.inputs[kX], &r = call.inputs[kR];
    KILN_RETURN_IF_ERROR(check_types(call));
    if (r.rank != 3 || r.dims[0] != layer_.layer().directions)
      return {Code::kShapeMismatch, "the recurrent weights of a recurrent layer have other axes"};
    const int64_t hidden = r.dims[2];
    KILN_RETURN_IF_ERROR(layer_.prepare(x, hidden, operands(call), call.outputs));
    KILN_RETURN_IF_ERROR(check_weights(call));
    const Cell cell = layer_.layer().rules.cell;
    if (layer_.resets_first()) {
      launches_[0] = launch_of("gates");
      launches_[1] = launch_of("candidate");
      count_ = 2;
    } else {
      launches_[0] = launch_of(std::string(RecurrentParameters::kCells[static_cast<size_t>(cell)]));
      count_ = 1;
    }
    return kOkStatus;
  }

  Status check_types(const KernelCall& call) {
    const TensorView &x = call.inputs[kX], &w = call.inputs[kW], &r = call.inputs[kR];
    suffix_ = has_bytes_ ? byte_suffix(r.dtype) : float_suffix(x.dtype);
    if (!suffix_ || (has_bytes_ && (x.dtype != DType::kF32 || layer_.layer().rules.cell == Cell::kRnn)))
      return {Code::kMalformedPlan, "a recurrent layer is of float32, float16 or bfloat16, or LSTM or GRU with bytes"};
    if (!r.present() || (has_bytes_ && !w.present()) || (w.present() && w.dtype != r.dtype) ||
        (!has_bytes_ && r.dtype != x.dtype))
      return {Code::kMalformedPlan, "a recurrent layer has weights of another type"};
    for (size_t i = kBytes; i < call.inputs.size(); ++i)
      if (call.inputs[i].present() && call.inputs[i].dtype != (i < kBytes + 2 ? DType::kF32 : r.dtype))
        return {Code::kMalformedPlan, "a scale or zero point of a recurrent layer has another type"};
    return kOkStatus;
  }

  Status check_weights(const KernelCall& call) {
    constexpr int64_t kMostInputs = 1 << 16;
    const TensorView &x = call.inputs[kX], &w = call.inputs[kW], &r = call.inputs[kR];
    const int64_t rows = layer_.gates() * layer_.layer().hidden, directions = layer_.layer().directions;
    const bool fits = w.present()
                          ? w.rank == 3 && w.dims[0] == directions && w.dims[1] == rows && w.dims[2] == x.dims[2]
                          : x.dims[2] == directions * rows;
    if (!fits || r.dims[1] != rows)
      return {Code::kShapeMismatch, "the weights of a recurrent layer do not fit its input"};
    if (w.present() && x.dims[2] > kMostInputs) return {Code::kUnsupported, "a recurrent layer has too many inputs"};
    arguments_.input = w.present() ? static_cast<int32_t>(x.dims[2]) : 0;
    for (size_t i = kBytes; i < call.inputs.size(); ++i)
      if (call.inputs[i].present() ? call.inputs[i].elements() != layer_.rows() : i < kBytes + 2)
        return {Code::kShapeMismatch, "a scale or zero point of a recurrent layer has another size"};
    return kOkStatus;
  }

  Launch launch_of(const std::string& part) {
    const RecurrentLayer& layer = layer_.layer();
    Launch launch{gpu_.function("recurrent", "recurrent_" + part + suffix_)};
    launch.threads = kCellThreads;
    launch.grid = {blocks_for(layer.hidden, kCellThreads / 32), blocks_for(layer.batch, kCellBatch),
                   static_cast<unsigned>(layer.directions)};
    return launch;
  }

  static std::span<const TensorView> operands(const KernelCall& call) {
    return call.inputs.subspan(kLayer, BoundLayer::kOperands);
  }

  // States in turn, the cell's, and what lies between two launches.
  int64_t tables() const { return layer_.resets_first() ? 5 : 3; }
  int64_t state_bytes() const {
    return align_up(layer_.states() * static_cast<int64_t>(sizeof(float)), static_cast<int64_t>(kAlignment));
  }
  size_t workspace_dense(const KernelCall& call) override {
    return prepare_dense(call).ok() ? static_cast<size_t>(tables() * state_bytes()) : kNoWorkspace;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    if (call.workspace_size < static_cast<size_t>(tables() * state_bytes()))
      return {Code::kMalformedPlan, "the workspace of a recurrent layer is too small"};
    const auto state = [&](int64_t i) {
      return reinterpret_cast<float*>(static_cast<uint8_t*>(call.workspace) + i * state_bytes());
    };
    StepArguments a = arguments_;
    a.layer = layer_.place(call.inputs[kX], operands(call), call.outputs);
    a.w = call.inputs[kW].data, a.r = call.inputs[kR].data;
    if (has_bytes_) {
      a.w_scale = pointer_of<const float>(call.inputs[kBytes]);
      a.r_scale = pointer_of<const float>(call.inputs[kBytes + 1]);
      a.w_zero = call.inputs[kBytes + 2].data, a.r_zero = call.inputs[kBytes + 3].data;
    }
    a.c = state(2);
    if (layer_.resets_first()) a.update = state(3), a.reset_h = state(4);
    // Without a step the first launch hands the states over.
    for (a.step = 0; a.step == 0 || a.step < a.layer.steps; ++a.step) {
      a.from_h = state((a.step + 1) % 2);
      a.to_h = state(a.step % 2);
      for (size_t i = 0; i < count_; ++i) KILN_RETURN_IF_ERROR(gpu_.launch(stream, launches_[i], a));
    }
    return kOkStatus;
  }

  BoundLayer layer_;
  bool has_bytes_ = false;
  const char* suffix_ = "";
  StepArguments arguments_ = {};
  std::array<Launch, 2> launches_;
  size_t count_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_recurrent(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Recurrent>(gpu, read_parameters<RecurrentParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
