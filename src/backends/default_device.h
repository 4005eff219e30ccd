// The device on which everything works that names none.
#pragma once
#include "device/device.h"

namespace kiln {

// That of the first back end in the list whose device is there. Throws kNotFound with the reasons of all.
Device& default_device();
// Names of the back ends that have a target, the ones to be asked first before others.
const std::vector<std::string>& default_order();
// From now on that back end is asked first. Before any use of default_device().
void prefer_device(std::string back_end);

}  // namespace kiln
