// Independent pieces of long work on all cores.
#pragma once
#include <cstddef>
#include <functional>

namespace kiln {

// Calls work(i) for each i below `count`, on as many threads as there are cores, the caller's among them. The first exception is thrown
// again once all threads have ended; what had not begun by then is left out.
void in_parallel(size_t count, const std::function<void(size_t)>& work);

}  // namespace kiln
