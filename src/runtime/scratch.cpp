// Memory of steps beside the arena.
#include "runtime/scratch.h"

namespace kiln {

bool Scratch::reserve(Allocator& allocator, size_t size, int64_t alignment) noexcept {
  if (allocator_ == &allocator && size_ >= size) return true;
  release();
  data_ = allocator.allocate(size, static_cast<size_t>(alignment));
  if (!data_) return false;
  allocator_ = &allocator;
  size_ = size;
  if (reinterpret_cast<uintptr_t>(data_) % static_cast<uintptr_t>(alignment) == 0) return true;
  release();
  return false;
}

void Scratch::release() noexcept {
  if (data_) allocator_->deallocate(data_);
  data_ = nullptr;
  size_ = 0;
}

}  // namespace kiln
