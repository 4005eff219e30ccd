// Tactic: convolution by oneDNN.
#include "backends/cpu/target/onednn/convolution.h"
#include "backends/cpu/target/tactics.h"

namespace kiln::cpu::tactics {

const Tactic onednn_conv{
    .name = "onednn_conv",
    .version = 1,
    .ops = {"Conv"},
    .device = kOnednn,
    .accepts = accept_onednn_convolution,
    .configurations = onednn_image_configurations,
    .emit = emit_onednn_convolution,
};

}  // namespace kiln::cpu::tactics
