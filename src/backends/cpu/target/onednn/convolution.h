// What the tactics of convolutions and their transposes by oneDNN share.
#pragma once
#include "backends/cpu/target/onednn/onednn.h"

namespace kiln::cpu {

Refusal accept_onednn_convolution(const Problem& problem);
Emitted emit_onednn_convolution(const Problem& problem, const Config& config);

}  // namespace kiln::cpu
