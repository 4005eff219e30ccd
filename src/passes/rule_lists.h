// Declares every rule of the families' lists. A rule's file includes this and defines its word.
#pragma once
#include "passes/rule.h"

namespace kiln::passes {
#define KILN_RULE(word) extern const Rule word;
#include "passes/canonicalize/list.inc"
#include "passes/fuse/list.inc"
#include "passes/narrow/list.inc"
#include "passes/precision/list.inc"
#include "passes/quantize/list.inc"
#undef KILN_RULE
}  // namespace kiln::passes
