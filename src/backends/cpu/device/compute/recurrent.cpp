// Recurrent layers: the products with the input as one, then step by step the product with the state and the cell. Each thread
// owns a range of units, whose recurrent weights stay in its cache, and meets the others once a step.
#include "backends/cpu/device/compute/recurrent.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/device/compute/denormals.h"
#include "backends/cpu/device/compute/epilogue.h"
#include "backends/cpu/device/compute/gemm.h"
#include "backends/cpu/device/compute/pieces.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kUnits = 16;              // of a block
constexpr int64_t kStepsBetweenLooks = 64;  // at whether the work is to end

int64_t align(int64_t n) { return (n + 15) / 16 * 16; }

// Sizes that follow from a layer.
struct Sizes {
  Sizes(Cell cell, int64_t input, int64_t hidden)
      : gates(cell_gates(cell)),
        blocks((hidden + kUnits - 1) / kUnits),
        panel(gates * kUnits),
        columns(blocks * panel),
        w(align(packed_b_floats(input, columns))),
        r(align(packed_b_floats(hidden, columns))) {}
  int64_t gates, blocks, panel, columns, w, r;
};

BlockConfig config_of(const Sizes& s) { return {.panel = static_cast<int32_t>(s.panel), .depth = 1 << 20}; }

// Gates of one block of units of one sequence, before their activations; c and h of the block.
struct BlockStep {
  Cell cell;
  float* g;
  const float* input;  // x W + b, for the gate of a GRU that the reset scales
  float* c;
  const float* h;  // before the step
  float* next;     // after it
};

void step_block(const BlockStep& s) {
  alignas(64) float t[kUnits];
  switch (s.cell) {
    case Cell::kLstm:
      apply_activation(Activation::kSigmoid, 0, 0, s.g, s.g, 3 * kUnits);
      apply_activation(Activation::kTanh, 0, 0, s.g + 3 * kUnits, s.g + 3 * kUnits, kUnits);
      for (int64_t u = 0; u < kUnits; ++u) s.c[u] = s.g[2 * kUnits + u] * s.c[u] + s.g[u] * s.g[3 * kUnits + u];
      apply_activation(Activation::kTanh, 0, 0, s.c, t, kUnits);
      for (int64_t u = 0; u < kUnits; ++u) s.next[u] = s.g[kUnits + u] * t[u];
      return;
    case Cell::kGruLinearBeforeReset:
      for (int64_t u = 0; u < 2 * kUnits; ++u) s.g[u] += s.input[u];
      apply_activation(Activation::kSigmoid, 0, 0, s.g, s.g, 2 * kUnits);
      for (int64_t u = 0; u < kUnits; ++u) t[u] = s.input[2 * kUnits + u] + s.g[kUnits + u] * s.g[2 * kUnits + u];
      apply_activation(Activation::kTanh, 0, 0, t, t, kUnits);
      for (int64_t u = 0; u < kUnits; ++u) s.next[u] = t[u] + s.g[u] * (s.h[u] - t[u]);
      return;
    case Cell::kRnnTanh: apply_activation(Activation::kTanh, 0, 0, s.g, s.next, kUnits); return;
    case Cell::kRnnRelu: apply_activation(Activation::kRelu, 0, 0, s.g, s.next, kUnits); return;
  }
}

// The pieces of the workspace.
struct Space {
  Space(const RecurrentLayer& l, const Sizes& s, float* at) : stride(s.blocks * kUnits) {
    inputs = at;
    gates = inputs + align(l.steps * l.batch * s.columns);
    c = gates + l.batch * s.columns;
    h[0] = c + l.batch * stride;
    h[1] = h[0] + l.batch * stride;
    end = h[1] + l.batch * stride;
  }
  int64_t stride;  // of rows of h and c
  float *inputs, *gates, *c, *h[2], *end;
};

class Run {
 public:
  Run(const RecurrentLayer& layer, const RecurrentData& data, float* workspace, int threads)
      : l_(layer),
        d_(data),
        s_(layer.cell, layer.input, layer.hidden),
        space_(layer, s_, workspace),
        threads_(threads) {
    const float* rest = data.packed + s_.w;
    r_ = rest;
    w_bias_ = rest + s_.r;
    r_bias_ = w_bias_ + s_.columns;
  }

  void run() {
    load_states();
    // x may be [steps, batch] or [batch, steps]; one product when its rows are equally far apart.
    const bool batch_inner = l_.batch == 1 || l_.x_step == l_.batch * l_.x_batch;
    BlockConfig config = config_of(s_);
    config.depth = 256;
    config.column_threads = threads_;
    Epilogue bias;
    bias.bias = w_bias_;
    if (batch_inner) {
      input_step_ = l_.batch * s_.columns;
      input_batch_ = s_.columns;
      gemm({l_.steps * l_.batch, s_.columns, l_.input, d_.x, l_.batch == 1 ? l_.x_step : l_.x_batch, space_.inputs,
            s_.columns},
           d_.packed, bias, config, nullptr);
    } else {
      input_step_ = s_.columns;
      input_batch_ = l_.steps * s_.columns;
      for (int64_t b = 0; b < l_.batch; ++b)
        gemm({l_.steps, s_.columns, l_.input, d_.x + b * l_.x_batch, l_.x_step, space_.inputs + b * input_batch_,
              s_.columns},
             d_.packed, bias, config, nullptr);
    }
    for (int64_t i = 0; i < l_.steps; ++i) {
      if (i % kStepsBetweenLooks == kStepsBetweenLooks - 1 && work_ended()) return;
      const int64_t at = l_.reverse ? l_.steps - 1 - i : i;
      parallel_ranges(threads_, s_.blocks, [&](int64_t first, int64_t last) {
        const DenormalsAreZero fast;
        step(at, space_.h[i % 2], space_.h[(i + 1) % 2], first, last);
      });
    }
    store_states();
  }

