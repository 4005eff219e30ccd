// The reference as a device: every operator by its reference evaluation, on the host.
#pragma once
#include "device/device.h"

extern "C" kiln::Device* kiln_create_device_ref(int ordinal, std::string& reason);
