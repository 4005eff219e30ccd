// Memory of steps beside the arena.
#include "runtime/scratch.h"

#include "plan/plan.h"

namespace kiln {

bool Scratch::reserve(Allocator& allocator, size_t size) noexcept {
  if (allocator_ == &allocator && size_ >= size) return true;
  release();
  data_ = allocator.allocate(size, static_cast<size_t>(plan::kAlignment));
  if (!data_) return false;
  allocator_ = &allocator;
  size_ = size;
  return true;
}

void Scratch::release() noexcept {
  if (data_) allocator_->deallocate(data_);
  data_ = nullptr;
  size_ = 0;
}

}  // namespace kiln
