// The operands of the kernels "dynamic_quantize" of every device: x in float32; y in uint8, scale and zero point, of which the last two may
// be absent.
#pragma once
#include "device/device.h"

namespace kiln {

Status check_dynamic_quantize(const KernelCall& call) noexcept;

}  // namespace kiln
