// Kernel "recurrent_any": LSTM, GRU and RNN with all that ONNX lets them have. Inputs: x, packed weights of all directions, then, each
// may be absent: lengths (int32), initial_h, initial_c, peepholes. Results: y, y_h, y_c (may be absent). With the parameter `packs` the
// weights are packed at each launch, and w, r and b (may be absent) are inputs 1, 6 and 7. Parameters: cell, directions, reverse, hidden, input, batch_first, linear (a GRU resets after the product), coupled (the forget gate is 1 - input), clip (0: none),
// and kinds, alphas, betas of the activations of all directions.
#include "backends/cpu/device/kernels/recurrent_any.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/kernels/dense.h"
#include "backends/cpu/device/kernels/recurrent_parameters.h"
#include "backends/cpu/device/kernels/registry.h"
#include "base/index.h"

namespace kiln::cpu::kernels {
namespace {

int64_t align16(int64_t n) { return (n + 15) / 16 * 16; }

struct Function {
  CellActivation kind;
  float alpha, beta, clip;

  void apply(float* x, int64_t n) const {
    if (clip > 0)
      for (int64_t i = 0; i < n; ++i) x[i] = x[i] < -clip ? -clip : x[i] > clip ? clip : x[i];
    const auto known = [&](Activation a) { apply_activation(a, alpha, beta, x, x, n); };
    switch (kind) {
      case CellActivation::kElu: return known(Activation::kElu);
      case CellActivation::kHardSigmoid: return known(Activation::kHardSigmoid);
      case CellActivation::kLeakyRelu: return known(Activation::kLeakyRelu);
      case CellActivation::kRelu: return known(Activation::kRelu);
      case CellActivation::kSigmoid: return known(Activation::kSigmoid);
      case CellActivation::kTanh: return known(Activation::kTanh);
      case CellActivation::kScaledTanh:
        for (int64_t i = 0; i < n; ++i) x[i] *= beta;
        known(Activation::kTanh);
        for (int64_t i = 0; i < n; ++i) x[i] *= alpha;
        return;
      case CellActivation::kAffine:
        for (int64_t i = 0; i < n; ++i) x[i] = alpha * x[i] + beta;
        return;
      case CellActivation::kSoftplus:
        for (int64_t i = 0; i < n; ++i)
          x[i] = x[i] > 0 ? x[i] + std::log1p(std::exp(-x[i])) : std::log1p(std::exp(x[i]));
        return;
      case CellActivation::kSoftsign:
        for (int64_t i = 0; i < n; ++i) x[i] = x[i] / (1 + std::abs(x[i]));
        return;
      case CellActivation::kThresholdedRelu:
        for (int64_t i = 0; i < n; ++i) x[i] = x[i] >= alpha ? x[i] : 0;
        return;
    }
  }
};

class RecurrentAny final : public DenseKernel {
 public:
  explicit RecurrentAny(const RecurrentAnyParameters& p)
      : directions_(p.layer.directions),
        hidden_(p.layer.hidden),
        input_(p.layer.input),
        reverse_(p.layer.reverse),
        batch_first_(p.layer.batch_first),
        linear_(p.linear),
        coupled_(p.coupled),
        packs_(p.packs),
        cell_(p.cell),
        gates_(gates_of(p.cell)) {
    for (size_t i = 0; i < p.kinds.size(); ++i)
      functions_.push_back({static_cast<CellActivation>(p.kinds[i]), static_cast<float>(p.alphas[i]),
                            static_cast<float>(p.betas[i]), static_cast<float>(p.clip)});
  }

