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
#include "backends/cpu/device/compute/product_blocks.h"

namespace kiln::cpu {
namespace {

constexpr int64_t kUnits = 16;              // of a block
constexpr int64_t kPieceWeights = 1 << 15;  // about so many are multiplied at once
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

// Blocks of units whose columns are whole groups of packed bytes.
int64_t blocks_of_span(const Sizes& s) {
  int64_t count = 1;
  while (count * s.panel % BlockWeights::kGroup != 0) ++count;
  return count;
}

BlockWeights byte_weights(int64_t terms, int64_t columns) {
  return {.terms = terms, .columns = columns, .block = terms, .bits = 8};
}

// Floats of scratch that a thread needs for its product with the states.
int64_t scratch_of_states(const RecurrentLayer& l, const Sizes& s) {
  return block_product_scratch(byte_weights(l.hidden, s.columns), l.batch);
}

BlockConfig config_of(const Sizes& s) { return {.panel = static_cast<int32_t>(s.panel), .depth = 1 << 20}; }

BlockConfig config_of_inputs(const Sizes& s, int threads) {
  BlockConfig config = config_of(s);
  config.depth = 256;
  config.column_threads = threads;
  return config;
}

// Floats of scratch that a thread needs for its product with the states by weights of that type.
int64_t floats_for_states(const RecurrentLayer& l, const Sizes& s, DType weights) {
  return gemm_workspace({.m = l.batch, .n = s.columns, .k = l.hidden}, config_of(s), weights);
}

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
    sums = end;
  }
  int64_t stride;  // of rows of h and c
  float *inputs, *gates, *c, *h[2], *end;
  float* sums;  // scratch of products with narrower weights
};

class Run {
 public:
  Run(const RecurrentLayer& layer, const RecurrentData& data, float* workspace, int threads)
      : l_(layer),
        d_(data),
        s_(layer.cell, layer.input, layer.hidden),
        space_(layer, s_, workspace),
        threads_(std::min(threads, thread_count())) {
    w_bias_ = data.bytes ? data.bytes->columns + 4 * s_.columns : data.biases;
    r_bias_ = w_bias_ + s_.columns;
  }

