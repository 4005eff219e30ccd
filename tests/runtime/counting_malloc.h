// Counts the allocations of this process.
#pragma once
#include <cstdint>

namespace kiln::testing {

// False under sanitizers, which own malloc.
bool can_count_allocations();
int64_t allocation_count();
int64_t allocated_bytes();  // in all, freed ones too

}  // namespace kiln::testing
