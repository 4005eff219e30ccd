// Declares every tactic of list.inc. A tactic's file defines its word.
#pragma once
#include "target/target.h"

namespace kiln::cpu::tactics {
#define KILN_TACTIC(word) extern const Tactic word;
#include "backends/cpu/target/list.inc"
#undef KILN_TACTIC
}  // namespace kiln::cpu::tactics
