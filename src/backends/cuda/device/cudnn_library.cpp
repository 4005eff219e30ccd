// cuDNN, opened when it is asked for.
#include "backends/cuda/device/cudnn_library.h"

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "backends/cuda/device/library.h"

namespace kiln::cuda {
namespace {

constexpr int64_t kOldest = 90800;  // that makes plans for GPUs that are not there

}  // namespace

const Cudnn* find_cudnn(std::string& reason) {
  static const auto& opened =
      *new OpenedLibrary<Cudnn>({"cuDNN", "KILN_CUDNN", {"libcudnn.so.9"}}, [](Cudnn& library) -> std::string {
        library.version = static_cast<int64_t>(library.cudnnGetVersion());
        if (library.version >= kOldest) return "";
        return "cuDNN is too old: it is " + cudnn_version_text(library.version) + ", needs " +
               cudnn_version_text(kOldest);
      });
  return opened.get(reason);
}

std::string cudnn_version_text(int64_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100);
}

Status status_of(const Cudnn& library, cudnnStatus_t result, const char* what) noexcept {
  if (result == CUDNN_STATUS_SUCCESS) return kOkStatus;
  thread_local char text[256];
  std::snprintf(text, sizeof text, "%s: %s", what, library.cudnnGetErrorString(result));
  const bool no_memory = result == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                         result == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
  const Code code = no_memory                                                     ? Code::kOutOfMemory
                    : CUDNN_STATUS_CATEGORY(result) == CUDNN_STATUS_NOT_SUPPORTED ? Code::kUnsupported
                                                                                  : Code::kExecution;
  return {code, text};
}

CudnnHandles& CudnnHandles::of(const Cudnn& library, const Gpu& gpu) {
  static std::mutex mutex;
  static auto& all = *new std::map<CUcontext, std::unique_ptr<CudnnHandles>>;
  const CurrentContext current(gpu);
  const std::lock_guard lock(mutex);
  std::unique_ptr<CudnnHandles>& handles = all[gpu.context()];
  if (handles) return *handles;
  std::unique_ptr<CudnnHandles> made(new CudnnHandles(library));
  cudnnHandle_t first = nullptr;
  throw_if_error(made->make(first));
  made->give_back(first);
  handles = std::move(made);
  return *handles;
}

// Within kMost. Null, where there are so many.
Status CudnnHandles::make(cudnnHandle_t& handle) noexcept {
  int count = made();
  while (count < kMost && !made_.compare_exchange_weak(count, count + 1)) {
  }
  if (count >= kMost) return kOkStatus;
  const Status status = status_of(library_, library_.cudnnCreate(&handle), "cuDNN does not start");
  if (!status.ok()) --made_;
  return status;
}

cudnnHandle_t CudnnHandles::take(const Stream* stream) noexcept {
  for (bool may_make = true;; may_make = false) {
    for (std::atomic<cudnnHandle_t>& place : idle_)
      if (place.load(std::memory_order_relaxed))
        if (cudnnHandle_t handle = place.exchange(nullptr)) return handle;
    cudnnHandle_t another = nullptr;
    if (may_make && !(stream && stream->capturing()) && make(another).ok() && another) return another;
    std::this_thread::yield();
  }
}

// There are no more handles than places, so one is empty.
void CudnnHandles::give_back(cudnnHandle_t handle) noexcept {
  for (;;)
    for (std::atomic<cudnnHandle_t>& place : idle_)
      if (cudnnHandle_t empty = nullptr; place.compare_exchange_strong(empty, handle)) return;
}

CudnnDescriptor::CudnnDescriptor(const Cudnn& library, cudnnBackendDescriptorType_t type) : library_(&library) {
  throw_if_error(
      status_of(library, library.cudnnBackendCreateDescriptor(type, &handle_), "cuDNN makes no description"));
}

void CudnnDescriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                          const void* values) {
  throw_if_error(status_of(*library_, library_->cudnnBackendSetAttribute(handle_, name, type, count, values),
                           "cuDNN does not take a setting"));
}

int64_t CudnnDescriptor::get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most,
                             void* values) const {
  int64_t count = 0;
  throw_if_error(status_of(*library_, library_->cudnnBackendGetAttribute(handle_, name, type, most, &count, values),
                           "cuDNN does not tell a setting"));
  return count;
}

void CudnnDescriptor::finalize(const std::string& what) {
  throw_if_error(status_of(*library_, library_->cudnnBackendFinalize(handle_), what.c_str()));
}

}  // namespace kiln::cuda
