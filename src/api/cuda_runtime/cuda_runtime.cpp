// Memory, streams and events under the names of cuda_runtime_api.h, over the device of the API.
#include <new>
#include <utility>

#include "api/cuda_runtime/boundary.h"
#include "api/cuda_runtime/handles.h"
#include "api/run/nv_common.h"
#include "api/run/streams.h"

namespace kiln::api {
namespace {

constexpr size_t kMemoryAlignment = 256;
thread_local cudaError_t last_error = cudaSuccess;

// Memory that goes back where it came from.
struct Block {
  Allocator* allocator;
  void* memory;
  Block(Allocator& from, void* at) : allocator(&from), memory(at) {}
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() {
    if (memory) allocator->deallocate(memory);
  }
};

// Never destroyed: programs free at their very end.
Handles<Block>& blocks() {
  static auto* instance = new Handles<Block>;
  return *instance;
}
Handles<Stream>& streams() {
  static auto* instance = new Handles<Stream>;
  return *instance;
}
Handles<Event>& events() {
  static auto* instance = new Handles<Event>;
  return *instance;
}

Stream& stream_at(cudaStream_t handle) { return stream_of(api_device(), handle); }
Event& event_at(cudaEvent_t handle) { return event_of(api_device(), handle); }

cudaError_t allocate(void** memory, size_t size, Allocator& allocator, Stream* order = nullptr) {
  if (!memory) return cudaErrorInvalidValue;
  *memory = nullptr;
  if (size == 0) return cudaSuccess;
  void* made =
      order ? allocator.allocate_in(*order, size, kMemoryAlignment) : allocator.allocate(size, kMemoryAlignment);
  if (!made) return cudaErrorMemoryAllocation;
  blocks().add(made, std::make_unique<Block>(allocator, made));
  *memory = made;
  return cudaSuccess;
}

cudaError_t allocate_device(void** memory, size_t size) {
  return call([&] { return allocate(memory, size, api_device().allocator()); });
}

cudaError_t allocate_host(void** memory, size_t size) {
  return call([&] { return allocate(memory, size, api_device().staging()); });
}

cudaError_t release(void* memory) {
  return call([&] { return !memory || blocks().take(memory) ? cudaSuccess : cudaErrorInvalidValue; });
}

CopyKind copy_kind(cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyHostToDevice: return CopyKind::kHostToDevice;
    case cudaMemcpyDeviceToHost: return CopyKind::kDeviceToHost;
    case cudaMemcpyDeviceToDevice: return CopyKind::kDeviceToDevice;
    default: return CopyKind::kAny;
  }
}

cudaError_t copy(void* to, const void* from, size_t size, cudaMemcpyKind kind, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  if (!to || !from || kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidValue;
  return error_of(api_device().copy(stream_at(stream), to, from, size, copy_kind(kind)));
}

cudaError_t wait_for(Stream& stream) {
  if (!stream.capturing()) return error_of(stream.synchronize());
  static_cast<void>(stream.synchronize());  // which breaks the capture
  return cudaErrorStreamCaptureUnsupported;
}

}  // namespace

cudaError_t keep(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t error_of(Status status) {
  switch (status.code) {
    case Code::kOk: return cudaSuccess;
    case Code::kOutOfMemory: return cudaErrorMemoryAllocation;
    case Code::kInvalidArgument: return cudaErrorInvalidValue;
    case Code::kNotFound: return cudaErrorInitializationError;
    default: return cudaErrorLaunchFailure;
  }
}

}  // namespace kiln::api

using namespace kiln::api;
using kiln::kOkStatus;
using kiln::Stream;

extern "C" {

TENSORRTAPI cudaError_t cudaMalloc(void** memory, size_t size) { return allocate_device(memory, size); }
TENSORRTAPI cudaError_t cudaFree(void* memory) { return release(memory); }
TENSORRTAPI cudaError_t cudaMallocHost(void** memory, size_t size) { return allocate_host(memory, size); }
TENSORRTAPI cudaError_t cudaHostAlloc(void** memory, size_t size, unsigned int) { return allocate_host(memory, size); }
TENSORRTAPI cudaError_t cudaFreeHost(void* memory) { return release(memory); }
TENSORRTAPI cudaError_t cudaMallocManaged(void** memory, size_t size, unsigned int) {
  return call([&] {
    if (!api_device().host_memory()) return cudaErrorNotSupported;
    return allocate(memory, size, api_device().allocator());
  });
}
TENSORRTAPI cudaError_t cudaHostRegister(void* memory, size_t, unsigned int) {
  return keep(memory ? cudaSuccess : cudaErrorInvalidValue);
}
TENSORRTAPI cudaError_t cudaHostUnregister(void* memory) { return keep(memory ? cudaSuccess : cudaErrorInvalidValue); }
TENSORRTAPI cudaError_t cudaMallocAsync(void** memory, size_t size, cudaStream_t stream) {
  return call([&] { return allocate(memory, size, api_device().allocator(), &stream_at(stream)); });
}

TENSORRTAPI cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  return call([&] {
    Stream& order = stream_at(stream);
    const std::unique_ptr<Block> block = memory ? blocks().take(memory) : nullptr;
    if (!block) return memory ? cudaErrorInvalidValue : cudaSuccess;
    block->allocator->deallocate_in(order, std::exchange(block->memory, nullptr));
    return cudaSuccess;
  });
}

TENSORRTAPI cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind kind) {
  return call([&] {
    const cudaError_t queued = copy(to, from, size, kind, nullptr);
    return queued == cudaSuccess ? wait_for(stream_at(nullptr)) : queued;
  });
}
TENSORRTAPI cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind kind,
                                        cudaStream_t stream) {
  return call([&] { return copy(to, from, size, kind, stream); });
}

