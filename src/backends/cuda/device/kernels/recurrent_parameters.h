// Parameters of the kernels "recurrent" and "recurrent_chip".
#pragma once
#include "backends/cuda/device/cu/recurrent.h"
#include "device/parameter_fields.h"

namespace kiln::cuda::kernels {

inline int64_t gates_of(Cell cell) { return cell == Cell::kLstm ? 4 : cell == Cell::kGru ? 3 : 1; }
inline int64_t functions_of(Cell cell) { return cell == Cell::kLstm ? 3 : cell == Cell::kGru ? 2 : 1; }

struct RecurrentParameters {
  static constexpr std::string_view kCells[] = {"lstm", "gru", "rnn"};
  Cell cell = Cell::kLstm;
  bool reverse = false, batch_first = false;
  bool linear = false;   // a GRU resets after the product
  bool coupled = false;  // the forget gate is 1 - input
  double clip = 0;       // of what activations get; 0: none
  // Of the activations of all directions: CellActivations, and their numbers.
  Ints kinds = {};
  Floats alphas = {}, betas = {};
  template <class V> void fields(V& v) {
    v("cell", cell, kCells);
    v("reverse", reverse);
    v("batch_first", batch_first);
    v("linear", linear);
    v("coupled", coupled);
    v("clip", clip);
    v("kinds", kinds, 0, kCellActivations - 1);
    v("alphas", alphas);
    v("betas", betas);
  }
  int64_t directions() const { return static_cast<int64_t>(kinds.size()) / functions_of(cell); }
  void check() const;  // that there are as many activations as the cells have
};

struct RecurrentChipParameters {
  static constexpr int64_t kMostUnits = 1 << 16;
  static constexpr int kBlocks[] = {1, 2, 4, 8, kMostChipBlocks};
  RecurrentParameters layer = {};
  int64_t hidden = 1;
  int64_t blocks = 1;  // of a cluster
  template <class V> void fields(V& v) {
    v(layer);
    v("hidden", hidden, 1, kMostUnits);
    v("blocks", blocks, kBlocks);
  }
};

}  // namespace kiln::cuda::kernels
