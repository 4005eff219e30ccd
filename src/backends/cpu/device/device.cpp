// The CPU device.
#include "backends/cpu/device/device.h"

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "backends/cpu/device/compute/parallel.h"
#include "backends/cpu/device/kernels/registry.h"

namespace kiln::cpu {
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

class CpuStream final : public Stream {
  Status synchronize() noexcept override { return kOkStatus; }
};

class CpuEvent final : public Event {
 public:
  Status record(Stream&) noexcept override {
    at_ = Clock::now();
    return kOkStatus;
  }
  Status synchronize() noexcept override { return kOkStatus; }
  bool done() noexcept override { return true; }
  double milliseconds_since(Event& earlier) noexcept override {
    return std::chrono::duration<double, std::milli>(at_ - static_cast<CpuEvent&>(earlier).at_).count();
  }

 private:
  Clock::time_point at_{};
};

struct KernelEntry {
  std::string_view name;
  std::unique_ptr<Kernel> (*make)(const Attributes&);
};

constexpr KernelEntry kKernels[] = {
#define KILN_KERNEL(word) {#word, kernels::make_##word},
#include "backends/cpu/device/kernels/list.inc"
#undef KILN_KERNEL
};

std::string instruction_set() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return "avx512";
  if (__builtin_cpu_supports("avx2")) return "avx2";
  return "sse4";
}

class CpuDevice final : public Device {
 public:
  std::string_view name() const override { return "cpu"; }
  std::string fingerprint() const override { return "x86-64 " + instruction_set(); }
  int max_threads() const override { return thread_count(); }
  Allocator& allocator() override { return allocator_; }
  std::unique_ptr<Stream> create_stream() override { return std::make_unique<CpuStream>(); }
  std::unique_ptr<Event> create_event() override { return std::make_unique<CpuEvent>(); }
  Status copy(Stream&, void* to, const void* from, size_t size) noexcept override {
    if (size > 0) std::memcpy(to, from, size);
    return kOkStatus;
  }
  std::unique_ptr<Kernel> create_kernel(std::string_view kernel, const Attributes& parameters) override {
    for (const KernelEntry& entry : kKernels)
      if (entry.name == kernel) return entry.make(parameters);
    return nullptr;
  }
  bool host_memory() const override { return true; }

 private:
  HostAllocator allocator_;
};

}  // namespace

Device& device() {
  static CpuDevice instance;
  return instance;
}

}  // namespace kiln::cpu

kiln::Device* kiln_create_device_cpu() { return &kiln::cpu::device(); }
