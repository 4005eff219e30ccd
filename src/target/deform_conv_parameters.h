// What DeformConv asks of its kernels, which have the same parameters on every device.
#pragma once
#include "device/conv_parameters.h"
#include "target/target.h"

namespace kiln {

DeformConvParameters deform_conv_parameters(const Problem& problem);

}  // namespace kiln