  void run() {
    load_states();
    // x may be [steps, batch] or [batch, steps]; one product when its rows are equally far apart.
    const bool batch_inner = l_.batch == 1 || l_.x_step == l_.batch * l_.x_batch;
    if (batch_inner) {
      input_step_ = l_.batch * s_.columns;
      input_batch_ = s_.columns;
      multiply_inputs(l_.steps * l_.batch, d_.x, l_.batch == 1 ? l_.x_step : l_.x_batch, space_.inputs);
    } else {
      input_step_ = s_.columns;
      input_batch_ = l_.steps * s_.columns;
      for (int64_t b = 0; b < l_.batch; ++b)
        multiply_inputs(l_.steps, d_.x + b * l_.x_batch, l_.x_step, space_.inputs + b * input_batch_);
    }
    const int64_t span = d_.bytes ? blocks_of_span(s_) : 1;
    const int64_t piece = std::max<int64_t>(kPieceWeights / (s_.panel * l_.hidden * span), 1) * span;
    for (int64_t i = 0; i < l_.steps; ++i) {
      if (i % kStepsBetweenLooks == kStepsBetweenLooks - 1 && work_ended()) return;
      const int64_t at = l_.reverse ? l_.steps - 1 - i : i;
      parallel_ranges(threads_, (s_.blocks + span - 1) / span, [&](int64_t first, int64_t last, int part) {
        const DenormalsAreZero fast;
        const int64_t begin = first * span, end = std::min(last * span, s_.blocks),
                      pieces = (end - begin + piece - 1) / piece;
        // There and back: the weights that were read last are those that a cache too small for all of them still holds.
        for (int64_t k = 0; k < pieces; ++k) {
          const int64_t from = begin + (i % 2 == 0 ? k : pieces - 1 - k) * piece;
          step(at, space_.h[i % 2], space_.h[(i + 1) % 2], {from, std::min(from + piece, end), part});
        }
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

  // Blocks of units [first, last), computed by one thread.
  struct Share {
    int64_t first, last;
    int thread;
  };

  // `to` [rows, columns] = x W + its bias.
  void multiply_inputs(int64_t rows, const float* x, int64_t stride, float* to) {
    if (d_.bytes) {
      const float* scales = d_.bytes->columns;
      product_blocks({.weights = byte_weights(l_.input, s_.columns),
                      .rows = rows,
                      .a = x,
                      .a_stride = stride,
                      .packed = d_.bytes->w,
                      .scales = scales,
                      .zeros = scales + s_.columns,
                      .out = to,
                      .out_stride = s_.columns},
                     threads_, space_.sums);
      return add_rows(rows, s_.columns, w_bias_, 0, to);
    }
    Epilogue bias;
    bias.bias = w_bias_;
    gemm({rows, s_.columns, l_.input, x, stride, to, s_.columns}, d_.weights, bias, config_of_inputs(s_, threads_),
         space_.sums);
  }

  // Adds rows that lie `stride` apart to those of a matrix of as many columns as the layer has.
  void add_rows(int64_t rows, int64_t columns, const float* from, int64_t stride, float* to) const {
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) to[i * s_.columns + j] += from[i * stride + j];
  }

  // Gates of the share's blocks of all sequences: h R + the bias of a GRU, or else what the inputs gave.
  void multiply_states(const float* input, const float* h, const Share& share) {
    const int64_t column = share.first * s_.panel, columns = (share.last - share.first) * s_.panel;
    const bool adds_bias = l_.cell == Cell::kGruLinearBeforeReset;
    float* to = space_.gates + column;
    if (d_.bytes) {
      const BlockWeights whole = byte_weights(l_.hidden, s_.columns);
      const float* scales = d_.bytes->columns + 2 * s_.columns + column;
      product_blocks({.weights = byte_weights(l_.hidden, columns),
                      .rows = l_.batch,
                      .a = h,
                      .a_stride = space_.stride,
                      .packed = d_.bytes->r + column * whole.words(),
                      .scales = scales,
                      .zeros = scales + s_.columns,
                      .out = to,
                      .out_stride = s_.columns},
                     1, space_.sums + share.thread * scratch_of_states(l_, s_));
      return adds_bias ? add_rows(l_.batch, columns, r_bias_ + column, 0, to)
                       : add_rows(l_.batch, columns, input + column, input_batch_, to);
    }
    Epilogue e;
    if (adds_bias) {
      e.bias = r_bias_ + column;
    } else {
      e.residual = input + column;
      e.residual_stride = input_batch_;
    }
    gemm({l_.batch, columns, l_.hidden, h, space_.stride, to, s_.columns}, d_.weights.from(s_.w + column * l_.hidden),
         e, config_of(s_), space_.sums + share.thread * floats_for_states(l_, s_, d_.weights.type));
  }

  // Units of the share's blocks at one step.
  void step(int64_t at, const float* h, float* next, const Share& share) {
    const float* input = space_.inputs + at * input_step_;
    multiply_states(input, h, share);
    for (int64_t b = 0; b < l_.batch; ++b)
      for (int64_t k = share.first; k < share.last; ++k) {
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
  const float *w_bias_ = nullptr, *r_bias_ = nullptr;
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

int64_t packed_recurrent_weights(Cell cell, int64_t input, int64_t hidden) {
  const Sizes s(cell, input, hidden);
  return s.w + s.r;
}

int64_t packed_recurrent_biases(Cell cell, int64_t hidden) { return 2 * packed_recurrent_columns(cell, hidden); }

void pack_recurrent(Cell cell, int64_t input, int64_t hidden, const float* w, const float* r, const float* b,
                    float* weights, float* biases) {
  const Sizes s(cell, input, hidden);
  const auto panel = static_cast<int32_t>(s.panel);
  pack_b({by_blocks(s, hidden, input, w).data(), input, true}, input, s.columns, panel, weights);
  pack_b({by_blocks(s, hidden, hidden, r).data(), hidden, true}, hidden, s.columns, panel, weights + s.w);
  float *w_bias = biases, *r_bias = w_bias + s.columns;
  std::fill(w_bias, r_bias + s.columns, 0.0f);
  if (!b) return;
  const std::vector<float> of_w = by_blocks(s, hidden, 1, b), of_r = by_blocks(s, hidden, 1, b + s.gates * hidden);
  std::copy(of_w.begin(), of_w.end(), w_bias);
  std::copy(of_r.begin(), of_r.end(), r_bias);
  if (cell != Cell::kGruLinearBeforeReset)
    for (int64_t i = 0; i < s.columns; ++i) w_bias[i] += r_bias[i];
}

int64_t packed_recurrent_columns(Cell cell, int64_t hidden) { return Sizes(cell, 0, hidden).columns; }

int64_t packed_recurrent_column(Cell cell, int64_t gate, int64_t unit) {
  return unit / kUnits * cell_gates(cell) * kUnits + gate * kUnits + unit % kUnits;
}

int64_t recurrent_workspace(const RecurrentLayer& layer, bool bytes, DType weights) {
  const Sizes s(layer.cell, layer.input, layer.hidden);
  const int64_t floats =
      align(layer.steps * layer.batch * s.columns) + layer.batch * (s.columns + 3 * s.blocks * kUnits);
  const int64_t rows = std::max<int64_t>(layer.steps * layer.batch, 1);
  if (!bytes) {  // the rows of the inputs are multiplied together, or those of each sequence
    const auto of_inputs = [&](int64_t count) {
      return gemm_workspace({.m = count, .n = s.columns, .k = layer.input}, config_of_inputs(s, thread_count()),
                            weights);
    };
    return floats + std::max({of_inputs(rows), of_inputs(layer.steps), of_inputs(1),
                              thread_count() * floats_for_states(layer, s, weights)});
  }
  return floats + std::max({block_product_scratch(byte_weights(layer.input, s.columns), rows),
                            block_product_scratch(byte_weights(layer.input, s.columns), 1),
                            thread_count() * scratch_of_states(layer, s)});
}

void run_recurrent(const RecurrentLayer& layer, const RecurrentData& data, float* workspace, int threads) noexcept {
  if (layer.batch == 0 || layer.hidden == 0) return;
  const double terms = static_cast<double>(layer.batch) * static_cast<double>(layer.hidden) *
                       static_cast<double>(layer.hidden) * cell_gates(layer.cell);
  Run(layer, data, workspace, terms < 40'000 ? 1 : threads).run();
}

}  // namespace kiln::cpu
