// Memory of an allocator that a program may have supplied.
#pragma once
#include "base/error.h"
#include "device/device.h"

namespace kiln {

// Never null. Throws kOutOfMemory when the allocator refuses, kInvalidArgument when what it gives is not aligned. `purpose`: "a context".
inline void* take_memory(Allocator& allocator, size_t size, size_t alignment, const std::string& purpose,
                         const char* remedy) {
  void* const memory = allocator.allocate(size, alignment);
  if (!memory)
    throw Error(Code::kOutOfMemory, "the allocator refused " + std::to_string(size) + " bytes for " + purpose)
        .remedy(remedy);
  if (reinterpret_cast<uintptr_t>(memory) % alignment == 0) return memory;
  allocator.deallocate(memory);
  throw Error(Code::kInvalidArgument, "the allocator gave memory for " + purpose +
                                          " that does not begin at a multiple of " + std::to_string(alignment) +
                                          " bytes")
      .remedy("give memory that is aligned as the allocator is asked for");
}

}  // namespace kiln
