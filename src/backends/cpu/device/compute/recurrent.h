// Recurrent layers on float32: LSTM, GRU and simple RNN with packed weights.
#pragma once
#include <cstdint>

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
int64_t packed_recurrent_floats(Cell cell, int64_t input, int64_t hidden);
void pack_recurrent(Cell cell, int64_t input, int64_t hidden, const float* w, const float* r, const float* b,
                    float* packed);

struct RecurrentData {
  const float *x = nullptr, *packed = nullptr;
  const float *initial_h = nullptr, *initial_c = nullptr;    // may be null: zeros
  float *y = nullptr, *last_h = nullptr, *last_c = nullptr;  // each may be null
};
int64_t recurrent_workspace(const RecurrentLayer& layer);  // floats
void run_recurrent(const RecurrentLayer& layer, const RecurrentData& data, float* workspace, int threads) noexcept;

}  // namespace kiln::cpu
