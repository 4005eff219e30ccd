// What all headers share: dimensions, element types, weights, errors, logger, blobs.
#pragma once
#include <cstddef>
#include <cstdint>

#include "NvInferVersion.h"
// CUDA's own header where the include path has one, else Kiln's.
#if __has_include(<cuda_runtime_api.h>)
#include <cuda_runtime_api.h>
#else
#include "kiln_compat/cuda_runtime_api.h"
#endif

#ifndef TENSORRTAPI
#define TENSORRTAPI __attribute__((visibility("default")))
#endif

namespace nvinfer1 {

using char_t = char;
using AsciiChar = char_t;

// nbDims is -1 when not even the rank is known; d[i] is -1 when a dimension is known only when running.
class Dims64 {
 public:
  static constexpr int32_t MAX_DIMS{8};
  int32_t nbDims;
  int64_t d[MAX_DIMS];
};
using Dims = Dims64;

enum class DataType : int32_t {
  kFLOAT = 0,
  kHALF = 1,
  kINT8 = 2,
  kINT32 = 3,
  kBOOL = 4,
  kUINT8 = 5,
  kFP8 = 6,  // E4M3
  kBF16 = 7,
  kINT64 = 8,
  kINT4 = 9,  // two in a byte, the first in the low half
  kFP4 = 10,  // E2M1, two in a byte
  kE8M0 = 11,
};

// How many enumerators an enumeration has; they are numbered from 0.
template <typename T> constexpr int32_t EnumMax() noexcept;
template <> constexpr int32_t EnumMax<DataType>() noexcept { return 12; }

enum class ErrorCode : int32_t {
  kSUCCESS = 0,
  kUNSPECIFIED_ERROR = 1,
  kINTERNAL_ERROR = 2,
  kINVALID_ARGUMENT = 3,
  kINVALID_CONFIG = 4,
  kFAILED_ALLOCATION = 5,
  kFAILED_INITIALIZATION = 6,
  kFAILED_EXECUTION = 7,
  kFAILED_COMPUTATION = 8,
  kINVALID_STATE = 9,
  kUNSUPPORTED_STATE = 10,
};

// Values that the caller keeps alive until the network is built.
class Weights {
 public:
  DataType type;
  void const* values;
  int64_t count;  // elements
};

// Base of objects that the library makes. They are deleted by `delete` or by destroy().
class INoCopy {
 public:
  virtual ~INoCopy() noexcept = default;
  void destroy() noexcept { delete this; }

 protected:
  INoCopy() = default;
  INoCopy(INoCopy const&) = delete;
  INoCopy& operator=(INoCopy const&) = delete;
};

// Bytes that the library owns.
class IHostMemory : public INoCopy {
 public:
  virtual void* data() const noexcept = 0;
  virtual std::size_t size() const noexcept = 0;  // bytes
  virtual DataType type() const noexcept = 0;
};

enum class APILanguage : int32_t { kCPP = 0, kPYTHON = 1 };

// Name and version of an interface that users implement.
class InterfaceInfo {
 public:
  char const* kind;
  int32_t major;
  int32_t minor;
};

// Base of interfaces that users implement. Each answers for itself; users override nothing here.
class IVersionedInterface {
 public:
  virtual APILanguage getAPILanguage() const noexcept { return APILanguage::kCPP; }
  virtual InterfaceInfo getInterfaceInfo() const noexcept = 0;
  virtual ~IVersionedInterface() noexcept = default;

 protected:
  IVersionedInterface() = default;
  IVersionedInterface(IVersionedInterface const&) = default;
  IVersionedInterface& operator=(IVersionedInterface const&) = default;
};

// Written by the user. The library calls it from any thread.
class ILogger : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"ILogger", 1, 0}; }
  enum class Severity : int32_t { kINTERNAL_ERROR = 0, kERROR = 1, kWARNING = 2, kINFO = 3, kVERBOSE = 4 };
  virtual void log(Severity severity, AsciiChar const* msg) noexcept = 0;
};

// Written by the user: keeps errors. Thread-safe. The library counts its references with incRefCount and decRefCount.
class IErrorRecorder : public IVersionedInterface {
 public:
  InterfaceInfo getInterfaceInfo() const noexcept override { return {"IErrorRecorder", 1, 0}; }
  using ErrorDesc = char const*;
  using RefCount = int32_t;
  static constexpr size_t kMAX_DESC_LENGTH{127U};
  virtual int32_t getNbErrors() const noexcept = 0;
  virtual ErrorCode getErrorCode(int32_t errorIdx) const noexcept = 0;
  virtual ErrorDesc getErrorDesc(int32_t errorIdx) const noexcept = 0;
  virtual bool hasOverflowed() const noexcept = 0;
  virtual void clear() noexcept = 0;
  // Returns whether the error is fatal. The description is cut at kMAX_DESC_LENGTH characters.
  virtual bool reportError(ErrorCode val, ErrorDesc desc) noexcept = 0;
  virtual RefCount incRefCount() noexcept = 0;
  virtual RefCount decRefCount() noexcept = 0;
};

}  // namespace nvinfer1
