// What a Pad asks of its kernel.
#pragma once
#include <optional>

#include "target/target.h"

namespace kiln {

// Elements before each axis; nothing when only running can tell.
std::optional<Ints> pads_before(const Problem& problem);

}  // namespace kiln
