// Loading a back end's library before its device is started.
#pragma once
#include <string>

namespace kiln {

// The library changes the process's environment while it loads: afterwards another thread may start the device. What fails is told to who
// opens the device.
void load_back_end(const std::string& back_end);

}  // namespace kiln
