// NVIDIA's driver, opened when the program runs: one table of its functions, and what its errors mean.
#pragma once
#include <cuda.h>
#include <cudaTypedefs.h>

#include <string>
#include <vector>

#include "base/error.h"

namespace kiln::cuda {

// The functions of a library that is opened when the program runs: where the address of each goes.
struct FunctionSlot {
  const char* name;
  void** address;
  int version = 0;  // of a function of the driver: 12000 has the form that CUDA 12.0 gave it
};
using FunctionTable = std::vector<FunctionSlot>;
template <class F> struct LibraryFunction {
  LibraryFunction(FunctionTable& table, const char* name, int version = 0) {
    table.push_back({name, reinterpret_cast<void**>(&call), version});
  }
  template <class... Arguments> auto operator()(Arguments... arguments) const { return call(arguments...); }
  explicit operator bool() const { return call != nullptr; }
  F call = nullptr;
};

// A member of that name in a class whose table is `slots`.
#define KILN_FUNCTION(word) LibraryFunction<decltype(&::word)> word{slots, #word};

// The same with the type of that version, which is then asked for: headers give a name the form of their own version.
#define KILN_DRIVER_FUNCTION(word, version) LibraryFunction<PFN_##word##_v##version> word{slots, #word, version};

// The functions, called as those of the same names in NVIDIA's documentation.
struct Driver {
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  FunctionTable slots;  // of all functions below
  KILN_DRIVER_FUNCTION(cuCtxGetStreamPriorityRange, 5050)
  KILN_DRIVER_FUNCTION(cuCtxPopCurrent, 4000)
  KILN_DRIVER_FUNCTION(cuCtxPushCurrent, 4000)
  KILN_DRIVER_FUNCTION(cuCtxSynchronize, 2000)
  KILN_DRIVER_FUNCTION(cuDeviceGet, 2000)
  KILN_DRIVER_FUNCTION(cuDeviceGetAttribute, 2000)
  KILN_DRIVER_FUNCTION(cuDeviceGetCount, 2000)
  KILN_DRIVER_FUNCTION(cuDeviceGetName, 2000)
  KILN_DRIVER_FUNCTION(cuDevicePrimaryCtxRetain, 7000)
  KILN_DRIVER_FUNCTION(cuDeviceTotalMem, 3020)
  KILN_DRIVER_FUNCTION(cuDriverGetVersion, 2020)
  KILN_DRIVER_FUNCTION(cuEventCreate, 2000)
  KILN_DRIVER_FUNCTION(cuEventDestroy, 4000)
  KILN_DRIVER_FUNCTION(cuEventElapsedTime, 2000)
  KILN_DRIVER_FUNCTION(cuEventQuery, 2000)
  KILN_DRIVER_FUNCTION(cuEventRecord, 2000)
  KILN_DRIVER_FUNCTION(cuEventSynchronize, 2000)
  KILN_DRIVER_FUNCTION(cuFuncSetAttribute, 9000)
  KILN_DRIVER_FUNCTION(cuGetErrorName, 6000)
  KILN_DRIVER_FUNCTION(cuGetErrorString, 6000)
  KILN_DRIVER_FUNCTION(cuGraphDestroy, 10000)
  KILN_DRIVER_FUNCTION(cuGraphExecDestroy, 10000)
  KILN_DRIVER_FUNCTION(cuGraphExecUpdate, 12000)
  KILN_DRIVER_FUNCTION(cuGraphGetNodes, 10000)
  KILN_DRIVER_FUNCTION(cuGraphInstantiateWithFlags, 11040)
  KILN_DRIVER_FUNCTION(cuGraphLaunch, 10000)
  KILN_DRIVER_FUNCTION(cuInit, 2000)
  KILN_DRIVER_FUNCTION(cuLaunchHostFunc, 10000)
  KILN_DRIVER_FUNCTION(cuLaunchKernelEx, 11060)
  KILN_DRIVER_FUNCTION(cuMemAlloc, 3020)
  KILN_DRIVER_FUNCTION(cuMemAllocFromPoolAsync, 11020)
  KILN_DRIVER_FUNCTION(cuMemAllocHost, 3020)
  KILN_DRIVER_FUNCTION(cuMemFree, 3020)
  KILN_DRIVER_FUNCTION(cuMemFreeAsync, 11020)
  KILN_DRIVER_FUNCTION(cuMemFreeHost, 2000)
  KILN_DRIVER_FUNCTION(cuMemGetInfo, 3020)
  KILN_DRIVER_FUNCTION(cuMemPoolCreate, 11020)
  KILN_DRIVER_FUNCTION(cuMemPoolSetAttribute, 11020)
  KILN_DRIVER_FUNCTION(cuMemPoolTrimTo, 11020)
  KILN_DRIVER_FUNCTION(cuMemcpyAsync, 4000)
  KILN_DRIVER_FUNCTION(cuMemcpyDtoDAsync, 3020)
  KILN_DRIVER_FUNCTION(cuMemcpyDtoHAsync, 3020)
  KILN_DRIVER_FUNCTION(cuMemcpyHtoDAsync, 3020)
  KILN_DRIVER_FUNCTION(cuMemsetD8Async, 3020)
  KILN_DRIVER_FUNCTION(cuModuleGetFunction, 2000)
  KILN_DRIVER_FUNCTION(cuModuleLoadData, 2000)
  KILN_DRIVER_FUNCTION(cuModuleUnload, 2000)
  KILN_DRIVER_FUNCTION(cuPointerGetAttribute, 4000)
  KILN_DRIVER_FUNCTION(cuStreamBeginCapture, 10010)
  KILN_DRIVER_FUNCTION(cuStreamCreateWithPriority, 5050)
  KILN_DRIVER_FUNCTION(cuStreamDestroy, 4000)
  KILN_DRIVER_FUNCTION(cuStreamEndCapture, 10000)
  KILN_DRIVER_FUNCTION(cuStreamIsCapturing, 10000)
  KILN_DRIVER_FUNCTION(cuStreamQuery, 2000)
  KILN_DRIVER_FUNCTION(cuStreamSynchronize, 2000)
  KILN_DRIVER_FUNCTION(cuStreamWaitEvent, 3020)
  KILN_DRIVER_FUNCTION(cuTensorMapEncodeTiled, 12000)
  int version = 0;  // 12040: CUDA 12.4
};

// The driver, initialised. Null, with the reason, when there is none, when it is too old, or when it finds no GPU. Thread-safe.
const Driver* find_driver(std::string& reason);

std::string version_text(int version);  // "12.4"

// A fault of work that ran, which every call hears of from then on.
bool loses_context(CUresult result);

// What a call of the driver answered; `what` says what was tried. The text is the calling thread's until its next failure.
Status status_of(CUresult result, const char* what) noexcept;
void throw_if_failed(CUresult result, const char* what);  // throws Error

}  // namespace kiln::cuda
