// The kernels of oneDNN, one file each. They throw Error when the parameters are not sound.
#pragma once
#include <memory>

#include "device/device.h"

namespace kiln::onednn {
std::unique_ptr<Kernel> make_conv(const Attributes& parameters);
std::unique_ptr<Kernel> make_conv_int8(const Attributes& parameters);
std::unique_ptr<Kernel> make_deconv(const Attributes& parameters);
std::unique_ptr<Kernel> make_matmul(const Attributes& parameters);
std::unique_ptr<Kernel> make_matmul_int8(const Attributes& parameters);
std::unique_ptr<Kernel> make_pool(const Attributes& parameters);
}  // namespace kiln::onednn
