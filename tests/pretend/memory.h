// Memory that only the device may touch.
#pragma once
#include <map>
#include <mutex>

#include "device/device.h"

namespace kiln::pretend {

// A range of addresses without access, given out in blocks; open while work of the device runs.
class Memory final : public Allocator {
 public:
  Memory();
  void* allocate(size_t size, size_t alignment) noexcept override;
  void deallocate(void* memory) noexcept override;
  // Whether all bytes are of one block that is given out.
  bool holds(const void* data, size_t size) const noexcept;
  bool touches(const void* data) const noexcept { return data >= base_ && data < base_ + kSize; }
  int64_t in_use() const noexcept;
  // Runs one piece of work at a time, with access.
  template <class F> Status with_access(F&& work) noexcept {
    std::lock_guard lock(access_);
    protect(true);
    const Status status = work();
    protect(false);
    return status;
  }

 private:
  static constexpr size_t kSize = size_t{2} << 30;  // addresses, not bytes
  void protect(bool open) noexcept;
  std::byte* base_;
  mutable std::mutex mutex_;
  std::mutex access_;
  std::map<size_t, size_t> blocks_;  // offset: size
  size_t touched_ = 0;               // bytes from base_ that were ever given out
};

}  // namespace kiln::pretend