 private:
  Status prepare_dense(const KernelCall& call) override {
    if (call.inputs.size() != (packs_ ? 8u : 6u) || call.outputs.empty() || call.outputs.size() > 3)
      return {Code::kMalformedPlan, "a recurrent layer has other operands"};
    for (const auto& list : {call.inputs, call.outputs})
      for (const TensorView& v : list)
        if (v.present() && v.dtype != (&v == &call.inputs[2] ? DType::kI32 : DType::kF32))
          return {Code::kMalformedPlan, "a recurrent layer computes in float32"};
    const TensorView& x = call.inputs[0];
    const PackedCell packed(cell_, input_, hidden_);
    if (x.rank != 3 || x.dims[2] != input_ || !call.inputs[1].present() || !weights_fit(call, packed))
      return {Code::kShapeMismatch, "input or weights of a recurrent layer have another size"};
    steps_ = x.dims[batch_first_ ? 1 : 0];
    batch_ = x.dims[batch_first_ ? 0 : 1];
    const int64_t state = directions_ * batch_ * hidden_;
    const int64_t sizes[] = {0, 0, batch_, state, state, directions_ * 3 * hidden_};
    for (size_t i = 2; i < 6; ++i)
      if (call.inputs[i].present() && call.inputs[i].elements() != sizes[i])
        return {Code::kShapeMismatch, "a state of a recurrent layer has another size"};
    for (size_t i = 0; i < call.outputs.size(); ++i)
      if (call.outputs[i].present() && call.outputs[i].elements() != (i == 0 ? state * steps_ : state))
        return {Code::kShapeMismatch, "a result of a recurrent layer has another size"};
    return kOkStatus;
  }

  bool weights_fit(const KernelCall& call, const PackedCell& packed) const {
    if (!packs_) return call.inputs[1].elements() == directions_ * packed.total;
    return call.inputs[6].present() && call.inputs[1].elements() == directions_ * columns() * input_ &&
           call.inputs[6].elements() == directions_ * columns() * hidden_ &&
           (!call.inputs[7].present() || call.inputs[7].elements() == directions_ * 2 * columns());
  }

  int64_t columns() const { return gates_ * hidden_; }
  // Weights that are packed at launch stand at the end of the workspace.
  int64_t packed_floats() const { return packs_ ? align16(directions_ * PackedCell(cell_, input_, hidden_).total) : 0; }
  int64_t state_floats() const {
    return align16(steps_ * batch_ * columns()) + align16(batch_ * columns()) + 4 * align16(batch_ * hidden_);
  }
  int64_t floats() const { return state_floats() + packed_floats(); }
  size_t workspace_dense(const KernelCall& call) override {
    if (!prepare_dense(call).ok()) return kNoWorkspace;
    return batch_ > 0 ? static_cast<size_t>(floats()) * sizeof(float) : 0;
  }

  Status launch_dense(const KernelCall& call) noexcept override {
    if (batch_ == 0) return kOkStatus;
    if (call.workspace_size < static_cast<size_t>(floats()) * sizeof(float))
      return {Code::kMalformedPlan, "the workspace of a recurrent layer is too small"};
    const auto* lengths = call.inputs[2].present() ? static_cast<const int32_t*>(call.inputs[2].data) : nullptr;
    for (int64_t n = 0; lengths && n < batch_; ++n)
      if (lengths[n] < 0 || lengths[n] > steps_)
        return {Code::kInvalidArgument, "a sequence is longer than its tensor, or has a negative length"};
    if (float* y = output(call, 0)) std::memset(y, 0, static_cast<size_t>(call.outputs[0].elements()) * sizeof(float));
    const float* packed = packs_ ? pack(call) : input(call, 1);
    for (int64_t d = 0; d < directions_; ++d) run(call, packed, d, lengths);
    return kOkStatus;
  }

  const float* pack(const KernelCall& call) const {
    float* packed = static_cast<float*>(call.workspace) + state_floats();
    const int64_t total = PackedCell(cell_, input_, hidden_).total;
    for (int64_t d = 0; d < directions_; ++d)
      pack_cell(cell_, input_, hidden_, input(call, 1) + d * columns() * input_,
                input(call, 6) + d * columns() * hidden_, input(call, 7) ? input(call, 7) + d * 2 * columns() : nullptr,
                packed + d * total);
    return packed;
  }

  struct Space {
    float *x, *gates, *h, *c, *gated, *candidate;
  };

  Space space(const KernelCall& call) const {
    Space s;
    s.x = static_cast<float*>(call.workspace);
    s.gates = s.x + align16(steps_ * batch_ * columns());
    s.h = s.gates + align16(batch_ * columns());
    s.c = s.h + align16(batch_ * hidden_);
    s.gated = s.c + align16(batch_ * hidden_);
    s.candidate = s.gated + align16(batch_ * hidden_);
    return s;
  }

  static void product(int64_t m, int64_t n, int64_t k, const float* a, const float* b, const float* bias, float* c,
                      int64_t c_stride) {
    BlockConfig config;
    config.panel = kCellPanel;
    config.column_threads =
        useful_threads(thread_count(), 0.03 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k));
    Epilogue e;
    e.bias = bias;
    gemm({m, n, k, a, k, c, c_stride}, b, e, config, nullptr);
  }

