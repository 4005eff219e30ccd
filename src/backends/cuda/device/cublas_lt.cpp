// cuBLASLt, opened when it is asked for.
#include "backends/cuda/device/cublas_lt.h"

#include <cstdio>
#include <future>
#include <map>

#include "backends/cuda/device/library.h"

namespace kiln::cuda {

const CublasLt* find_cublas_lt(std::string& reason) {
  static const auto& opened = *new OpenedLibrary<CublasLt>(
      {"cuBLASLt", "KILN_CUBLASLT", {"libcublasLt.so.13", "libcublasLt.so.12"}}, [](CublasLt& library) {
        library.version = static_cast<int64_t>(library.cublasLtGetVersion());
        return std::string();
      });
  return opened.get(reason);
}

void begin_to_open_cublas_lt() {
  static const std::future<void> opening = std::async(std::launch::async, [] {
    std::string reason;
    (void)find_cublas_lt(reason);
  });
}

cublasLtHandle_t lt_handle(const CublasLt& library, const Gpu& gpu) {
  static std::mutex mutex;
  static auto& handles = *new std::map<CUcontext, cublasLtHandle_t>;
  const CurrentContext current(gpu);
  std::lock_guard lock(mutex);
  cublasLtHandle_t& handle = handles[gpu.context()];
  if (!handle) throw_if_error(status_of(library, library.cublasLtCreate(&handle), "cuBLASLt does not start"));
  return handle;
}

Status status_of(const CublasLt& library, cublasStatus_t result, const char* what) noexcept {
  if (result == CUBLAS_STATUS_SUCCESS) return kOkStatus;
  thread_local char text[256];
  std::snprintf(text, sizeof text, "%s: %s", what, library.cublasLtGetStatusString(result));
  const Code code = result == CUBLAS_STATUS_ALLOC_FAILED    ? Code::kOutOfMemory
                    : result == CUBLAS_STATUS_NOT_SUPPORTED ? Code::kUnsupported
                                                            : Code::kExecution;
  return {code, text};
}

}  // namespace kiln::cuda
