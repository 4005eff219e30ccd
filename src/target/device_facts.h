// What is known of a device as a file, so that engines can be built for a device that this machine lacks.
#pragma once
#include <map>
#include <span>
#include <string>

#include "device/device.h"

namespace kiln {

struct DeviceProfile {
  std::string back_end;
  int ordinal = 0;  // on the machine on which the file was written
  DeviceFacts facts;
  // Milliseconds of tactics that were measured on it: by problem and choice, as timing caches name them.
  std::map<std::string, double> times = {};
};

// JSON; the same profile gives the same text.
std::string device_profile_text(const DeviceProfile& profile);
// Throws kInvalidArgument for what is no such file, with what is wrong with it; `what` names it. Fields that are not known are refused.
DeviceProfile parse_device_profile(std::span<const std::byte> bytes, const std::string& what);

}  // namespace kiln
