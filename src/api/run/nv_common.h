// What the API's objects share: reporting at the boundary, element types, dimensions, blobs.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "NvInferRuntime.h"
#include "base/error.h"
#include "base/log.h"
#include "device/device.h"
#include "tensor/shape.h"

namespace kiln::api {

nvinfer1::ErrorCode to_nv(Code code);
nvinfer1::DataType to_nv(DType type);  // throws kUnsupported when TensorRT has no such type
bool has_nv(DType type);
DType from_nv(nvinfer1::DataType type);    // throws kInvalidArgument
nvinfer1::Dims to_nv(const Dims& dims);    // throws kUnsupported beyond MAX_DIMS dimensions
nvinfer1::Dims to_nv(const Shape& shape);  // -1 for symbols
Dims from_nv(const nvinfer1::Dims& dims);  // throws kInvalidArgument when nbDims is out of range
inline nvinfer1::Dims unknown_dims() { return {-1, {}}; }

// Where errors go: the user's logger and error recorder. Every object that can fail has one; objects made by another start with
// the maker's recorder.
class Reporter final : public Logger {
 public:
  explicit Reporter(nvinfer1::ILogger* logger) : logger_(logger) {}
  Reporter(const Reporter& other) : Reporter(other.logger_) { set_recorder(other.recorder_); }
  Reporter& operator=(const Reporter&) = delete;
  ~Reporter() override { set_recorder(nullptr); }
  void log(Severity severity, std::string_view message) noexcept override;
  void report(Code code, const char* text) noexcept;
  void report(Status status) noexcept { report(status.code, status.detail); }
  void report_current() noexcept;  // inside a catch block
  void set_recorder(nvinfer1::IErrorRecorder* recorder) noexcept;
  nvinfer1::IErrorRecorder* recorder() const { return recorder_; }
  nvinfer1::ILogger* logger() const { return logger_; }

 private:
  nvinfer1::ILogger* logger_;
  nvinfer1::IErrorRecorder* recorder_ = nullptr;
};

// The boundary: what throws is reported, and the result is `otherwise`.
template <class R, class F> R guarded(Reporter& reporter, R otherwise, F&& body) noexcept {
  try {
    return body();
  } catch (...) {
    reporter.report_current();
    return otherwise;
  }
}

class HostMemory final : public nvinfer1::IHostMemory {
 public:
  explicit HostMemory(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  void* data() const noexcept override { return const_cast<std::byte*>(bytes_.data()); }
  std::size_t size() const noexcept override { return bytes_.size(); }
  nvinfer1::DataType type() const noexcept override { return nvinfer1::DataType::kINT8; }

 private:
  std::vector<std::byte> bytes_;
};

// The user's allocator as the runtime sees it.
class UserAllocator final : public Allocator {
 public:
  explicit UserAllocator(nvinfer1::IGpuAllocator* user) : user_(user) {}
  void* allocate(size_t size, size_t alignment) noexcept override { return user_->allocate(size, alignment, 0); }
  void deallocate(void* memory) noexcept override { static_cast<void>(user_->deallocate(memory)); }
  void* allocate_in(Stream& stream, size_t size, size_t alignment) noexcept override {
    return user_->allocateAsync(size, alignment, 0, static_cast<cudaStream_t>(stream.native()));
  }
  void deallocate_in(Stream& stream, void* memory) noexcept override {
    static_cast<void>(user_->deallocateAsync(memory, static_cast<cudaStream_t>(stream.native())));
  }

 private:
  nvinfer1::IGpuAllocator* user_;
};

// An engine object from the bytes of an engine file. Throws Error.
nvinfer1::ICudaEngine* load_engine(const void* bytes, size_t size, const Reporter& reporter,
                                   nvinfer1::IGpuAllocator* allocator, int max_threads = 0);

// Threads of the API's device; 1, reported, when there is none.
int32_t device_threads(Reporter& reporter) noexcept;

// Null when memory is short.
nvinfer1::IRuntime* make_runtime(nvinfer1::ILogger* logger) noexcept;

// The device that the API works on: the default one, of the ordinal that the calling thread chose; 0 at first.
Device& api_device();
// False when there is no such device.
bool set_api_ordinal(int ordinal);

}  // namespace kiln::api
