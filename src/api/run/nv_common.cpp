// Reporting at the boundary, element types, dimensions.
#include "api/run/nv_common.h"

#include <algorithm>
#include <iterator>
#include <new>

#include "backends/default_device.h"
#include "base/printable.h"

namespace kiln::api {
namespace {

constexpr std::pair<nvinfer1::DataType, DType> kTypes[] = {
    {nvinfer1::DataType::kFLOAT, DType::kF32},    {nvinfer1::DataType::kHALF, DType::kF16},
    {nvinfer1::DataType::kINT8, DType::kI8},      {nvinfer1::DataType::kINT32, DType::kI32},
    {nvinfer1::DataType::kBOOL, DType::kBool},    {nvinfer1::DataType::kUINT8, DType::kU8},
    {nvinfer1::DataType::kFP8, DType::kF8E4M3FN}, {nvinfer1::DataType::kBF16, DType::kBF16},
    {nvinfer1::DataType::kINT64, DType::kI64},    {nvinfer1::DataType::kINT4, DType::kI4},
    {nvinfer1::DataType::kFP4, DType::kF4E2M1},   {nvinfer1::DataType::kE8M0, DType::kF8E8M0},
};

nvinfer1::ILogger::Severity severity_of(Severity severity) {
  return static_cast<nvinfer1::ILogger::Severity>(static_cast<int32_t>(severity));
}

}  // namespace

nvinfer1::ErrorCode to_nv(Code code) {
  using E = nvinfer1::ErrorCode;
  switch (code) {
    case Code::kOk: return E::kSUCCESS;
    case Code::kInternal: return E::kINTERNAL_ERROR;
    case Code::kOutOfMemory: return E::kFAILED_ALLOCATION;
    case Code::kInvalidState:
    case Code::kShapeNotSet: return E::kINVALID_STATE;
    case Code::kUnsupported: return E::kUNSUPPORTED_STATE;
    case Code::kIo:
    case Code::kMalformedPlan:
    case Code::kPlanVersion:
    case Code::kPlanDevice: return E::kFAILED_INITIALIZATION;
    case Code::kExecution: return E::kFAILED_EXECUTION;
    default: return E::kINVALID_ARGUMENT;
  }
}

nvinfer1::DataType to_nv(DType type) {
  for (const auto& [nv, own] : kTypes)
    if (own == type) return nv;
  throw Error(Code::kUnsupported, "the interface has no name for the element type " + std::string(name(type)));
}

bool has_nv(DType type) {
  return std::any_of(std::begin(kTypes), std::end(kTypes), [&](const auto& pair) { return pair.second == type; });
}

DType from_nv(nvinfer1::DataType type) {
  for (const auto& [nv, own] : kTypes)
    if (nv == type) return own;
  throw Error(Code::kInvalidArgument, "there is no element type " + std::to_string(static_cast<int32_t>(type)));
}

nvinfer1::Dims to_nv(const Dims& dims) {
  if (dims.size() > nvinfer1::Dims::MAX_DIMS)
    throw Error(Code::kUnsupported, "the interface shows at most 8 dimensions, not those of " + to_string(dims));
  nvinfer1::Dims out{static_cast<int32_t>(dims.size()), {}};
  std::copy(dims.begin(), dims.end(), out.d);
  return out;
}

nvinfer1::Dims to_nv(const Shape& shape) {
  Dims dims;
  for (const Dim& d : shape) dims.push_back(d.constant().value_or(-1));
  return to_nv(dims);
}

Dims from_nv(const nvinfer1::Dims& dims) {
  if (dims.nbDims < 0 || dims.nbDims > nvinfer1::Dims::MAX_DIMS)
    throw Error(Code::kInvalidArgument, "nbDims is " + std::to_string(dims.nbDims)).remedy("give 0 to 8 dimensions");
  return Dims(dims.d, dims.d + dims.nbDims);
}

void Reporter::log(Severity severity, std::string_view message) noexcept {
  if (!logger_) return;
  try {
    logger_->log(severity_of(severity), kiln::printable(message).c_str());
  } catch (...) {
    logger_->log(nvinfer1::ILogger::Severity::kERROR, "out of memory");
  }
}

void Reporter::report(Code code, const char* text) noexcept {
  if (logger_)
    logger_->log(
        code == Code::kInternal ? nvinfer1::ILogger::Severity::kINTERNAL_ERROR : nvinfer1::ILogger::Severity::kERROR,
        text);
  if (recorder_) static_cast<void>(recorder_->reportError(to_nv(code), text));
}

void Reporter::report_current() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    report(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    report(Code::kOutOfMemory, "error[K1003] there is not enough memory");
  } catch (const std::exception& e) {
    report(Code::kInternal, Error(Code::kInternal, e.what()).what());
  } catch (...) {
    report(Code::kInternal, "an unknown exception");
  }
}

void Reporter::set_recorder(nvinfer1::IErrorRecorder* recorder) noexcept {
  if (recorder) recorder->incRefCount();
  if (recorder_) recorder_->decRefCount();
  recorder_ = recorder;
}

int32_t device_threads(Reporter& reporter) noexcept {
  return guarded(reporter, 1, [] { return api_device().max_threads(); });
}

namespace {
thread_local Device* chosen_device = nullptr;  // null: the default one
}

Device& api_device() { return chosen_device ? *chosen_device : default_device(); }

bool set_api_ordinal(int ordinal) {
  std::string reason;
  Device* device = try_open_device(std::string(default_device().name()) + ":" + std::to_string(ordinal), reason);
  if (device) chosen_device = device;
  return device != nullptr;
}

}  // namespace kiln::api
