// Arguments of the kernels of cu/recurrent.cu and cu/recurrent_chip.cu.
#pragma once
#include <cstdint>

#include "device/cell_activation.h"

namespace kiln::cuda {

enum class Cell : int32_t { kLstm, kGru, kRnn };
inline constexpr int kMostCellFunctions = 3;  // activations of a cell

struct CellFunction {
  CellActivation kind;
  float alpha, beta;
};

// What one step does to the states.
struct CellRules {
  Cell cell;
  int32_t linear;                                 // a GRU resets after the product
  int32_t coupled;                                // the forget gate is 1 - input
  float clip;                                     // of what activations get; 0: none
  CellFunction functions[2][kMostCellFunctions];  // by direction
};

// What the user gives and takes. Each pointer but x may be null.
struct RecurrentLayer {
  const void *x, *b, *initial_h, *initial_c, *peepholes;
  const int32_t* lengths;  // brought into [0, steps]
  void *y, *y_h, *y_c;
  int32_t steps, batch, hidden, directions;
  int32_t reverse;  // the first direction runs backwards
  int32_t batch_first;
  CellRules rules;
};

inline constexpr int kCellThreads = 128;  // of a block: a warp for each unit
inline constexpr int kCellBatch = 4;      // sequences of a warp

// One step of all directions and sequences. The states of a step are kept in float32, for the step before and this one in turn; a GRU that
// resets before the product takes two launches, of its gates and of its candidate.
struct StepArguments {
  RecurrentLayer layer;
  const void *w, *r;         // w may be null: x holds products
  float *from_h, *to_h, *c;  // [direction, batch, hidden]
  float *update, *reset_h;   // the same, between the two launches
  // Of w and r in bytes: a scale and a zero point, which may be null, for each row of each direction.
  const float *w_scale, *r_scale;
  const void *w_zero, *r_zero;
  int32_t step, input;
};

inline constexpr int kChipThreads = 512;
inline constexpr int kMostChipBlocks = 16;  // of a cluster

// All steps. A cluster has a direction of some sequences, its block i the units from i * units on: rows [gate, unit] of the recurrent weights,
// rounded up to tiles. Weights are packed by chunks of terms (kernels/recurrent_packing.h); the first chunks lie in shared memory.
struct ChipArguments {
  RecurrentLayer layer;
  const void* r;  // [direction, block, chunk, row, term]
  int32_t units, rows, chunks, kept;
  int32_t parts;  // of the terms, which warps share
  int32_t weights_are_constant;
  // Of a block's shared memory, in bytes: weights, the states of all units now and next (and a GRU's after the reset), sums, numbers of each unit.
  int32_t weights_at, states_at, sums_at, numbers_at;
  int32_t state_stride, sum_stride;  // of a sequence, in elements
};

// Rows of float32 for each unit.
enum ChipNumber : int { kBiases = 0 /* of each gate */, kCandidateBias = 4, kPeepholes = 5, kChipNumbers = 8 };
inline constexpr int kChipBarriers = 3;  // a buffer of states each
// Pairs of a unit and a sequence that a thread has, where a block has so many sequences.
constexpr int chip_pairs(int sequences) { return sequences <= 4 ? 1 : sequences == 8 ? 2 : 4; }

}  // namespace kiln::cuda
