// Memory, streams and events under the names of cuda_runtime_api.h, over the device of the API.
#include "api/cuda_runtime/last_error.h"

#include <sys/sysinfo.h>

#include <cstring>
#include <new>
#include <utility>

#include "api/run/nv_common.h"
#include "api/run/streams.h"

namespace kiln::api {
namespace {

constexpr size_t kMemoryAlignment = 256;
thread_local cudaError_t last_error = cudaSuccess;

cudaError_t of(Status status) {
  switch (status.code) {
    case Code::kOk: return cudaSuccess;
    case Code::kOutOfMemory: return cudaErrorMemoryAllocation;
    case Code::kInvalidArgument: return cudaErrorInvalidValue;
    default: return cudaErrorLaunchFailure;
  }
}

template <class F> cudaError_t call(F&& body) noexcept {
  try {
    return keep(body());
  } catch (const Error& e) {
    return keep(e.code() == Code::kNotFound ? cudaErrorInitializationError : of({e.code()}));
  } catch (const std::bad_alloc&) {
    return keep(cudaErrorMemoryAllocation);
  } catch (...) {
    return keep(cudaErrorUnknown);
  }
}

cudaError_t allocate(void** memory, size_t size) {
  return call([&] {
    if (!memory) return cudaErrorInvalidValue;
    *memory = size ? api_device().allocator().allocate(size, kMemoryAlignment) : nullptr;
    return *memory || !size ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}

cudaError_t release(void* memory) {
  return call([&] {
    if (memory) api_device().allocator().deallocate(memory);
    return cudaSuccess;
  });
}

// Notes the work when the stream captures.
template <class F> bool noted(cudaStream_t stream, F&& work) {
  if (capturing(stream)) stream->capture->work.push_back(std::forward<F>(work));
  return capturing(stream);
}

// Waiting cannot be noted.
bool breaks_capture(cudaStream_t stream) {
  if (capturing(stream)) stream->capture->valid = false;
  return capturing(stream);
}

cudaError_t copy(void* to, const void* from, size_t size, cudaStream_t stream) {
  return call([&] {
    if (size == 0) return cudaSuccess;
    if (!to || !from) return cudaErrorInvalidValue;
    if (noted(stream, [=](cudaStream_t s) { return copy(to, from, size, s); })) return cudaSuccess;
    return of(api_device().copy(stream_of(stream), to, from, size));
  });
}

}  // namespace

cudaError_t keep(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

}  // namespace kiln::api

using namespace kiln::api;

extern "C" {

TENSORRTAPI cudaError_t cudaMalloc(void** memory, size_t size) { return allocate(memory, size); }
TENSORRTAPI cudaError_t cudaFree(void* memory) { return release(memory); }
TENSORRTAPI cudaError_t cudaMallocHost(void** memory, size_t size) { return allocate(memory, size); }
TENSORRTAPI cudaError_t cudaHostAlloc(void** memory, size_t size, unsigned int) { return allocate(memory, size); }
TENSORRTAPI cudaError_t cudaFreeHost(void* memory) { return release(memory); }
TENSORRTAPI cudaError_t cudaMallocManaged(void** memory, size_t size, unsigned int) { return allocate(memory, size); }
TENSORRTAPI cudaError_t cudaHostRegister(void* memory, size_t, unsigned int) {
  return keep(memory ? cudaSuccess : cudaErrorInvalidValue);
}
TENSORRTAPI cudaError_t cudaHostUnregister(void* memory) { return keep(memory ? cudaSuccess : cudaErrorInvalidValue); }
TENSORRTAPI cudaError_t cudaMallocAsync(void** memory, size_t size, cudaStream_t) { return allocate(memory, size); }

TENSORRTAPI cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  const cudaError_t done = cudaStreamSynchronize(stream);
  return done == cudaSuccess ? release(memory) : done;
}

TENSORRTAPI cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind) {
  const cudaError_t queued = copy(to, from, size, nullptr);
  return queued == cudaSuccess ? cudaStreamSynchronize(nullptr) : queued;
}
TENSORRTAPI cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind, cudaStream_t stream) {
  return copy(to, from, size, stream);
}

TENSORRTAPI cudaError_t cudaMemset(void* memory, int value, size_t size) {
  return cudaMemsetAsync(memory, value, size, nullptr);
}
TENSORRTAPI cudaError_t cudaMemsetAsync(void* memory, int value, size_t size, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  if (!memory) return keep(cudaErrorInvalidValue);
  if (capturing(stream))
    return call([&] {
      noted(stream, [=](cudaStream_t s) { return cudaMemsetAsync(memory, value, size, s); });
      return cudaSuccess;
    });
  const cudaError_t done = cudaStreamSynchronize(stream);
  if (done == cudaSuccess) std::memset(memory, value, size);
  return done;
}

TENSORRTAPI cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return call([&] {
    if (!stream) return cudaErrorInvalidValue;
    *stream = new CUstream_st{api_device().create_stream(), nullptr};
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int) {
  return cudaStreamCreate(stream);
}
TENSORRTAPI cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int, int) {
  return cudaStreamCreate(stream);
}
TENSORRTAPI cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  if (least) *least = 0;
  if (greatest) *greatest = 0;
  return cudaSuccess;
}
TENSORRTAPI cudaError_t cudaStreamQuery(cudaStream_t stream) { return cudaStreamSynchronize(stream); }
TENSORRTAPI cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  return call([&] {
    if (!event) return cudaErrorInvalidResourceHandle;
    if (noted(stream, [=](cudaStream_t) { return cudaEventSynchronize(event); })) return cudaSuccess;
    return cudaEventSynchronize(event);
  });
}
TENSORRTAPI cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void* data) {
  return call([&] {
    if (!fn) return cudaErrorInvalidValue;
    if (noted(stream, [=](cudaStream_t s) { return cudaLaunchHostFunc(s, fn, data); })) return cudaSuccess;
    const cudaError_t done = cudaStreamSynchronize(stream);
    if (done == cudaSuccess) fn(data);
    return done;
  });
}
TENSORRTAPI cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (breaks_capture(stream)) return keep(cudaErrorStreamCaptureUnsupported);
  return call([&] { return of(stream_of(stream).synchronize()); });
}
TENSORRTAPI cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!stream) return keep(cudaErrorInvalidResourceHandle);
  const cudaError_t done = cudaStreamSynchronize(stream);
  delete stream;
  return done;
}

