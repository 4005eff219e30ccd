// Memory of steps beside the arena.
#pragma once
#include <utility>

#include "device/device.h"

namespace kiln {

// Memory that grows when it must.
class Scratch {
 public:
  Scratch() = default;
  Scratch(Scratch&& other) noexcept { *this = std::move(other); }
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(allocator_, other.allocator_), std::swap(data_, other.data_), std::swap(size_, other.size_);
    return *this;
  }
  ~Scratch() { release(); }
  // What is in it is lost. False: the allocator refused, or gave memory that is not aligned.
  bool reserve(Allocator& allocator, size_t size, int64_t alignment) noexcept;
  void* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void release() noexcept;
  Allocator* allocator_ = nullptr;
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kiln
