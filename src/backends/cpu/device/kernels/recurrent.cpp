// Kernel "recurrent": LSTM, GRU or RNN. Inputs: x, initial_h, initial_c (may be absent), then the packed weights of all directions
// (float32, float16 or bfloat16) and their biases, or, where weights are in bytes, those of w, of r and the numbers by column. Results: y, y_h, y_c (may be absent). Parameters:
// cell (a Cell), directions, reverse (the only direction runs backwards), hidden, input, batch_first.
#include "backends/cpu/device/compute/recurrent.h"

#include "backends/cpu/device/compute/product_blocks.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/recurrent_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "backends/cpu/device/kernels/views.h"

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
    has_bytes_ = call.inputs.size() == 6;
    if ((call.inputs.size() != 5 && !has_bytes_) || call.outputs.empty() || call.outputs.size() > 3)
      return {Code::kMalformedPlan, "a recurrent layer has other operands"};
    for (const auto& list : {call.inputs, call.outputs})
      for (const TensorView& v : list) {
        const bool holds_bytes = has_bytes_ && (&v == &call.inputs[3] || &v == &call.inputs[4]);
        const bool holds_weights = !has_bytes_ && &v == &call.inputs[3];
        if (v.present() &&
            (holds_weights ? !are_packed_weights(v) : v.dtype != (holds_bytes ? DType::kI32 : DType::kF32)))
          return {Code::kMalformedPlan, "a recurrent layer computes in float32"};
      }
    const TensorView& x = call.inputs[0];
    const int64_t h = layer_.hidden;
    if (x.rank != 3 || x.dims[2] != layer_.input || !has_packed_sizes(call))
      return {Code::kShapeMismatch, "input or weights of a recurrent layer have another size"};
    layer_.steps = x.dims[batch_first_ ? 1 : 0];
    layer_.batch = x.dims[batch_first_ ? 0 : 1];
    const int64_t state = directions_ * layer_.batch * h;
    for (const TensorView* v : {&call.inputs[1], &call.inputs[2]})
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

  int64_t columns() const { return packed_recurrent_columns(layer_.cell, layer_.hidden); }
  // Words of packed bytes of one direction.
  int64_t words(int64_t terms) const {
    return BlockWeights{.terms = terms, .columns = columns(), .block = terms, .bits = 8}.words() * columns();
  }

  bool has_packed_sizes(const KernelCall& call) const {
    const auto of_directions = [&](size_t i, int64_t count) {
      return call.inputs[i].present() && call.inputs[i].elements() == directions_ * count;
    };
    if (!has_bytes_)
      return of_directions(3, packed_recurrent_weights(layer_.cell, layer_.input, layer_.hidden)) &&
             of_directions(4, packed_recurrent_biases(layer_.cell, layer_.hidden));
    return of_directions(3, words(layer_.input)) && of_directions(4, words(layer_.hidden)) &&
           of_directions(5, 6 * columns());
  }

  size_t workspace_dense(const KernelCall& call) override {
    return prepare_dense(call).ok() ? workspace_bytes(call) : kNoWorkspace;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    if (call.workspace_size < workspace_bytes(call))
      return {Code::kMalformedPlan, "the workspace of a recurrent layer is too small"};
    const int64_t weights = packed_recurrent_weights(layer_.cell, layer_.input, layer_.hidden),
                  biases = packed_recurrent_biases(layer_.cell, layer_.hidden);
    const int64_t y = batch_first_ ? layer_.hidden : layer_.batch * layer_.hidden, state = y;
    for (int64_t d = 0; d < directions_; ++d) {
      RecurrentLayer one = layer_;
      one.reverse = layer_.reverse || d == 1;
      const RecurrentBytes bytes = has_bytes_ ? bytes_of(call, d) : RecurrentBytes();
      const RecurrentData data{.x = input(call, 0),
                               .weights = has_bytes_ ? PackedWeights() : weights_of(call).from(d * weights),
                               .biases = has_bytes_ ? nullptr : input(call, 4) + d * biases,
                               .bytes = has_bytes_ ? &bytes : nullptr,
                               .initial_h = at(input(call, 1), d * state),
                               .initial_c = at(input(call, 2), d * state),
                               .y = at(output(call, 0), d * y),
                               .last_h = at(output(call, 1), d * state),
                               .last_c = at(output(call, 2), d * state)};
      run_recurrent(one, data, static_cast<float*>(call.workspace), thread_count());
    }
    return kOkStatus;
  }

  PackedWeights weights_of(const KernelCall& call) const { return {call.inputs[3].data, call.inputs[3].dtype}; }
  size_t workspace_bytes(const KernelCall& call) const {
    return static_cast<size_t>(recurrent_workspace(layer_, has_bytes_, weights_of(call).type)) * sizeof(float);
  }

  RecurrentBytes bytes_of(const KernelCall& call, int64_t direction) const {
    return {.w = static_cast<const int32_t*>(call.inputs[3].data) + direction * words(layer_.input),
            .r = static_cast<const int32_t*>(call.inputs[4].data) + direction * words(layer_.hidden),
            .columns = input(call, 5) + direction * 6 * columns()};
  }

  static const float* input(const KernelCall& call, size_t i) {
    return call.inputs[i].present() ? static_cast<const float*>(call.inputs[i].data) : nullptr;
  }
  static float* output(const KernelCall& call, size_t i) {
    return i < call.outputs.size() && call.outputs[i].present() ? static_cast<float*>(call.outputs[i].data) : nullptr;
  }
  template <class T> static T* at(T* p, int64_t offset) { return p ? p + offset : nullptr; }

  int64_t directions_;
  bool batch_first_, has_bytes_ = false;
  RecurrentLayer layer_;
};

}  // namespace

std::unique_ptr<Kernel> make_recurrent(const Attributes& parameters) {
  return std::make_unique<Recurrent>(read_parameters<RecurrentParameters>(parameters));
}

}  // namespace kiln::cpu::kernels
