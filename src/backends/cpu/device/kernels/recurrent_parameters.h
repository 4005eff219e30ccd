// Parameters of the recurrent layers.
#pragma once
#include "backends/cpu/device/compute/recurrent.h"
#include "backends/cpu/device/kernels/recurrent_any.h"
#include "device/parameter_fields.h"

namespace kiln::cpu::kernels {

// What every recurrent layer has.
struct LayerParameters {
  static constexpr int64_t kMostUnits = 1 << 20;  // units, inputs
  int64_t directions = 1, hidden = 1, input = 1;
  bool reverse = false;  // the only direction runs backwards
  bool batch_first = false;
  template <class V> void fields(V& v) {
    v("directions", directions, 1, 2);
    v("hidden", hidden, 1, kMostUnits);
    v("input", input, 1, kMostUnits);
    v("reverse", reverse);
    v("batch_first", batch_first);
  }
};

struct RecurrentParameters {
  LayerParameters layer = {};
  Cell cell = Cell::kLstm;
  template <class V> void fields(V& v) {
    v(layer);
    v("cell", cell, static_cast<int>(Cell::kRnnRelu) + 1);
  }
};

struct RecurrentAnyParameters {
  LayerParameters layer = {};
  AnyCell cell = AnyCell::kLstm;
  bool linear = false;   // a GRU resets after the product
  bool coupled = false;  // the forget gate is 1 - input
  bool packs = false;    // the weights are packed at each launch
  double clip = 0;       // 0: none
  // Of the activations of all directions: CellActivations, and their numbers.
  Ints kinds = {};
  Floats alphas = {}, betas = {};
  template <class V> void fields(V& v) {
    v(layer);
    v("cell", cell, static_cast<int>(AnyCell::kRnn) + 1);
    v("linear", linear);
    v("coupled", coupled);
    v("packs", packs);
    v("clip", clip);
    v("kinds", kinds, 0, kCellActivations - 1);
    v("alphas", alphas);
    v("betas", betas);
  }
  void check() const;  // that there are as many activations as the cells have
};

}  // namespace kiln::cpu::kernels
