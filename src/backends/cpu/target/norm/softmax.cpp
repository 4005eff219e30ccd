// Tactics: softmax, its logarithm, and the maximum as a mask.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/axis_parameters.h"

namespace kiln::cpu::tactics {

const Tactic softmax{
    .name = "softmax",
    .version = 1,
    .ops = {"Softmax", "LogSoftmax"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32_or_f64(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("softmax", softmax_parameters(p), {0}); },
};

const Tactic hardmax{
    .name = "hardmax",
    .version = 1,
    .ops = {"Hardmax"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_kernel("hardmax", axis_parameters(p, -1), {0}); },
};

}  // namespace kiln::cpu::tactics
