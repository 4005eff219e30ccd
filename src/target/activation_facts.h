// Post-operations that are activations of the kernels.
#pragma once
#include <optional>

#include "device/activation.h"
#include "target/target.h"

namespace kiln {

// The activation and its numbers.
struct ActivationFacts {
  Activation kind;
  double alpha = 0, beta = 0;
};
// Nothing when the operator is none, or not in this form.
std::optional<ActivationFacts> activation_of(const Problem& problem, const ir::PostOp& post);

}  // namespace kiln
