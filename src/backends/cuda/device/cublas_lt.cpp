// cuBLASLt, opened when it is asked for.
#include "backends/cuda/device/cublas_lt.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>

namespace kiln::cuda {
namespace {

constexpr const char* kNames[] = {"libcublasLt.so.13", "libcublasLt.so.12"};

struct FoundLibrary {
  CublasLt library;
  bool usable = false;
  std::string reason;
};

void* open_library(std::string& reason) {
  if (const char* named = std::getenv("KILN_CUBLASLT")) {
    if (void* library = dlopen(named, RTLD_NOW | RTLD_LOCAL)) return library;
    const char* text = dlerror();
    reason = "KILN_CUBLASLT names a file that cannot be opened: " + std::string(text ? text : named);
    return nullptr;
  }
  for (const char* name : kNames)
    if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  reason =
      "cuBLASLt is not found: there is neither libcublasLt.so.13 nor libcublasLt.so.12 where libraries are looked for";
  return nullptr;
}

void find_library(FoundLibrary& found) {
  void* library = open_library(found.reason);
  if (!library) return;
  for (const auto& [name, address] : found.library.slots) {
    *address = dlsym(library, name);
    if (!*address) {
      found.reason = "cuBLASLt is too old: it has no " + std::string(name);
      return;
    }
  }
  found.library.version = static_cast<int64_t>(found.library.cublasLtGetVersion());
  found.usable = true;
}

}  // namespace

const CublasLt* find_cublas_lt(std::string& reason) {
  // Never destroyed: kernels that end late still use it.
  static const FoundLibrary& found = []() -> const FoundLibrary& {
    auto* made = new FoundLibrary;
    find_library(*made);
    return *made;
  }();
  if (!found.usable) reason = found.reason;
  return found.usable ? &found.library : nullptr;
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
