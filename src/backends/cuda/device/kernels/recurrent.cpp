// Kernel "recurrent": LSTM, GRU (which resets after the product) and RNN of float32, float16 or bfloat16. Inputs: x, w, r, b, initial_h,
// initial_c; the last three may be absent. LSTM and GRU of float32 may have w and r in bytes; then four more: w_scale, r_scale, w_zero, r_zero,
// of a number for each row of each direction, of which the last two may be absent. Results: y, y_h, y_c; each may be absent. Parameters: cell
// (lstm, gru, tanh, relu), reverse, batch_first.
#include "backends/cuda/device/cu/recurrent.h"

#include <array>

#include "backends/cuda/device/kernels/dense.h"
#include "backends/cuda/device/kernels/recurrent_parameters.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/memory.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kMostSteps = 1 << 16;

// The suffix of functions for weights in bytes; null for other types.
const char* byte_suffix(DType type) { return type == DType::kI8 ? "_i8" : type == DType::kU8 ? "_u8" : nullptr; }

class Recurrent final : public DenseKernel {
 public:
  Recurrent(Gpu& gpu, RecurrentParameters p) : DenseKernel(gpu), cell_(std::move(p.cell)) {
    arguments_.reverse = p.reverse;
    arguments_.batch_first = p.batch_first;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    has_bytes_ = call.inputs.size() == 10;
    if ((call.inputs.size() != 6 && !has_bytes_) || call.outputs.empty() || call.outputs.size() > 3)
      return {Code::kMalformedPlan, "a recurrent layer has other operands"};
    const TensorView &x = call.inputs[0], &w = call.inputs[1], &r = call.inputs[2];
    const char* suffix = has_bytes_ ? byte_suffix(w.dtype) : float_suffix(x.dtype);
    if (!suffix || (has_bytes_ && (x.dtype != DType::kF32 || (cell_ != "lstm" && cell_ != "gru"))))
      return {Code::kMalformedPlan, "a recurrent layer is of float32, float16 or bfloat16, or LSTM or GRU with bytes"};
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      const bool is_weight = i == 1 || i == 2 || i >= 8;
      if (call.inputs[i].present() && call.inputs[i].dtype != (is_weight ? w.dtype : x.dtype))
        return {Code::kMalformedPlan, "a recurrent layer has operands of other types"};
    }
    if (!has_bytes_ && w.dtype != x.dtype)
      return {Code::kMalformedPlan, "a recurrent layer has weights of another type"};
    for (const TensorView& v : call.outputs)
      if (v.present() && v.dtype != x.dtype)
        return {Code::kMalformedPlan, "a recurrent layer has results of another type"};
    if (x.rank != 3 || w.rank != 3 || r.rank != 3) return {Code::kShapeMismatch, "a recurrent layer has other axes"};
    const int64_t gates = cell_ == "lstm"  ? 4
                          : cell_ == "gru" ? 3
                                           : 1,
                  directions = w.dims[0], input = x.dims[2], hidden = r.dims[2],
                  steps = x.dims[arguments_.batch_first ? 1 : 0], batch = x.dims[arguments_.batch_first ? 0 : 1];
    if (directions < 1 || directions > 2 || r.dims[0] != directions || w.dims[1] != gates * hidden ||
        r.dims[1] != gates * hidden || w.dims[2] != input)
      return {Code::kShapeMismatch, "the weights of a recurrent layer do not fit its input"};
    for (int64_t n : {input, hidden, batch})
      if (n > kMostSteps) return {Code::kUnsupported, "a recurrent layer has too many units, inputs or sequences"};
    if (steps > kMostSteps) return {Code::kUnsupported, "a sequence of a recurrent layer is too long"};
    state_ = directions * batch * hidden;
    const int64_t rows = directions * gates * hidden;
    const int64_t sizes[] = {2 * rows, state_, state_, rows, rows, rows, rows};
    for (size_t i = 3; i < call.inputs.size(); ++i)
      if (call.inputs[i].present() ? call.inputs[i].elements() != sizes[i - 3] : i == 6 || i == 7)
        return {Code::kShapeMismatch, "a bias, state or scale of a recurrent layer has another size"};
    for (size_t i = 0; i < call.outputs.size(); ++i)
      if (call.outputs[i].present() && call.outputs[i].elements() != (i == 0 ? state_ * steps : state_))
        return {Code::kShapeMismatch, "a result of a recurrent layer has another size"};
    if (steps == 0 && state_ > 0 && call.outputs.size() > 1)
      return {Code::kUnsupported, "a recurrent layer has no steps"};
    arguments_.steps = static_cast<int32_t>(steps);
    arguments_.batch = static_cast<int32_t>(batch);
    arguments_.input = static_cast<int32_t>(input);
    arguments_.hidden = static_cast<int32_t>(hidden);
    arguments_.directions = static_cast<int32_t>(directions);
    launch_ = {gpu_.function("recurrent", "recurrent_" + cell_ + suffix)};
    launch_.threads = kCellThreads;
    launch_.grid = {blocks_for(hidden, kCellThreads / 32), blocks_for(batch, kCellBatch),
                    static_cast<unsigned>(directions)};
    return kOkStatus;
  }

  int64_t state_bytes() const { return align_up(state_ * static_cast<int64_t>(sizeof(float)), kAlignment); }
  size_t workspace_dense(const KernelCall& call) override {
    return prepare_dense(call).ok() ? static_cast<size_t>(3 * state_bytes()) : kNoWorkspace;
  }

  Status launch_dense(Stream& stream, const KernelCall& call) noexcept override {
    if (call.workspace_size < static_cast<size_t>(3 * state_bytes()))
      return {Code::kMalformedPlan, "the workspace of a recurrent layer is too small"};
    const auto result = [&](size_t i) { return i < call.outputs.size() ? call.outputs[i].data : nullptr; };
    const auto state = [&](int64_t i) {
      return reinterpret_cast<float*>(static_cast<uint8_t*>(call.workspace) + i * state_bytes());
    };
    CellArguments a = arguments_;
    a.x = call.inputs[0].data, a.w = call.inputs[1].data, a.r = call.inputs[2].data, a.b = call.inputs[3].data;
    a.initial_h = call.inputs[4].data, a.initial_c = call.inputs[5].data;
    a.y = result(0), a.y_h = result(1), a.y_c = result(2);
    if (has_bytes_) {
      a.w_scale = pointer_of<const float>(call.inputs[6]), a.r_scale = pointer_of<const float>(call.inputs[7]);
      a.w_zero = call.inputs[8].data, a.r_zero = call.inputs[9].data;
    }
    a.c = state(2);
    for (a.step = 0; a.step < a.steps; ++a.step) {
      a.from_h = state((a.step + 1) % 2);
      a.to_h = state(a.step % 2);
      KILN_RETURN_IF_ERROR(gpu_.launch(stream, launch_, a));
    }
    return kOkStatus;
  }

  std::string cell_;
  bool has_bytes_ = false;
  int64_t state_ = 0;  // elements
  CellArguments arguments_ = {};
  Launch launch_;
};

}  // namespace

std::unique_ptr<Kernel> make_recurrent(Gpu& gpu, const Attributes& parameters) {
  return std::make_unique<Recurrent>(gpu, read_parameters<RecurrentParameters>(parameters));
}

}  // namespace kiln::cuda::kernels
