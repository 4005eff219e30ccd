// oneDNN as a device: its primitives as kernels on the host, with the threads of OpenMP.
#pragma once
#include "device/device.h"

extern "C" kiln::Device* kiln_create_device_onednn(int ordinal, std::string& reason);
