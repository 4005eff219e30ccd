// Kernel "recurrent": LSTM, GRU or RNN. Inputs: x, packed weights of all directions, initial_h, initial_c (may be absent). Results:
// y, y_h, y_c (may be absent). Parameters: cell (a Cell), directions, reverse (the only direction runs backwards), hidden, input,
// batch_first.
#include "backends/cpu/device/compute/recurrent.h"

#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/recurrent_parameters.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu::kernels {
namespace {

class Recurrent final : public DenseKernel {
 public:
  explicit Recurrent(const RecurrentParameters& p)
      : directions_(p.layer.directions), batch_first_(p.layer.batch_first) {
    layer_.cell = p.cell;
    layer_.hidden = p.layer.hidden;
    layer_.input = p.layer.input;
    layer_.reverse = p.layer.reverse;
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != 4 || call.outputs.empty() || call.outputs.size() > 3)
      return {Code::kMalformedPlan, "a recurrent layer has other operands"};
    for (const auto& list : {call.inputs, call.outputs})
      for (const TensorView& v : list)
        if (v.present() && v.dtype != DType::kF32)
          return {Code::kMalformedPlan, "a recurrent layer computes in float32"};
    const TensorView& x = call.inputs[0];
    const int64_t h = layer_.hidden, floats = packed_recurrent_floats(layer_.cell, layer_.input, h);
    if (x.rank != 3 || x.dims[2] != layer_.input || call.inputs[1].elements() != directions_ * floats)
      return {Code::kShapeMismatch, "input or weights of a recurrent layer have another size"};
    layer_.steps = x.dims[batch_first_ ? 1 : 0];
    layer_.batch = x.dims[batch_first_ ? 0 : 1];
    const int64_t state = directions_ * layer_.batch * h;
    for (const TensorView* v : {&call.inputs[2], &call.inputs[3]})
      if (v->present() && v->elements() != state)
        return {Code::kShapeMismatch, "a state of a recurrent layer has another size"};
    for (size_t i = 0; i < call.outputs.size(); ++i)
      if (call.outputs[i].present() && call.outputs[i].elements() != (i == 0 ? state * layer_.steps : state))
        return {Code::kShapeMismatch, "a result of a recurrent layer has another size"};
    layer_.x_step = batch_first_ ? layer_.input : layer_.batch * layer_.input;
    layer_.x_batch = batch_first_ ? layer_.steps * layer_.input : layer_.input;
    layer_.y_step = directions_ * (batch_first_ ? h : layer_.batch * h);
    layer_.y_batch = batch_first_ ? layer_.steps * directions_ * h : h;
    layer_.state_batch = batch_first_ ? directions_ * h : h;
    return kOkStatus;
  }

  size_t workspace_dense(const KernelCall& call) override {
    return prepare_dense(call).ok() ? static_cast<size_t>(recurrent_workspace(layer_)) * sizeof(float) : kNoWorkspace;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    if (call.workspace_size < static_cast<size_t>(recurrent_workspace(layer_)) * sizeof(float))
      return {Code::kMalformedPlan, "the workspace of a recurrent layer is too small"};
    const int64_t packed = packed_recurrent_floats(layer_.cell, layer_.input, layer_.hidden);
    const int64_t y = batch_first_ ? layer_.hidden : layer_.batch * layer_.hidden, state = y;
    for (int64_t d = 0; d < directions_; ++d) {
      RecurrentLayer one = layer_;
      one.reverse = layer_.reverse || d == 1;
      const RecurrentData data{.x = input(call, 0),
                               .packed = input(call, 1) + d * packed,
                               .initial_h = at(input(call, 2), d * state),
                               .initial_c = at(input(call, 3), d * state),
                               .y = at(output(call, 0), d * y),
                               .last_h = at(output(call, 1), d * state),
                               .last_c = at(output(call, 2), d * state)};
      run_recurrent(one, data, static_cast<float*>(call.workspace), thread_count());
    }
    return kOkStatus;
  }

  static const float* input(const KernelCall& call, size_t i) {
    return call.inputs[i].present() ? static_cast<const float*>(call.inputs[i].data) : nullptr;
  }
  static float* output(const KernelCall& call, size_t i) {
    return i < call.outputs.size() && call.outputs[i].present() ? static_cast<float*>(call.outputs[i].data) : nullptr;
  }
  template <class T> static T* at(T* p, int64_t offset) { return p ? p + offset : nullptr; }

  int64_t directions_;
  bool batch_first_;
  RecurrentLayer layer_;
};

}  // namespace

std::unique_ptr<Kernel> make_recurrent(const Attributes& parameters) {
  return std::make_unique<Recurrent>(read_parameters<RecurrentParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