TENSORRTAPI cudaError_t cudaMemset(void* memory, int value, size_t size) {
  return cudaMemsetAsync(memory, value, size, nullptr);
}
TENSORRTAPI cudaError_t cudaMemsetAsync(void* memory, int value, size_t size, cudaStream_t stream) {
  return call([&] {
    if (size == 0) return cudaSuccess;
    if (!memory) return cudaErrorInvalidValue;
    return error_of(api_device().fill(stream_at(stream), memory, static_cast<std::byte>(value), size));
  });
}

TENSORRTAPI cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithPriority(stream, cudaStreamDefault, 0);
}
TENSORRTAPI cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}
TENSORRTAPI cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int, int priority) {
  return call([&] {
    if (!stream) return cudaErrorInvalidValue;
    auto made = api_device().create_stream(priority);
    void* const handle = made->native();
    streams().add(handle, std::move(made));
    *stream = static_cast<cudaStream_t>(handle);
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  if (least) *least = 0;
  if (greatest) *greatest = 0;
  return cudaSuccess;
}
TENSORRTAPI cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return call([&] {
    Stream& asked = stream_at(stream);
    const bool done = asked.done();
    if (asked.capturing()) return cudaErrorStreamCaptureUnsupported;
    return done ? cudaSuccess : cudaErrorNotReady;
  });
}
TENSORRTAPI cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  return call([&] { return error_of(stream_at(stream).wait(event_at(event))); });
}
TENSORRTAPI cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void* data) {
  return call([&] { return fn ? error_of(stream_at(stream).call(fn, data)) : cudaErrorInvalidValue; });
}
TENSORRTAPI cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return call([&] { return wait_for(stream_at(stream)); });
}
TENSORRTAPI cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call([&] {
    const std::unique_ptr<Stream> taken = streams().take(stream);
    return taken ? error_of(taken->capturing() ? kOkStatus : taken->synchronize()) : cudaErrorInvalidResourceHandle;
  });
}

