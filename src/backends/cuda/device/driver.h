// NVIDIA's driver, opened when the program runs: one table of its functions, and what its errors mean.
#pragma once
#include <cuda.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace kiln::cuda {

// The functions of a library that is opened when the program runs: where the address of each goes.
struct FunctionSlot {
  const char* name;
  void** address;
};
using FunctionTable = std::vector<FunctionSlot>;
template <class F> struct LibraryFunction {
  LibraryFunction(FunctionTable& table, const char* name) { table.push_back({name, reinterpret_cast<void**>(&call)}); }
  template <class... Arguments> auto operator()(Arguments... arguments) const { return call(arguments...); }
  explicit operator bool() const { return call != nullptr; }
  F call = nullptr;
};

// A member of that name in a class whose table is `slots`.
#define KILN_FUNCTION(word) LibraryFunction<decltype(&::word)> word{slots, #word};

// The functions, called as those of the same names in NVIDIA's documentation.
struct Driver {
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  FunctionTable slots;  // of all functions below
  KILN_FUNCTION(cuCtxGetStreamPriorityRange)
  KILN_FUNCTION(cuCtxPopCurrent)
  KILN_FUNCTION(cuCtxPushCurrent)
  KILN_FUNCTION(cuCtxSynchronize)
  KILN_FUNCTION(cuDeviceGet)
  KILN_FUNCTION(cuDeviceGetAttribute)
  KILN_FUNCTION(cuDeviceGetCount)
  KILN_FUNCTION(cuDeviceGetName)
  KILN_FUNCTION(cuDevicePrimaryCtxRetain)
  KILN_FUNCTION(cuDeviceTotalMem)
  KILN_FUNCTION(cuDriverGetVersion)
  KILN_FUNCTION(cuEventCreate)
  KILN_FUNCTION(cuEventDestroy)
  KILN_FUNCTION(cuEventElapsedTime)
  KILN_FUNCTION(cuEventQuery)
  KILN_FUNCTION(cuEventRecord)
  KILN_FUNCTION(cuEventSynchronize)
  KILN_FUNCTION(cuFuncSetAttribute)
  KILN_FUNCTION(cuGetErrorName)
  KILN_FUNCTION(cuGetErrorString)
  KILN_FUNCTION(cuGraphDestroy)
  KILN_FUNCTION(cuGraphExecDestroy)
  KILN_FUNCTION(cuGraphExecUpdate)
  KILN_FUNCTION(cuGraphGetNodes)
  KILN_FUNCTION(cuGraphInstantiate)
  KILN_FUNCTION(cuGraphLaunch)
  KILN_FUNCTION(cuInit)
  KILN_FUNCTION(cuLaunchHostFunc)
  KILN_FUNCTION(cuLaunchKernelEx)
  KILN_FUNCTION(cuMemAlloc)
  KILN_FUNCTION(cuMemAllocFromPoolAsync)
  KILN_FUNCTION(cuMemAllocHost)
  KILN_FUNCTION(cuMemFree)
  KILN_FUNCTION(cuMemFreeAsync)
  KILN_FUNCTION(cuMemFreeHost)
  KILN_FUNCTION(cuMemGetInfo)
  KILN_FUNCTION(cuMemPoolCreate)
  KILN_FUNCTION(cuMemPoolSetAttribute)
  KILN_FUNCTION(cuMemPoolTrimTo)
  KILN_FUNCTION(cuMemcpyAsync)
  KILN_FUNCTION(cuMemcpyDtoDAsync)
  KILN_FUNCTION(cuMemcpyDtoHAsync)
  KILN_FUNCTION(cuMemcpyHtoDAsync)
  KILN_FUNCTION(cuMemsetD8Async)
  KILN_FUNCTION(cuModuleGetFunction)
  KILN_FUNCTION(cuModuleLoadData)
  KILN_FUNCTION(cuModuleUnload)
  KILN_FUNCTION(cuPointerGetAttribute)
  KILN_FUNCTION(cuStreamBeginCapture)
  KILN_FUNCTION(cuStreamCreateWithPriority)
  KILN_FUNCTION(cuStreamDestroy)
  KILN_FUNCTION(cuStreamEndCapture)
  KILN_FUNCTION(cuStreamIsCapturing)
  KILN_FUNCTION(cuStreamQuery)
  KILN_FUNCTION(cuStreamSynchronize)
  KILN_FUNCTION(cuStreamWaitEvent)
  KILN_FUNCTION(cuTensorMapEncodeTiled)
  int version = 0;  // 12040: CUDA 12.4
};

// The driver, initialised. Null, with the reason, when there is none, when it is too old, or when it finds no GPU. Thread-safe.
const Driver* find_driver(std::string& reason);

std::string version_text(int version);  // "12.4"

// What a call of the driver answered; `what` says what was tried. The text is the calling thread's until its next failure.
Status status_of(CUresult result, const char* what) noexcept;
void throw_if_failed(CUresult result, const char* what);  // throws Error

}  // namespace kiln::cuda
