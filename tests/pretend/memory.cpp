// Memory that only the device may touch.
#include "pretend/memory.h"

#include <sys/mman.h>

#include <cstdlib>

namespace kiln::pretend {
namespace {

constexpr size_t kPage = 4096;

size_t up(size_t value, size_t to) { return (value + to - 1) / to * to; }

}  // namespace

Memory::Memory()
    : base_(static_cast<std::byte*>(
          mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0))) {
  if (base_ == MAP_FAILED) std::abort();
}

void* Memory::allocate(size_t size, size_t alignment) noexcept {
  const std::lock_guard lock(mutex_);
  const size_t wanted = up(size + 1, kPage), step = up(alignment, kPage);  // the byte behind is never another block's
  size_t at = 0;
  for (const auto& [offset, held] : blocks_) {
    if (offset >= at + wanted) break;
    at = up(offset + held, step);
  }
  if (size >= kSize || at + wanted > kSize) return nullptr;
  try {
    blocks_[at] = wanted;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  touched_ = std::max(touched_, at + wanted);
  return base_ + at;
}

void Memory::deallocate(void* memory) noexcept {
  const std::lock_guard lock(mutex_);
  const auto it = blocks_.find(static_cast<size_t>(static_cast<std::byte*>(memory) - base_));
  if (!touches(memory) || it == blocks_.end()) std::abort();  // a test gives back what it did not take
  madvise(memory, it->second, MADV_DONTNEED);
  blocks_.erase(it);
}

bool Memory::holds(const void* data, size_t size) const noexcept {
  const std::lock_guard lock(mutex_);
  if (!touches(data)) return false;
  const auto at = static_cast<size_t>(static_cast<const std::byte*>(data) - base_);
  auto it = blocks_.upper_bound(at);
  if (it == blocks_.begin()) return false;
  --it;
  return at + size <= it->first + it->second;
}

int64_t Memory::in_use() const noexcept {
  const std::lock_guard lock(mutex_);
  int64_t total = 0;
  for (const auto& [offset, size] : blocks_) total += static_cast<int64_t>(size);
  return total;
}

void Memory::protect(bool open) noexcept {
  size_t touched = 0;
  {
    const std::lock_guard lock(mutex_);
    touched = touched_;
  }
  if (touched > 0 && mprotect(base_, touched, open ? PROT_READ | PROT_WRITE : PROT_NONE) != 0) std::abort();
}

}  // namespace kiln::pretend
