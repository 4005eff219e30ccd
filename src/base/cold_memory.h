// Memory that is to lie in no cache.
#pragma once
#include <cstddef>

namespace kiln {

// Whether make_cold() does anything on this processor.
bool can_make_cold() noexcept;
// Writes back and evicts the cache lines of the range.
void make_cold(const void* data, size_t size) noexcept;

}  // namespace kiln
