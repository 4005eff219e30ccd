// Places buffers that live at different times in the same bytes of an arena.
#pragma once
#include <cstdint>
#include <vector>

namespace kiln {

// Needed from step `first` to step `last`, both included.
struct Buffer {
  int64_t size = 0;
  int32_t first = 0, last = 0;
  int64_t offset = 0;  // result
};

// Gives each buffer an offset, a multiple of `alignment`; returns the size of the arena. Largest first, lowest gap that
// fits. Throws kOverflow.
int64_t place_buffers(std::vector<Buffer>& buffers, int64_t alignment);

}  // namespace kiln
