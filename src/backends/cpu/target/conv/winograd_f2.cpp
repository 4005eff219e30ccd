// Tactic: 3x3 convolution by minimal filtering F(2x2,3x3).
#include "backends/cpu/target/conv/winograd.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic winograd_f2{
    .name = "winograd_f2_3x3",
    .version = 1,
    .ops = {"Conv"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_winograd(p, facts, 2); },
    .accepts = accept_winograd,
    .configurations = [](const Problem& p) { return winograd_configurations(p, 2); },
    .emit = emit_winograd,
};

}  // namespace kiln::cpu::tactics
