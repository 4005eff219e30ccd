// Devices whose steps stand in engines of other back ends.
#pragma once
#include <string>
#include <vector>

namespace kiln {

// The back ends of the list that have a device and no target, also those that this build leaves out.
const std::vector<std::string>& lent_devices();

}  // namespace kiln
