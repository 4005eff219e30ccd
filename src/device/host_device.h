// Base of devices that run on the host's memory, in the thread that queues the work.
#pragma once
#include "device/device.h"

namespace kiln {

class HostDevice : public Device {
 public:
  Allocator& allocator() override;
  std::unique_ptr<Stream> create_stream() override;
  std::unique_ptr<Event> create_event() override;
  Status copy(Stream& stream, void* to, const void* from, size_t size) noexcept override;
  bool host_memory() const override { return true; }
};

}  // namespace kiln
