// What a Pad asks of its kernel.
#pragma once
#include <optional>

#include "device/movement_parameters.h"
#include "target/target.h"

namespace kiln {

// Nothing when only running can tell.
std::optional<PadParameters> pad_parameters(const Problem& problem);
Padding padding_of(const Problem& problem);

}  // namespace kiln
