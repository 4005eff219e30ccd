// The device on which everything works that names none.
#pragma once
#include "device/device.h"

namespace kiln {

// That of the first back end in the list whose device is there. Throws kNotFound with the reasons of all.
Device& default_device();

}  // namespace kiln
