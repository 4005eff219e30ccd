// The activations of a recurrent layer.
#pragma once
#include "device/cell_activation.h"
#include "target/target.h"

namespace kiln {

// Of all directions: CellActivations, and their numbers.
struct CellFunctions {
  Ints kinds = {};
  Floats alphas = {}, betas = {};
};

// Those that the attributes of a cell, "LSTM", "GRU" or "RNN", name; or why not.
Refusal read_cell_functions(std::string_view cell, const Attributes& attributes, int64_t directions, CellFunctions& to);

}  // namespace kiln
