// NVIDIA's driver, opened when the program runs: one table of its functions, and what its errors mean.
#pragma once
#include <cuda.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace kiln::cuda {

// The functions, called as those of the same names in NVIDIA's documentation.
struct Driver {
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  struct Slot {
    const char* name;
    void** address;
  };
  std::vector<Slot> slots;  // of all functions below

  template <class F> struct Function {
    Function(Driver& driver, const char* name) { driver.slots.push_back({name, reinterpret_cast<void**>(&call)}); }
    template <class... Arguments> CUresult operator()(Arguments... arguments) const { return call(arguments...); }
    explicit operator bool() const { return call != nullptr; }
    F call = nullptr;
  };
#define KILN_DRIVER(word) Function<decltype(&::word)> word{*this, #word};
  KILN_DRIVER(cuCtxGetStreamPriorityRange)
  KILN_DRIVER(cuCtxPopCurrent)
  KILN_DRIVER(cuCtxPushCurrent)
  KILN_DRIVER(cuCtxSynchronize)
  KILN_DRIVER(cuDeviceGet)
  KILN_DRIVER(cuDeviceGetAttribute)
  KILN_DRIVER(cuDeviceGetCount)
  KILN_DRIVER(cuDeviceGetName)
  KILN_DRIVER(cuDevicePrimaryCtxRetain)
  KILN_DRIVER(cuDeviceTotalMem)
  KILN_DRIVER(cuDriverGetVersion)
  KILN_DRIVER(cuEventCreate)
  KILN_DRIVER(cuEventDestroy)
  KILN_DRIVER(cuEventElapsedTime)
  KILN_DRIVER(cuEventQuery)
  KILN_DRIVER(cuEventRecord)
  KILN_DRIVER(cuEventSynchronize)
  KILN_DRIVER(cuFuncSetAttribute)
  KILN_DRIVER(cuGetErrorName)
  KILN_DRIVER(cuGetErrorString)
  KILN_DRIVER(cuGraphDestroy)
  KILN_DRIVER(cuGraphExecDestroy)
  KILN_DRIVER(cuGraphExecUpdate)
  KILN_DRIVER(cuGraphGetNodes)
  KILN_DRIVER(cuGraphInstantiate)
  KILN_DRIVER(cuGraphLaunch)
  KILN_DRIVER(cuInit)
  KILN_DRIVER(cuLaunchHostFunc)
  KILN_DRIVER(cuLaunchKernelEx)
  KILN_DRIVER(cuMemAlloc)
  KILN_DRIVER(cuMemAllocFromPoolAsync)
  KILN_DRIVER(cuMemAllocHost)
  KILN_DRIVER(cuMemFree)
  KILN_DRIVER(cuMemFreeAsync)
  KILN_DRIVER(cuMemFreeHost)
  KILN_DRIVER(cuMemGetInfo)
  KILN_DRIVER(cuMemPoolCreate)
  KILN_DRIVER(cuMemPoolSetAttribute)
  KILN_DRIVER(cuMemPoolTrimTo)
  KILN_DRIVER(cuMemcpyAsync)
  KILN_DRIVER(cuMemcpyDtoDAsync)
  KILN_DRIVER(cuMemcpyDtoHAsync)
  KILN_DRIVER(cuMemcpyHtoDAsync)
  KILN_DRIVER(cuMemsetD8Async)
  KILN_DRIVER(cuModuleGetFunction)
  KILN_DRIVER(cuModuleLoadData)
  KILN_DRIVER(cuStreamBeginCapture)
  KILN_DRIVER(cuStreamCreateWithPriority)
  KILN_DRIVER(cuStreamDestroy)
  KILN_DRIVER(cuStreamEndCapture)
  KILN_DRIVER(cuStreamIsCapturing)
  KILN_DRIVER(cuStreamQuery)
  KILN_DRIVER(cuStreamSynchronize)
  KILN_DRIVER(cuStreamWaitEvent)
  KILN_DRIVER(cuTensorMapEncodeTiled)
#undef KILN_DRIVER
  int version = 0;  // 12040: CUDA 12.4
};

// The driver, initialised. Null, with the reason, when there is none, when it is too old, or when it finds no GPU. Thread-safe.
const Driver* find_driver(std::string& reason);

// What a call of the driver answered; `what` says what was tried. The text is the calling thread's until its next failure.
Status status_of(CUresult result, const char* what) noexcept;
void throw_if_failed(CUresult result, const char* what);  // throws Error

}  // namespace kiln::cuda