TENSORRTAPI cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}
TENSORRTAPI cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
  return call([&] {
    if (!event) return cudaErrorInvalidValue;
    auto made = api_device().create_event((flags & cudaEventDisableTiming) == 0);
    void* const handle = made->native();
    events().add(handle, std::move(made));
    *event = static_cast<cudaEvent_t>(handle);
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call([&] { return error_of(event_at(event).record(stream_at(stream))); });
}
TENSORRTAPI cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned int) {
  return cudaEventRecord(event, stream);
}
TENSORRTAPI cudaError_t cudaEventQuery(cudaEvent_t event) {
  return call([&] { return event_at(event).done() ? cudaSuccess : cudaErrorNotReady; });
}
TENSORRTAPI cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return call([&] { return error_of(event_at(event).synchronize()); });
}
TENSORRTAPI cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return call([&] {
    if (!milliseconds) return cudaErrorInvalidValue;
    const double time = event_at(end).milliseconds_since(event_at(start));
    if (time < 0) return cudaErrorInvalidResourceHandle;
    *milliseconds = static_cast<float>(time);
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call([&] { return events().take(event) ? cudaSuccess : cudaErrorInvalidResourceHandle; });
}

TENSORRTAPI cudaError_t cudaGetDeviceCount(int* count) {
  return call([&] {
    if (!count) return cudaErrorInvalidValue;
    const std::string name(api_device().name());
    std::string reason;
    for (*count = 1; kiln::try_open_device(name + ":" + std::to_string(*count), reason);) ++*count;
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaGetDevice(int* device) {
  return call([&] {
    if (!device) return cudaErrorInvalidValue;
    *device = api_device().ordinal();
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaSetDevice(int device) {
  return call([&] { return set_api_ordinal(device) ? cudaSuccess : cudaErrorInvalidDevice; });
}
TENSORRTAPI cudaError_t cudaDeviceSynchronize() { return cudaStreamSynchronize(nullptr); }

TENSORRTAPI cudaError_t cudaDeviceReset() { return cudaDeviceSynchronize(); }
TENSORRTAPI cudaError_t cudaSetDeviceFlags(unsigned int) { return cudaSuccess; }
TENSORRTAPI cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  return call([&] {
    if (!free_bytes || !total_bytes) return cudaErrorInvalidValue;
    const int64_t unused = api_device().free_memory();
    if (unused < 0) return cudaErrorNotSupported;
    *free_bytes = static_cast<size_t>(unused);
    *total_bytes = static_cast<size_t>(api_device().facts().memory);
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call([&] {
    if (!properties) return cudaErrorInvalidValue;
    std::string reason;
    const kiln::Device* asked =
        kiln::try_open_device(std::string(api_device().name()) + ":" + std::to_string(device), reason);
    if (!asked) return cudaErrorInvalidDevice;
    const kiln::DeviceFacts& facts = asked->facts();
    *properties = {};
    facts.name.copy(properties->name, sizeof(properties->name) - 1);
    properties->totalGlobalMem = static_cast<size_t>(facts.memory);
    properties->multiProcessorCount = facts.units;
    properties->warpSize = properties->maxThreadsPerBlock = 1;
    properties->integrated = asked->host_memory();
    return cudaSuccess;
  });
}

TENSORRTAPI cudaError_t cudaPeekAtLastError() { return last_error; }
TENSORRTAPI cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

TENSORRTAPI const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInitializationError: return "cudaErrorInitializationError";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorNotSupported: return "cudaErrorNotSupported";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    default: return "cudaErrorUnknown";
  }
}
TENSORRTAPI const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInitializationError: return "the device could not be opened";
    case cudaErrorInvalidDevice: return "there is no such device";
    case cudaErrorInvalidResourceHandle: return "invalid stream or event";
    case cudaErrorNotReady: return "the work is not done yet";
    case cudaErrorLaunchFailure: return "the work failed";
    case cudaErrorNotSupported: return "the device cannot do this";
    case cudaErrorStreamCaptureUnsupported: return "a capturing stream cannot be waited for";
    case cudaErrorStreamCaptureInvalidated: return "something in the capture could not be noted";
    default: return "unknown error";
  }
}

}  // extern "C"
