// Memory of a GPU, and memory of the host that it copies from and to by itself.
#pragma once
#include "backends/cuda/device/gpu.h"

namespace kiln::cuda {

inline constexpr size_t kAlignment = 256;  // of all memory of the GPU, in bytes

class DeviceMemory final : public Allocator {
 public:
  // `ordinal` is the GPU's. Throws Error.
  DeviceMemory(const Gpu& gpu, int ordinal);
  void* allocate(size_t size, size_t alignment) noexcept override;
  void deallocate(void* memory) noexcept override;
  void* allocate_in(Stream& stream, size_t size, size_t alignment) noexcept override;
  void deallocate_in(Stream& stream, void* memory) noexcept override;

 private:
  const Gpu& gpu_;
  CUmemoryPool pool_ = nullptr;  // keeps what streams gave back, up to a limit
};

class PinnedMemory final : public Allocator {
 public:
  explicit PinnedMemory(const Gpu& gpu) : gpu_(gpu) {}
  void* allocate(size_t size, size_t alignment) noexcept override;
  void deallocate(void* memory) noexcept override;

 private:
  const Gpu& gpu_;
};

}  // namespace kiln::cuda
