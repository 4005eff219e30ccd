// Parameters of the kernel "recurrent".
#pragma once
#include "device/parameter_fields.h"

namespace kiln::cuda::kernels {

struct RecurrentParameters {
  static constexpr std::string_view kCells[] = {"lstm", "gru", "tanh", "relu"};
  std::string cell = "lstm";
  bool reverse = false, batch_first = false;
  template <class V> void fields(V& v) {
    v("cell", cell, kCells);
    v("reverse", reverse);
    v("batch_first", batch_first);
  }
};

}  // namespace kiln::cuda::kernels