  void run(const KernelCall& call, const float* all_packed, int64_t d, const int32_t* lengths) const {
    const Space s = space(call);
    const PackedCell at(cell_, input_, hidden_);
    const float* packed = all_packed + d * at.total;
    product(steps_ * batch_, columns(), input_, input(call, 0), packed + at.w, packed + at.w_bias, s.x, columns());
    for (int64_t n = 0; n < batch_; ++n) {
      load(input(call, 3), d, n, s.h + n * hidden_);
      load(input(call, 4), d, n, s.c + n * hidden_);
    }
    const float* peepholes = input(call, 5) ? input(call, 5) + d * 3 * hidden_ : nullptr;
    for (int64_t i = 0; i < steps_; ++i) {
      state_products(s, packed, at, d, lengths, i);
      for (int64_t n = 0; n < batch_; ++n) {
        const int64_t length = lengths ? lengths[n] : steps_;
        if (i >= length) continue;
        const int64_t t = time(d, length, i);
        step(s, d, n, s.x + row(t, n) * columns(), peepholes);
        if (float* y = output(call, 0))
          std::memcpy(
              y + (batch_first_ ? (n * steps_ + t) * directions_ + d : (t * directions_ + d) * batch_ + n) * hidden_,
              s.h + n * hidden_, static_cast<size_t>(hidden_) * sizeof(float));
      }
    }
    for (int64_t n = 0; n < batch_; ++n) {
      store(s.h + n * hidden_, d, n, output(call, 1));
      store(s.c + n * hidden_, d, n, output(call, 2));
    }
  }

  bool backward(int64_t d) const { return reverse_ || d == 1; }
  int64_t time(int64_t d, int64_t length, int64_t i) const { return backward(d) ? length - 1 - i : i; }
  int64_t row(int64_t t, int64_t n) const { return batch_first_ ? n * steps_ + t : t * batch_ + n; }

  // Products of the states of all sequences with the recurrent weights; of a GRU the gates too, and then its candidate.
  void state_products(const Space& s, const float* packed, const PackedCell& at, int64_t d, const int32_t* lengths,
                      int64_t i) const {
    const int64_t h = hidden_;
    const float* bias = packed + at.r_bias;
    if (cell_ != AnyCell::kGru) return product(batch_, columns(), h, s.h, packed + at.r, bias, s.gates, columns());
    product(batch_, 2 * h, h, s.h, packed + at.r, bias, s.gates, columns());
    for (int64_t n = 0; n < batch_; ++n) {
      const int64_t length = lengths ? lengths[n] : steps_;
      float *gates = s.gates + n * columns(), *gated = s.gated + n * h;
      if (i < length) {
        const float* x = s.x + row(time(d, length, i), n) * columns();
        for (int64_t u = 0; u < 2 * h; ++u) gates[u] += x[u];
        function(d, 0).apply(gates, 2 * h);
      } else {
        std::memset(gates, 0, static_cast<size_t>(2 * h) * sizeof(float));
      }
      for (int64_t u = 0; u < h; ++u) gated[u] = linear_ ? s.h[n * h + u] : gates[h + u] * s.h[n * h + u];
    }
    product(batch_, h, h, s.gated, packed + at.candidate, bias + 2 * h, s.candidate, h);
  }

  const Function& function(int64_t d, int64_t i) const { return nth(functions_, d * activations_of(cell_) + i); }

