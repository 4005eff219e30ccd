// Which operands of a step share bytes, and whether its kernel lets them.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "plan/plan.h"

namespace kiln::plan {

// Value of the dimension program with this index in Plan::dims; nothing when it is not known.
using DimValue = std::function<std::optional<int64_t>(uint32_t)>;

// Checks all that can be told without shapes: throws kMalformedPlan where operands share bytes that the step's kernel does not let
// them share. Returns the steps, variants among them, that write into a tensor of which another operand is a part too; of these only shapes tell.
// Indices, views and StepInfo::sharing must be sound.
std::vector<const StepInfo*> check_sharing(const Program& program);
// Whether the operands of such a step keep apart at these dimensions, or share as its kernel lets them. Nothing when a dimension is
// not known.
std::optional<bool> keeps_apart(const Program& program, const StepInfo& step, const DimValue& value);

// The tensor that it is a part of at last, itself when it is no view. Nothing where views lie too deeply in each other.
std::optional<int32_t> root_of(const Program& program, int32_t tensor);
using TensorPair = std::pair<int32_t, int32_t>;
// Whether two parts of one tensor keep apart at these dimensions. Nothing when a dimension is not known.
std::optional<bool> are_apart(const Program& program, const TensorPair& parts, const DimValue& value);

}  // namespace kiln::plan
