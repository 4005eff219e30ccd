// An error recorder that keeps what it hears.
#pragma once
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "NvInferRuntime.h"

class Recorder : public nvinfer1::IErrorRecorder {
 public:
  int32_t getNbErrors() const noexcept override { return static_cast<int32_t>(errors.size()); }
  nvinfer1::ErrorCode getErrorCode(int32_t i) const noexcept override { return errors[static_cast<size_t>(i)].first; }
  ErrorDesc getErrorDesc(int32_t i) const noexcept override { return errors[static_cast<size_t>(i)].second.c_str(); }
  bool hasOverflowed() const noexcept override { return false; }
  void clear() noexcept override { errors.clear(); }
  bool reportError(nvinfer1::ErrorCode code, ErrorDesc text) noexcept override {
    std::lock_guard lock(mutex_);
    return errors.emplace_back(code, text), false;
  }
  RefCount incRefCount() noexcept override { return ++references; }
  RefCount decRefCount() noexcept override { return --references; }
  std::vector<std::pair<nvinfer1::ErrorCode, std::string>> errors;
  std::atomic<int32_t> references = 0;

 private:
  std::mutex mutex_;
};
