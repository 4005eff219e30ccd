// Tactic: 3x3 convolution by minimal filtering F(4x4,3x3).
#include "backends/cpu/target/conv/winograd.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic winograd_f4{
    .name = "winograd_f4_3x3",
    .version = 2,
    .ops = {"Conv"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_winograd(p, facts, 4); },
    .accepts = accept_winograd,
    .configurations = [](const Problem& p) { return winograd_configurations(p, 4); },
    .emit = emit_winograd,
};

}  // namespace kiln::cpu::tactics
