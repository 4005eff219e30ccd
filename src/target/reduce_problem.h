// What a reduction asks of its kernel.
#pragma once
#include <optional>

#include "device/reduce_kind.h"
#include "target/target.h"

namespace kiln {

// The operators that reduce along axes.
std::vector<std::string_view> reduce_ops();
// Nothing for other operators.
std::optional<ReduceKind> reduce_kind(std::string_view op);
// The axes to reduce; nothing when only running can tell.
std::optional<Ints> reduced_axes(const Problem& problem);

}  // namespace kiln
