// Base of devices that run on the host's memory, in the thread that queues the work.
#pragma once
#include <mutex>

#include "device/device.h"

namespace kiln {

// Devices of the host are one of a kind: false, with the reason, for another ordinal than 0.
bool only_ordinal(int ordinal, std::string& reason);
int64_t host_memory_bytes();
int64_t host_cache_bytes();  // of the last level

class HostDevice : public Device {
 public:
  const DeviceFacts& facts() const override;
  int64_t free_memory() const noexcept override;
  Allocator& allocator() override;
  Allocator& staging() override { return allocator(); }
  std::unique_ptr<Stream> create_stream(int priority) override;
  std::unique_ptr<Event> create_event(bool timing) override;
  Stream* adopt_stream(void* native) noexcept override;
  Event* adopt_event(void* native) noexcept override;
  Status copy(Stream& stream, void* to, const void* from, size_t size, CopyKind kind) noexcept override;
  Status fill(Stream& stream, void* to, std::byte value, size_t size) noexcept override;
  std::shared_ptr<const Executable> load(const KernelSource& source) override;

 protected:
  // What facts() says, asked once.
  virtual DeviceFacts make_facts() const = 0;
  // Null when there is no kernel of that name; throws when the parameters are not sound.
  virtual std::unique_ptr<Kernel> make_kernel(std::string_view kernel, const Attributes& parameters) const = 0;

 private:
  mutable std::once_flag once_;
  mutable DeviceFacts facts_;
};

}  // namespace kiln
