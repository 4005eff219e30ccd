// Arguments of the kernels of cu/recurrent.cu.
#pragma once
#include <cstdint>

namespace kiln::cuda {

inline constexpr int kCellThreads = 128;  // of a block: a warp for each unit
inline constexpr int kCellBatch = 4;      // sequences of a warp

enum class Cell : int32_t { kLstm, kGru /* resets after the product */, kTanh, kRelu };

// One step of all directions and sequences. The states of a step are kept in float32, for the step before and this one in turn.
struct CellArguments {
  const void *x, *w, *r, *b;          // b may be null
  const void *initial_h, *initial_c;  // null: zeros
  void *y, *y_h, *y_c;                // each may be null
  float *from_h, *to_h, *c;           // [direction, batch, hidden]
  // Of w and r in bytes: a scale and a zero point, which may be null, for each row of each direction.
  const float *w_scale, *r_scale;
  const void *w_zero, *r_zero;
  int32_t step, steps, batch, input, hidden, directions;
  int32_t reverse;  // the first direction runs backwards
  int32_t batch_first;
};

}  // namespace kiln::cuda
