// The CPU as a device: work runs in the calling thread when it is queued, with a pool of threads inside kernels.
#pragma once
#include "device/device.h"

namespace kiln::cpu {

Device& device();

}  // namespace kiln::cpu

extern "C" kiln::Device* kiln_create_device_cpu(int ordinal, std::string& reason);
