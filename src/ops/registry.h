// Declares every operator of the families' lists. An operator's file includes this and defines its word.
#pragma once
#include "ops/op.h"

namespace kiln::ops {
#define KILN_OP(word) extern const OpDef word;
#include "ops/families.inc"
#undef KILN_OP
}  // namespace kiln::ops
