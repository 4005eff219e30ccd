// What Attention and RotaryEmbedding ask of their kernels, which have the same parameters on every device.
#pragma once
#include "device/attention_parameters.h"
#include "target/target.h"

namespace kiln {

AttentionParameters attention_parameters(const Problem& problem);
RotaryParameters rotary_parameters(const Problem& problem);
// Whether the mask, where there is one, is of a type that kernels read, and covers the keys whatever their number.
Refusal mask_fits(const Problem& problem);

}  // namespace kiln
