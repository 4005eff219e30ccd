// Recurrent layers multiply the inputs of all steps at once.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {

// LSTM, GRU and RNN become a product and RecurrentProjected.
extern const Rule projected_recurrence;

}  // namespace kiln::passes