TENSORRTAPI cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return call([&] {
    if (!event) return cudaErrorInvalidValue;
    *event = new CUevent_st{api_device().create_event()};
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) { return cudaEventCreate(event); }
TENSORRTAPI cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call([&] {
    if (!event) return cudaErrorInvalidResourceHandle;
    if (noted(stream, [=](cudaStream_t s) { return cudaEventRecord(event, s); })) return cudaSuccess;
    event->recorded = true;
    return of(event->event->record(stream_of(stream)));
  });
}
TENSORRTAPI cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned int) {
  return cudaEventRecord(event, stream);
}
TENSORRTAPI cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (!event) return keep(cudaErrorInvalidResourceHandle);
  return !event->recorded || event->event->done() ? cudaSuccess : cudaErrorNotReady;
}
TENSORRTAPI cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (!event) return keep(cudaErrorInvalidResourceHandle);
  return event->recorded ? keep(of(event->event->synchronize())) : cudaSuccess;
}
TENSORRTAPI cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (!milliseconds) return keep(cudaErrorInvalidValue);
  if (!start || !end || !start->recorded || !end->recorded) return keep(cudaErrorInvalidResourceHandle);
  *milliseconds = static_cast<float>(end->event->milliseconds_since(*start->event));
  return cudaSuccess;
}
TENSORRTAPI cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (!event) return keep(cudaErrorInvalidResourceHandle);
  delete event;
  return cudaSuccess;
}

TENSORRTAPI cudaError_t cudaGetDeviceCount(int* count) {
  if (!count) return keep(cudaErrorInvalidValue);
  *count = 1;
  return cudaSuccess;
}
TENSORRTAPI cudaError_t cudaGetDevice(int* device) {
  if (!device) return keep(cudaErrorInvalidValue);
  *device = 0;
  return cudaSuccess;
}
TENSORRTAPI cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : keep(cudaErrorInvalidDevice); }
TENSORRTAPI cudaError_t cudaDeviceSynchronize() { return cudaStreamSynchronize(nullptr); }

TENSORRTAPI cudaError_t cudaDeviceReset() { return cudaDeviceSynchronize(); }
TENSORRTAPI cudaError_t cudaSetDeviceFlags(unsigned int) { return cudaSuccess; }
TENSORRTAPI cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  struct sysinfo info {};
  if (!free_bytes || !total_bytes) return keep(cudaErrorInvalidValue);
  if (!api_device().host_memory() || sysinfo(&info) != 0) return keep(cudaErrorNotSupported);
  *free_bytes = static_cast<size_t>(info.freeram) * info.mem_unit;
  *total_bytes = static_cast<size_t>(info.totalram) * info.mem_unit;
  return cudaSuccess;
}
TENSORRTAPI cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call([&] {
    if (!properties) return cudaErrorInvalidValue;
    if (device != 0) return cudaErrorInvalidDevice;
    *properties = {};
    api_device().fingerprint().copy(properties->name, sizeof(properties->name) - 1);
    size_t unused = 0;
    if (const cudaError_t asked = cudaMemGetInfo(&unused, &properties->totalGlobalMem); asked != cudaSuccess)
      return asked;
    properties->multiProcessorCount = api_device().max_threads();
    properties->warpSize = properties->maxThreadsPerBlock = 1;
    properties->integrated = 1;
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
