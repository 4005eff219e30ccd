// cuDNN, NVIDIA's library of convolutions and their kin, opened when the first kernel or tactic asks for it.
#pragma once
#include <cudnn_graph.h>

#include <array>
#include <atomic>
#include <span>
#include <utility>

#include "backends/cuda/device/gpu.h"

namespace kiln::cuda {

// The functions, called as those of the same names in NVIDIA's documentation.
struct Cudnn {
  Cudnn() = default;
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;

  FunctionTable slots;
  KILN_FUNCTION(cudnnBackendCreateDescriptor)
  KILN_FUNCTION(cudnnBackendDestroyDescriptor)
  KILN_FUNCTION(cudnnBackendExecute)
  KILN_FUNCTION(cudnnBackendFinalize)
  KILN_FUNCTION(cudnnBackendGetAttribute)
  KILN_FUNCTION(cudnnBackendSetAttribute)
  KILN_FUNCTION(cudnnCreate)
  KILN_FUNCTION(cudnnGetErrorString)
  KILN_FUNCTION(cudnnGetVersion)
  KILN_FUNCTION(cudnnSetStream)
  int64_t version = 0;  // 91900: 9.19
};

// Looks for the file that the environment names as KILN_CUDNN, else for the library by the names of its versions. Null, with the
// reason, when there is none, or one that is too old. Thread-safe.
const Cudnn* find_cudnn(std::string& reason);
std::string cudnn_version_text(int64_t version);  // "9.19"

// The text is the calling thread's until its next failure.
Status status_of(const Cudnn& library, cudnnStatus_t result, const char* what) noexcept;

// The library's states for a GPU. Each costs some 10 MB of its memory and holds the stream of what it queues, so one thread at a time may
// use it: they are lent for the time of a call, and there are as many as threads have called at once. Thread-safe.
class CudnnHandles {
 public:
  static constexpr int kMost = 8;
  // Those of the GPU, one at least. They live until the program ends: kernels that end late still use them. Throws Error.
  static CudnnHandles& of(const Cudnn& library, const Gpu& gpu);
  CudnnHandles(const CudnnHandles&) = delete;
  CudnnHandles& operator=(const CudnnHandles&) = delete;
  int made() const { return made_.load(std::memory_order_relaxed); }

  class Lent {
   public:
    // The GPU's context is the thread's own. Where all are lent another is made, which allocates; where there are kMost, or the stream
    // that the call queues work in captures, it waits for the end of another call. Null: the call queues none.
    Lent(CudnnHandles& handles, const Stream* stream) noexcept : handles_(handles), handle_(handles.take(stream)) {}
    ~Lent() { handles_.give_back(handle_); }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    cudnnHandle_t get() const { return handle_; }

   private:
    CudnnHandles& handles_;
    cudnnHandle_t handle_;
  };

 private:
  explicit CudnnHandles(const Cudnn& library) : library_(library) {}
  Status make(cudnnHandle_t& handle) noexcept;
  cudnnHandle_t take(const Stream* stream) noexcept;
  void give_back(cudnnHandle_t handle) noexcept;

  const Cudnn& library_;
  std::array<std::atomic<cudnnHandle_t>, kMost> idle_ = {};  // null: an empty place
  std::atomic<int> made_ = 0;
};

// One of the library's descriptions, which goes with its owner. Its functions throw Error.
class CudnnDescriptor {
 public:
  CudnnDescriptor() = default;
  CudnnDescriptor(const Cudnn& library, cudnnBackendDescriptorType_t type);
  CudnnDescriptor(CudnnDescriptor&& other) noexcept
      : library_(other.library_), handle_(std::exchange(other.handle_, nullptr)) {}
  CudnnDescriptor& operator=(CudnnDescriptor&& other) noexcept {
    std::swap(library_, other.library_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~CudnnDescriptor() {
    if (handle_) (void)library_->cudnnBackendDestroyDescriptor(handle_);
  }
  cudnnBackendDescriptor_t get() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }

  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values);
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const auto& value) {
    set(name, type, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const CudnnDescriptor& part) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, part.handle_);
  }
  void set(cudnnBackendAttributeName_t name, std::span<const int64_t> values) {
    set(name, CUDNN_TYPE_INT64, static_cast<int64_t>(values.size()), values.data());
  }
  // How many values there are; `most` of them at most are stored.
  int64_t get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most, void* values) const;
  template <class T> T get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type) const {
    T value = {};
    (void)get(name, type, 1, &value);
    return value;
  }
  void finalize(const std::string& what);  // `what`: an error's first words

 private:
  const Cudnn* library_ = nullptr;
  cudnnBackendDescriptor_t handle_ = nullptr;
};

}  // namespace kiln::cuda
