// Memory, streams and events of devices on the host.
#include "device/host_device.h"

#include <chrono>
#include <cstdlib>
#include <cstring>

namespace kiln {
namespace {

using Clock = std::chrono::steady_clock;

class HostAllocator final : public Allocator {
 public:
  void* allocate(size_t size, size_t alignment) noexcept override {
    void* memory = nullptr;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : nullptr;
  }
  void deallocate(void* memory) noexcept override { std::free(memory); }
};

class HostStream final : public Stream {
  Status synchronize() noexcept override { return kOkStatus; }
};

class HostEvent final : public Event {
 public:
  Status record(Stream&) noexcept override {
    at_ = Clock::now();
    return kOkStatus;
  }
  Status synchronize() noexcept override { return kOkStatus; }
  bool done() noexcept override { return true; }
  double milliseconds_since(Event& earlier) noexcept override {
    return std::chrono::duration<double, std::milli>(at_ - static_cast<HostEvent&>(earlier).at_).count();
  }

 private:
  Clock::time_point at_{};
};

}  // namespace

Allocator& HostDevice::allocator() {
  static HostAllocator instance;
  return instance;
}

std::unique_ptr<Stream> HostDevice::create_stream() { return std::make_unique<HostStream>(); }

std::unique_ptr<Event> HostDevice::create_event() { return std::make_unique<HostEvent>(); }

Status HostDevice::copy(Stream&, void* to, const void* from, size_t size) noexcept {
  if (size > 0) std::memcpy(to, from, size);
  return kOkStatus;
}

}  // namespace kiln
