// NVIDIA GPUs as devices.
#include "backends/cuda/device/device.h"

#include <map>
#include <mutex>

#include "backends/cuda/device/cublas_lt.h"
#ifdef KILN_WITH_CUDNN
#include "backends/cuda/device/cudnn_library.h"
#endif
#include "backends/cuda/device/generator.h"
#include "backends/cuda/device/kernels/registry.h"
#include "backends/cuda/device/memory.h"
#include "backends/cuda/device/nvrtc.h"
#include "backends/cuda/device/ranges.h"
#include "backends/cuda/device/stream.h"

namespace kiln::cuda {
namespace {

class CudaExecutable final : public Executable {
 public:
  CudaExecutable(Gpu& gpu, std::string_view kernel, const Attributes& parameters)
      : gpu_(gpu), kernel_(kernel), parameters_(parameters) {}
  std::unique_ptr<Kernel> create_kernel() const override { return make_kernel(gpu_, kernel_, parameters_); }

 private:
  Gpu& gpu_;
  std::string kernel_;
  Attributes parameters_;
};

int attribute(const Driver& driver, CUdevice device, CUdevice_attribute which) {
  int value = 0;
  throw_if_failed(driver.cuDeviceGetAttribute(&value, which, device), "the GPU does not say what it can do");
  return value;
}

Card read_card(const Driver& driver, CUdevice device) {
  const auto get = [&](CUdevice_attribute which) { return attribute(driver, device, which); };
  Card card;
  char name[256] = "";
  throw_if_failed(driver.cuDeviceGetName(name, sizeof name, device), "the GPU does not say its name");
  card.name = name;
  size_t memory = 0;
  throw_if_failed(driver.cuDeviceTotalMem(&memory, device), "the GPU does not say how much memory it has");
  card.memory = static_cast<int64_t>(memory);
  card.chip.compute =
      10 * get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) + get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  card.chip.multiprocessors = get(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  card.chip.shared_per_block = get(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  card.chip.cache = get(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  card.core_kilohertz = get(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
  card.memory_kilohertz = get(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
  card.bus_bits = get(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
  return card;
}

CUcontext retain_context(const Driver& driver, CUdevice device) {
  CUcontext context = nullptr;
  throw_if_failed(driver.cuDevicePrimaryCtxRetain(&context, device), "the GPU's context could not be made");
  return context;
}

// Streams or events of the program, each known by one object.
template <class T> class Adopted {
 public:
  T* get(const Gpu& gpu, void* native) noexcept {
    try {
      std::lock_guard lock(mutex_);
      std::unique_ptr<T>& object = objects_[native];
      using Handle = std::conditional_t<std::is_same_v<T, CudaStream>, CUstream, CUevent>;
      if (!object) object = std::make_unique<T>(gpu, static_cast<Handle>(native), false);
      return object.get();
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

 private:
  std::mutex mutex_;
  std::map<void*, std::unique_ptr<T>> objects_;
};

class CudaDevice final : public Device {
 public:
  CudaDevice(const Driver& driver, CUdevice device, int ordinal, const Card& card)
      : ordinal_(ordinal),
        gpu_(&driver, retain_context(driver, device), card.chip),
        facts_(facts_of(card, driver.version)),
        memory_(gpu_, ordinal),
        staging_(gpu_),
        reads_host_memory_(attribute(driver, device, CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS) != 0) {}

  std::string_view name() const override { return "cuda"; }
  int ordinal() const override { return ordinal_; }
  const DeviceFacts& facts() const override { return facts_; }
  int max_threads() const override { return 1; }
  double edge_milliseconds() const override { return kEdgeMilliseconds; }
  int64_t free_memory() const noexcept override {
    const CurrentContext current(gpu_);
    size_t free = 0, total = 0;
    return gpu_.driver().cuMemGetInfo(&free, &total) == CUDA_SUCCESS ? static_cast<int64_t>(free) : -1;
  }
  Allocator& allocator() override { return memory_; }
  Allocator& staging() override { return staging_; }
  std::unique_ptr<Stream> create_stream(int priority) override { return cuda::create_stream(gpu_, priority); }
  std::unique_ptr<Event> create_event(bool timing) override { return cuda::create_event(gpu_, timing); }
  Stream* adopt_stream(void* native) noexcept override { return streams_.get(gpu_, native); }
  Event* adopt_event(void* native) noexcept override { return native ? events_.get(gpu_, native) : nullptr; }

  Status copy(Stream& stream, void* to, const void* from, size_t size, CopyKind kind) noexcept override {
    if (size == 0) return kOkStatus;
    const CurrentContext current(gpu_);
    const Driver& d = gpu_.driver();
    const auto handle = static_cast<CUstream>(stream.native());
    const auto target = reinterpret_cast<CUdeviceptr>(to), source = reinterpret_cast<CUdeviceptr>(from);
    switch (kind) {
      case CopyKind::kAny: return status_of(d.cuMemcpyAsync(target, source, size, handle), "a copy failed");
      case CopyKind::kHostToDevice:
        return status_of(d.cuMemcpyHtoDAsync(target, from, size, handle), "a copy to the GPU failed");
      case CopyKind::kDeviceToHost:
        return status_of(d.cuMemcpyDtoHAsync(to, source, size, handle), "a copy from the GPU failed");
      case CopyKind::kDeviceToDevice:
        return status_of(d.cuMemcpyDtoDAsync(target, source, size, handle), "a copy on the GPU failed");
    }
    return {Code::kInvalidArgument, "there is no such kind of copy"};
  }

  Status fill(Stream& stream, void* to, std::byte value, size_t size) noexcept override {
    if (size == 0) return kOkStatus;
    const CurrentContext current(gpu_);
    return status_of(gpu_.driver().cuMemsetD8Async(reinterpret_cast<CUdeviceptr>(to), static_cast<unsigned char>(value),
                                                   size, static_cast<CUstream>(stream.native())),
                     "filling memory of the GPU failed");
  }

  Status check_address(const void* address) const noexcept override {
    const CurrentContext current(gpu_);
    unsigned kind = 0, is_managed = 0;
    int ordinal = 0;
    const auto get = [&](auto& value, CUpointer_attribute which) { return is_known(address, which, value); };
    if (!get(kind, CU_POINTER_ATTRIBUTE_MEMORY_TYPE)) {
      size_t free = 0, total = 0;
      const Status here = status_of(gpu_.driver().cuMemGetInfo(&free, &total), "the GPU knows no addresses");
      return reads_host_memory_ || !here.ok()
                 ? here
                 : Status{Code::kInvalidArgument,
                          "the address lies in memory of the host that the GPU does not reach; copy it to "
                          "memory of the GPU, or allocate it with cudaMallocHost"};
    }
    if (kind == CU_MEMORYTYPE_DEVICE && get(ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL) && ordinal != ordinal_ &&
        get(is_managed, CU_POINTER_ATTRIBUTE_IS_MANAGED) && !is_managed)
      return {Code::kInvalidArgument, "the address lies in memory of another GPU; copy it to this one"};
    return kOkStatus;
  }
  Status check_host_address(const void* address) const noexcept override {
    const CurrentContext current(gpu_);
    unsigned kind = 0, is_managed = 0;
    if (!is_known(address, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, kind) || kind != CU_MEMORYTYPE_DEVICE ||
        (is_known(address, CU_POINTER_ATTRIBUTE_IS_MANAGED, is_managed) && is_managed))
      return kOkStatus;
    return {Code::kInvalidArgument, "the address lies in memory of a GPU; give one of the host"};
  }
  void begin_range(const char* name) noexcept override { cuda::begin_range(name); }
  void end_range() noexcept override { cuda::end_range(); }

  std::map<std::string, std::string> libraries() const override { return cuda::libraries(); }
  std::shared_ptr<const Executable> load(const KernelSource& source) override { return load_kernel(gpu_, source); }
  std::vector<std::byte> generate(const GeneratedKernel& kernel) override {
    return generate_again(kernel, gpu_.chip());
  }

 private:
  // What the driver knows of an address: nothing of memory that it did not allocate.
  template <class T> bool is_known(const void* address, CUpointer_attribute which, T& value) const noexcept {
    return gpu_.driver().cuPointerGetAttribute(&value, which, reinterpret_cast<CUdeviceptr>(address)) == CUDA_SUCCESS;
  }

  int ordinal_;
  Gpu gpu_;
  DeviceFacts facts_;
  DeviceMemory memory_;
  PinnedMemory staging_;
  bool reads_host_memory_;  // that no one registered
  Adopted<CudaStream> streams_;
  Adopted<CudaEvent> events_;
};

}  // namespace

std::optional<int> ordinal_of(const Chip& chip) {
  const auto is_such = [&](const Chip& c) {
    return c.compute == chip.compute && c.multiprocessors == chip.multiprocessors &&
           c.shared_per_block == chip.shared_per_block && c.cache == chip.cache;
  };
  std::string reason;
  const Driver* driver = find_driver(reason);
  int count = 0;
  if (!driver || driver->cuDeviceGetCount(&count) != CUDA_SUCCESS) return std::nullopt;
  for (int i = 0; i < count; ++i) {
    CUdevice device = 0;
    if (driver->cuDeviceGet(&device, i) == CUDA_SUCCESS && is_such(read_card(*driver, device).chip)) return i;
  }
  return std::nullopt;
}

std::shared_ptr<const Executable> load_kernel(Gpu& gpu, const KernelSource& source) {
  if (auto generated = load_generated(gpu, source)) return generated;
  if (!make_kernel(gpu, source.kernel, source.parameters)) return nullptr;
  require_no_code(source);
  return std::make_shared<CudaExecutable>(gpu, source.kernel, source.parameters);
}

static std::string cudnn_text() {
#ifdef KILN_WITH_CUDNN
  std::string reason;
  const Cudnn* library = find_cudnn(reason);
  return library ? cudnn_version_text(library->version) : "not there: " + reason;
#else
  return "not there: Kiln was built without its headers (cudnn_graph.h)";
#endif
}

std::map<std::string, std::string> libraries() {
  std::string no_cublas, no_nvrtc;
  const CublasLt* cublas = find_cublas_lt(no_cublas);
  const Nvrtc* nvrtc = find_nvrtc(no_nvrtc);
  return {{"cuBLASLt", cublas ? version_text(static_cast<int>(cublas->version / 10)) : "not there: " + no_cublas},
          {"cuDNN", cudnn_text()},
          {"NVRTC", nvrtc ? version_text(nvrtc->version) : "not there: " + no_nvrtc}};
}

std::unique_ptr<Kernel> make_kernel(Gpu& gpu, std::string_view name, const Attributes& parameters) {
  for (const kernels::KernelEntry& entry : kernels::all_kernels())
    if (entry.name == name) return entry.make(gpu, parameters);
  return nullptr;
}

}  // namespace kiln::cuda

kiln::Device* kiln_create_device_cuda(int ordinal, std::string& reason) {
  using namespace kiln::cuda;
  const Driver* driver = find_driver(reason);
  if (!driver) return nullptr;
  begin_to_open_cublas_lt();
  try {
    int count = 0;
    throw_if_failed(driver->cuDeviceGetCount(&count), "the driver does not say how many GPUs there are");
    if (ordinal < 0 || ordinal >= count) {
      reason = "there is no GPU " + std::to_string(ordinal) + ": the driver finds " + std::to_string(count);
      return nullptr;
    }
    CUdevice device = 0;
    throw_if_failed(driver->cuDeviceGet(&device, ordinal), "the GPU cannot be opened");
    const Card card = read_card(*driver, device);
    return new CudaDevice(*driver, device, ordinal, card);
  } catch (const kiln::Error& e) {
    reason = e.message();
    return nullptr;
  }
}

kiln::Device* kiln_describe_device_cuda(const kiln::DeviceFacts& facts, std::string& reason) {
  return kiln::cuda::describe(facts, reason);
}