  // One sequence by one step.
  void step(const Space& s, int64_t d, int64_t n, const float* x, const float* peepholes) const {
    const int64_t h = hidden_;
    float *gates = s.gates + n * columns(), *state = s.h + n * h, *cell = s.c + n * h;
    if (cell_ == AnyCell::kGru) {
      float* next = s.candidate + n * h;
      for (int64_t u = 0; u < h; ++u) next[u] = x[2 * h + u] + (linear_ ? gates[h + u] * next[u] : next[u]);
      function(d, 1).apply(next, h);
      for (int64_t u = 0; u < h; ++u) state[u] = (1 - gates[u]) * next[u] + gates[u] * state[u];
      return;
    }
    for (int64_t u = 0; u < columns(); ++u) gates[u] += x[u];
    if (cell_ == AnyCell::kRnn) {
      function(d, 0).apply(gates, h);
      std::memcpy(state, gates, static_cast<size_t>(h) * sizeof(float));
      return;
    }
    float *in = gates, *out = gates + h, *forget = gates + 2 * h, *fresh = gates + 3 * h;
    for (int64_t u = 0; peepholes && u < h; ++u) {
      in[u] += peepholes[u] * cell[u];
      forget[u] += peepholes[2 * h + u] * cell[u];
    }
    function(d, 0).apply(in, h);
    if (!coupled_) function(d, 0).apply(forget, h);
    function(d, 1).apply(fresh, h);
    for (int64_t u = 0; u < h; ++u) cell[u] = (coupled_ ? 1 - in[u] : forget[u]) * cell[u] + in[u] * fresh[u];
    for (int64_t u = 0; peepholes && u < h; ++u) out[u] += peepholes[h + u] * cell[u];
    function(d, 0).apply(out, h);
    std::memcpy(fresh, cell, static_cast<size_t>(h) * sizeof(float));
    function(d, 2).apply(fresh, h);
    for (int64_t u = 0; u < h; ++u) state[u] = out[u] * fresh[u];
  }

  int64_t state_at(int64_t d, int64_t n) const {
    return (batch_first_ ? n * directions_ + d : d * batch_ + n) * hidden_;
  }
  void load(const float* from, int64_t d, int64_t n, float* to) const {
    if (from) std::memcpy(to, from + state_at(d, n), static_cast<size_t>(hidden_) * sizeof(float));
    else std::memset(to, 0, static_cast<size_t>(hidden_) * sizeof(float));
  }
  void store(const float* from, int64_t d, int64_t n, float* to) const {
    if (to) std::memcpy(to + state_at(d, n), from, static_cast<size_t>(hidden_) * sizeof(float));
  }
  static const float* input(const KernelCall& call, size_t i) {
    return call.inputs[i].present() ? static_cast<const float*>(call.inputs[i].data) : nullptr;
  }
  static float* output(const KernelCall& call, size_t i) {
    return i < call.outputs.size() && call.outputs[i].present() ? static_cast<float*>(call.outputs[i].data) : nullptr;
  }

  int64_t directions_, hidden_, input_;
  bool reverse_, batch_first_, linear_, coupled_, packs_;
  AnyCell cell_;
  int64_t gates_;
  std::vector<Function> functions_;
  int64_t steps_ = 0, batch_ = 0;
};

}  // namespace

void RecurrentAnyParameters::check() const {
  if (static_cast<int64_t>(kinds.size()) != layer.directions * activations_of(cell) || alphas.size() != kinds.size() ||
      betas.size() != kinds.size())
    throw Error(Code::kMalformedPlan, "a recurrent layer has other activations");
}

PackedCell::PackedCell(AnyCell cell, int64_t input, int64_t hidden) {
  const int64_t columns = gates_of(cell) * hidden, state_columns = cell == AnyCell::kGru ? 2 * hidden : columns;
  r = align16(packed_b_floats(input, columns));
  candidate = r + align16(packed_b_floats(hidden, state_columns));
  w_bias = candidate + (cell == AnyCell::kGru ? align16(packed_b_floats(hidden, hidden)) : 0);
  r_bias = w_bias + align16(columns);
  total = r_bias + align16(columns);
}

void pack_cell(AnyCell cell, int64_t input, int64_t hidden, const float* w, const float* r, const float* b,
               float* packed) {
  const PackedCell at(cell, input, hidden);
  const int64_t columns = gates_of(cell) * hidden, state_columns = cell == AnyCell::kGru ? 2 * hidden : columns;
  std::fill(packed, packed + at.total, 0.0f);
  pack_b({w, input, true}, input, columns, kCellPanel, packed + at.w);
  pack_b({r, hidden, true}, hidden, state_columns, kCellPanel, packed + at.r);
  if (cell == AnyCell::kGru)
    pack_b({r + 2 * hidden * hidden, hidden, true}, hidden, hidden, kCellPanel, packed + at.candidate);
  if (!b) return;
  std::copy(b, b + columns, packed + at.w_bias);
  std::copy(b + columns, b + 2 * columns, packed + at.r_bias);
}

std::unique_ptr<Kernel> make_recurrent_any(const Attributes& p) {
  return std::make_unique<RecurrentAny>(read_parameters<RecurrentAnyParameters>(p));
}

}  // namespace kiln::cpu::kernels
