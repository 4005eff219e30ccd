// Memory, streams and events under the names of cuda_runtime_api.h, over the device of the API.
#include "api/cuda_runtime.h"

#include <cstring>
#include <new>
#include <utility>

#include "api/nv_common.h"

namespace kiln::api {
namespace {

constexpr size_t kMemoryAlignment = 256;
thread_local cudaError_t last_error = cudaSuccess;

cudaError_t keep(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

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

cudaError_t copy(void* to, const void* from, size_t size, cudaStream_t stream) {
  return call([&] {
    if (size == 0) return cudaSuccess;
    if (!to || !from) return cudaErrorInvalidValue;
    return of(api_device().copy(stream_of(stream), to, from, size));
  });
}

}  // namespace

Stream& stream_of(cudaStream_t stream) {
  if (stream) return *stream->stream;
  thread_local std::unique_ptr<Stream> own = api_device().create_stream();
  return *own;
}

}  // namespace kiln::api

using namespace kiln::api;

extern "C" {

TENSORRTAPI cudaError_t cudaMalloc(void** memory, size_t size) { return allocate(memory, size); }
TENSORRTAPI cudaError_t cudaFree(void* memory) { return release(memory); }
TENSORRTAPI cudaError_t cudaMallocHost(void** memory, size_t size) { return allocate(memory, size); }
TENSORRTAPI cudaError_t cudaHostAlloc(void** memory, size_t size, unsigned int) { return allocate(memory, size); }
TENSORRTAPI cudaError_t cudaFreeHost(void* memory) { return release(memory); }
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
  const cudaError_t done = cudaStreamSynchronize(stream);
  if (done == cudaSuccess) std::memset(memory, value, size);
  return done;
}

TENSORRTAPI cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return call([&] {
    if (!stream) return cudaErrorInvalidValue;
    *stream = new CUstream_st{api_device().create_stream()};
    return cudaSuccess;
  });
}
TENSORRTAPI cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int) {
  return cudaStreamCreate(stream);
}
TENSORRTAPI cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
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
    event->recorded = true;
    return of(event->event->record(stream_of(stream)));
  });
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
    default: return "unknown error";
  }
}

}  // extern "C"
