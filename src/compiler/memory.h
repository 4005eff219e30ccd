// Places buffers that live at different times in the same bytes of an arena.
#pragma once
#include <cstdint>
#include <vector>

#include "plan/lanes.h"

namespace kiln {

struct Buffer {
  int64_t size = 0;
  plan::StepSpan life;  // while which it is needed
  int64_t offset = 0;   // result
};

// Gives each buffer an offset, a multiple of `alignment`; returns the size of the arena. Largest first, lowest gap that
// fits. Throws kOverflow.
int64_t place_buffers(std::vector<Buffer>& buffers, int64_t alignment);

}  // namespace kiln
