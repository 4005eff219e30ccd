// The kernels of oneDNN: one file and one word in list.inc each. A kernel's file defines make_<word>.
#pragma once
#include <memory>

#include "device/device.h"

namespace kiln::onednn {
// Throws Error when the parameters are not sound.
#define KILN_KERNEL(word) std::unique_ptr<Kernel> make_##word(const Attributes& parameters);
#include "backends/onednn/device/list.inc"
#undef KILN_KERNEL
}  // namespace kiln::onednn
