// Recurrent layers on float32: LSTM, GRU and simple RNN with packed weights, in float32, in 16 bits or in bytes.
#pragma once
#include <cstdint>

#include "backends/cpu/device/compute/gemm.h"

namespace kiln::cpu {

// Numbers are stored in engine files: append only.
enum class Cell : uint8_t { kLstm, kGruLinearBeforeReset, kRnnTanh, kRnnRelu };

inline int cell_gates(Cell cell) { return cell == Cell::kLstm ? 4 : cell == Cell::kGruLinearBeforeReset ? 3 : 1; }

// One direction of one layer. Gates stand in ONNX's order: i o f c; z r h; one.
struct RecurrentLayer {
  Cell cell = Cell::kLstm;
  bool reverse = false;
  int64_t steps = 0, batch = 0, input = 0, hidden = 0;
  int64_t x_step = 0, x_batch = 0;  // strides of x; its rows are dense
  int64_t y_step = 0, y_batch = 0;  // strides of y
  int64_t state_batch = 0;          // of the initial and final states
};

// Packed form of w [gates * hidden, input], r [gates * hidden, hidden] and b [2 * gates * hidden] (may be null): units in blocks
// of 16, all gates of a block together.
int64_t packed_recurrent_weights(Cell cell, int64_t input, int64_t hidden);
int64_t packed_recurrent_biases(Cell cell, int64_t hidden);
void pack_recurrent(Cell cell, int64_t input, int64_t hidden, const float* w, const float* r, const float* b,
                    float* weights, float* biases);

// The same of weights in bytes, packed as BlockWeights has them, each of whose columns is one block: a gate of a unit, in the order of
// packed_recurrent_column. `columns` holds six rows of numbers by column: scales and zero points of w, those of r, and the biases of both,
// which are one where the cell adds them.
struct RecurrentBytes {
  const int32_t *w = nullptr, *r = nullptr;
  const float* columns = nullptr;
};
int64_t packed_recurrent_columns(Cell cell, int64_t hidden);  // among them some that stand for no unit
// Where the row gate * hidden + unit of w and r lies.
int64_t packed_recurrent_column(Cell cell, int64_t gate, int64_t unit);

struct RecurrentData {
  const float* x = nullptr;
  PackedWeights weights;                                     // float32, float16 or bfloat16
  const float* biases = nullptr;                             // packed with them
  const RecurrentBytes* bytes = nullptr;                     // instead of both
  const float *initial_h = nullptr, *initial_c = nullptr;    // may be null: zeros
  float *y = nullptr, *last_h = nullptr, *last_c = nullptr;  // each may be null
};
int64_t recurrent_workspace(const RecurrentLayer& layer, bool bytes, DType weights = DType::kF32);  // floats
void run_recurrent(const RecurrentLayer& layer, const RecurrentData& data, float* workspace, int threads) noexcept;

}  // namespace kiln::cpu
