// Tensors of tests where an engine's device reads and writes them.
#pragma once
#include "base/error.h"
#include "runtime/engine.h"

namespace kiln::testing {

// The host's tensor, with a copy in the device's memory when that is another.
class Placed {
 public:
  // `info` is an input or output of the engine. An input's bytes are copied at once.
  Placed(const Engine& engine, const plan::TensorInfo& info, Tensor host)
      : device_(&engine.device()), host_(std::move(host)) {
    if (device_->host_memory() || info.on_host) return;
    memory_ = device_->allocator().allocate(size() + 1, static_cast<size_t>(device_->facts().alignment));
    if (!memory_) throw Error(Code::kOutOfMemory, "no memory of the device for '" + info.name + "'");
    if (info.storage == plan::Storage::kInput) move(memory_, host_.data(), CopyKind::kHostToDevice);
  }
  Placed(Placed&& other) noexcept
      : device_(other.device_), host_(std::move(other.host_)), memory_(std::exchange(other.memory_, nullptr)) {}
  Placed& operator=(Placed&&) = delete;
  ~Placed() {
    if (memory_) device_->allocator().deallocate(memory_);
  }

  void* address() { return memory_ ? memory_ : const_cast<void*>(host_.data()); }
  // What the device holds now; its work is done.
  const Tensor& fetch() {
    if (!memory_) return host_;
    host_ = Tensor::allocate(host_.dtype(), host_.dims());
    move(host_.mutable_data(), memory_, CopyKind::kDeviceToHost);
    return host_;
  }

 private:
  size_t size() const { return static_cast<size_t>(host_.bytes()); }
  void move(void* to, const void* from, CopyKind kind) {
    Stream& stream = *device_->adopt_stream(nullptr);
    throw_if_error(device_->copy(stream, to, from, size(), kind));
    throw_if_error(stream.synchronize());
  }

  Device* device_;
  Tensor host_;
  void* memory_ = nullptr;
};

}  // namespace kiln::testing
