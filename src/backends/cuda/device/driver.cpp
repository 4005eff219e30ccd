// NVIDIA's driver, opened when the program runs.
#include "backends/cuda/device/driver.h"

#include <dlfcn.h>

#include <cstdio>

namespace kiln::cuda {
namespace {

// Brought the newest of the functions: tensor maps and the present form of updates of graphs.
constexpr int kOldest = 12000;

// Fills the table; the name of a function that is missing, or null.
const char* fill(Driver& driver, void* library) {
  const auto find = reinterpret_cast<decltype(&cuGetProcAddress)>(dlsym(library, "cuGetProcAddress_v2"));
  if (!find) return "cuGetProcAddress_v2";
  for (const FunctionSlot& slot : driver.slots)
    if (find(slot.name, slot.address, slot.version, CU_GET_PROC_ADDRESS_DEFAULT, nullptr) != CUDA_SUCCESS ||
        !*slot.address)
      return slot.name;
  return nullptr;
}

struct Found {
  Driver driver;
  bool usable = false;
  std::string reason;
};

void find(Found& found) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* text = dlerror();
    found.reason = "NVIDIA's driver is not installed: " + std::string(text ? text : "libcuda.so.1 cannot be opened");
    return;
  }
  Driver& driver = found.driver;
  if (const char* missing = fill(driver, library)) {
    found.reason = "NVIDIA's driver is too old: it has no " + std::string(missing) + ", which CUDA " +
                   version_text(kOldest) + " brought; update the driver";
    return;
  }
  const char* text = "unknown error";
  int count = 0;
  CUresult result = driver.cuInit(0);
  if (result == CUDA_SUCCESS) result = driver.cuDriverGetVersion(&driver.version);
  if (result == CUDA_SUCCESS) result = driver.cuDeviceGetCount(&count);
  if (result != CUDA_SUCCESS) {
    (void)driver.cuGetErrorString(result, &text);
    found.reason = "NVIDIA's driver does not start: " + std::string(text);
  } else if (count == 0) {
    found.reason = "NVIDIA's driver " + version_text(driver.version) + " finds no GPU";
  } else {
    found.usable = true;
  }
}

const Found& found_driver() {
  // Never destroyed: streams of threads that end late still use it.
  static const Found& found = []() -> const Found& {
    auto* made = new Found;
    find(*made);
    return *made;
  }();
  return found;
}

// The error of Kiln that an error of the driver is, and what the user can do.
struct Meaning {
  Code code;
  const char* remedy;
};

Meaning meaning_of(CUresult result) {
  if (loses_context(result))
    return {Code::kExecution,
            "the GPU's context is lost to this process: check the addresses given, and start again, with "
            "setDebugSync(true), or --debugSync of kiln, to hear which layer it was"};
  switch (result) {
    case CUDA_ERROR_OUT_OF_MEMORY:
      return {Code::kOutOfMemory, "use smaller shapes or fewer contexts, or free memory of the GPU"};
    case CUDA_ERROR_INVALID_VALUE:
    case CUDA_ERROR_INVALID_HANDLE:
      return {Code::kInvalidArgument, "check that pointers, streams and events belong to this GPU and are alive"};
    case CUDA_ERROR_NO_BINARY_FOR_GPU:
    case CUDA_ERROR_INVALID_IMAGE:
    case CUDA_ERROR_INVALID_SOURCE:
    case CUDA_ERROR_UNSUPPORTED_PTX_VERSION:
      return {Code::kPlanDevice, "build Kiln with KILN_CUDA_ARCHITECTURES for this GPU, or update the driver"};
    case CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED:
    case CUDA_ERROR_STREAM_CAPTURE_INVALIDATED:
    case CUDA_ERROR_STREAM_CAPTURE_MERGE:
    case CUDA_ERROR_STREAM_CAPTURE_UNMATCHED:
    case CUDA_ERROR_STREAM_CAPTURE_UNJOINED:
    case CUDA_ERROR_STREAM_CAPTURE_ISOLATION:
    case CUDA_ERROR_STREAM_CAPTURE_IMPLICIT:
    case CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD:
    case CUDA_ERROR_CAPTURED_EVENT:
      return {Code::kInvalidState, "do not wait for a stream while it captures, and end a capture where it began"};
    default: return {Code::kExecution, "see NVIDIA's description of this error"};
  }
}

}  // namespace

bool loses_context(CUresult result) {
  switch (result) {
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED: return true;
    default: return false;
  }
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

const Driver* find_driver(std::string& reason) {
  const Found& found = found_driver();
  if (!found.usable) reason = found.reason;
  return found.usable ? &found.driver : nullptr;
}

Status status_of(CUresult result, const char* what) noexcept {
  if (result == CUDA_SUCCESS) return kOkStatus;
  thread_local char text[384];
  const char *name = "an unknown error", *meaning = "";
  if (const Driver& driver = found_driver().driver; driver.cuGetErrorName) {
    (void)driver.cuGetErrorName(result, &name);
    (void)driver.cuGetErrorString(result, &meaning);
  }
  const auto [code, remedy] = meaning_of(result);
  std::snprintf(text, sizeof text, "%s: %s (%s); %s", what, meaning, name, remedy);
  return {code, text};
}

void throw_if_failed(CUresult result, const char* what) { throw_if_error(status_of(result, what)); }

}  // namespace kiln::cuda