 private:
  void load_states() {
    const int64_t padded = space_.stride;
    std::memset(space_.c, 0, static_cast<size_t>(space_.end - space_.c) * sizeof(float));
    const auto load = [&](const float* from, float* to) {
      for (int64_t b = 0; from && b < l_.batch; ++b)
        std::memcpy(to + b * padded, from + b * l_.state_batch, static_cast<size_t>(l_.hidden) * sizeof(float));
    };
    load(d_.initial_h, space_.h[0]);
    load(d_.initial_c, space_.c);
  }

  void store_states() {
    const auto store = [&](const float* from, float* to) {
      for (int64_t b = 0; to && b < l_.batch; ++b)
        std::memcpy(to + b * l_.state_batch, from + b * space_.stride, static_cast<size_t>(l_.hidden) * sizeof(float));
    };
    store(space_.h[l_.steps % 2], d_.last_h);
    store(space_.c, d_.last_c);
  }

  // Units of blocks [first, last) at one step.
  void step(int64_t at, const float* h, float* next, int64_t first, int64_t last) {
    const float* input = space_.inputs + at * input_step_;
    const int64_t column = first * s_.panel;
    Epilogue e;
    if (l_.cell == Cell::kGruLinearBeforeReset) {
      e.bias = r_bias_ + column;
    } else {
      e.residual = input + column;
      e.residual_stride = input_batch_;
    }
    gemm({l_.batch, (last - first) * s_.panel, l_.hidden, h, space_.stride, space_.gates + column, s_.columns},
         r_ + column * l_.hidden, e, config_of(s_), nullptr);
    for (int64_t b = 0; b < l_.batch; ++b)
      for (int64_t k = first; k < last; ++k) {
        const int64_t unit = b * space_.stride + k * kUnits;
        step_block({l_.cell, space_.gates + b * s_.columns + k * s_.panel, input + b * input_batch_ + k * s_.panel,
                    space_.c + unit, h + unit, next + unit});
        if (d_.y)
          std::memcpy(d_.y + at * l_.y_step + b * l_.y_batch + k * kUnits, next + unit,
                      static_cast<size_t>(std::min(kUnits, l_.hidden - k * kUnits)) * sizeof(float));
      }
  }

  const RecurrentLayer& l_;
  const RecurrentData& d_;
  Sizes s_;
  Space space_;
  int threads_;
  int64_t input_step_ = 0, input_batch_ = 0;
  const float *r_ = nullptr, *w_bias_ = nullptr, *r_bias_ = nullptr;
};

// Rows of gates * hidden to blocks of units with all their gates; rows that do not exist are zero.
std::vector<float> by_blocks(const Sizes& s, int64_t hidden, int64_t width, const float* from) {
  std::vector<float> rows(static_cast<size_t>(s.columns * width), 0.0f);
  for (int64_t g = 0; g < s.gates; ++g)
    for (int64_t u = 0; u < hidden; ++u)
      std::memcpy(rows.data() + (u / kUnits * s.panel + g * kUnits + u % kUnits) * width,
                  from + (g * hidden + u) * width, static_cast<size_t>(width) * sizeof(float));
  return rows;
}

}  // namespace

int64_t packed_recurrent_floats(Cell cell, int64_t input, int64_t hidden) {
  const Sizes s(cell, input, hidden);
  return s.w + s.r + 2 * s.columns;
}

void pack_recurrent(Cell cell, int64_t input, int64_t hidden, const float* w, const float* r, const float* b,
                    float* packed) {
  const Sizes s(cell, input, hidden);
  const auto panel = static_cast<int32_t>(s.panel);
  pack_b({by_blocks(s, hidden, input, w).data(), input, true}, input, s.columns, panel, packed);
  pack_b({by_blocks(s, hidden, hidden, r).data(), hidden, true}, hidden, s.columns, panel, packed + s.w);
  float *w_bias = packed + s.w + s.r, *r_bias = w_bias + s.columns;
  std::fill(w_bias, r_bias + s.columns, 0.0f);
  if (!b) return;
  const std::vector<float> of_w = by_blocks(s, hidden, 1, b), of_r = by_blocks(s, hidden, 1, b + s.gates * hidden);
  std::copy(of_w.begin(), of_w.end(), w_bias);
  std::copy(of_r.begin(), of_r.end(), r_bias);
  if (cell != Cell::kGruLinearBeforeReset)
    for (int64_t i = 0; i < s.columns; ++i) w_bias[i] += r_bias[i];
}

int64_t recurrent_workspace(const RecurrentLayer& layer) {
  const Sizes s(layer.cell, layer.input, layer.hidden);
  return align(layer.steps * layer.batch * s.columns) + layer.batch * (s.columns + 3 * s.blocks * kUnits);
}

void run_recurrent(const RecurrentLayer& layer, const RecurrentData& data, float* workspace, int threads) noexcept {
  if (layer.batch == 0 || layer.hidden == 0) return;
  const double terms = static_cast<double>(layer.batch) * static_cast<double>(layer.hidden) *
                       static_cast<double>(layer.hidden) * cell_gates(layer.cell);
  Run(layer, data, workspace, terms < 40'000 ? 1 : threads).run();
}

}  // namespace kiln::cpu
