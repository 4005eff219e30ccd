// Tactics: softmax, its logarithm, and the maximum as a mask.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic softmax{
    .name = "softmax",
    .version = 1,
    .ops = {"Softmax", "LogSoftmax"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32_or_f64(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Attributes to{{"axis", axis_of(p, "axis", -1, rank(p.input(0)))},
                        {"logarithm", int64_t{p.op() == "LogSoftmax"}}};
          return emit_kernel("softmax", std::move(to), {0});
        },
};

const Tactic hardmax{
    .name = "hardmax",
    .version = 1,
    .ops = {"Hardmax"},
    .accepts = [](const Problem& p) -> Refusal { return needs_f32(p); },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          return emit_kernel("hardmax", {{"axis", axis_of(p, "axis", -1, rank(p.input(0)))}}, {0});
        },
};

}  // namespace kiln::cpu::tactics
