// Memory of a GPU and of the host.
#include "backends/cuda/device/memory.h"

#include <algorithm>

namespace kiln::cuda {
namespace {

constexpr cuuint64_t kKeptBytes = 64u << 20;  // that nobody uses, for the next request

void* pointer(CUdeviceptr address) { return reinterpret_cast<void*>(address); }
CUdeviceptr address(void* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

}  // namespace

DeviceMemory::DeviceMemory(const Gpu& gpu, int ordinal) : gpu_(gpu) {
  const CurrentContext current(gpu);
  CUmemPoolProps properties = {};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  properties.location.id = ordinal;
  throw_if_failed(gpu.driver().cuMemPoolCreate(&pool_, &properties), "a pool of memory could not be made");
  cuuint64_t kept = kKeptBytes;
  throw_if_failed(gpu.driver().cuMemPoolSetAttribute(pool_, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &kept),
                  "a pool of memory could not be set up");
}

void* DeviceMemory::allocate(size_t size, size_t alignment) noexcept {
  if (alignment > kAlignment) return nullptr;
  const CurrentContext current(gpu_);
  const size_t wanted = std::max<size_t>(size, 1);
  CUdeviceptr memory = 0;
  CUresult result = gpu_.driver().cuMemAlloc(&memory, wanted);
  if (result == CUDA_ERROR_OUT_OF_MEMORY && gpu_.driver().cuMemPoolTrimTo(pool_, 0) == CUDA_SUCCESS)
    result = gpu_.driver().cuMemAlloc(&memory, wanted);
  return result == CUDA_SUCCESS ? pointer(memory) : nullptr;
}

void DeviceMemory::deallocate(void* memory) noexcept {
  if (!memory) return;
  const CurrentContext current(gpu_);
  (void)gpu_.driver().cuMemFree(address(memory));
}

void* DeviceMemory::allocate_in(Stream& stream, size_t size, size_t alignment) noexcept {
  if (alignment > kAlignment) return nullptr;
  const CurrentContext current(gpu_);
  CUdeviceptr memory = 0;
  const CUresult result = gpu_.driver().cuMemAllocFromPoolAsync(&memory, std::max<size_t>(size, 1), pool_,
                                                                static_cast<CUstream>(stream.native()));
  return result == CUDA_SUCCESS ? pointer(memory) : nullptr;
}

void DeviceMemory::deallocate_in(Stream& stream, void* memory) noexcept {
  if (!memory) return;
  const CurrentContext current(gpu_);
  (void)gpu_.driver().cuMemFreeAsync(address(memory), static_cast<CUstream>(stream.native()));
}

void* PinnedMemory::allocate(size_t size, size_t alignment) noexcept {
  if (alignment > kAlignment) return nullptr;
  const CurrentContext current(gpu_);
  void* memory = nullptr;
  return gpu_.driver().cuMemAllocHost(&memory, std::max<size_t>(size, 1)) == CUDA_SUCCESS ? memory : nullptr;
}

void PinnedMemory::deallocate(void* memory) noexcept {
  if (!memory) return;
  const CurrentContext current(gpu_);
  (void)gpu_.driver().cuMemFreeHost(memory);
}

}  // namespace kiln::cuda
