// Streams, events and graphs of a GPU.
#pragma once
#include <utility>

#include "backends/cuda/device/gpu.h"

namespace kiln::cuda {

class CudaStream final : public Stream {
 public:
  // Takes over `handle`, or lends it from the program: then it is not destroyed.
  CudaStream(const Gpu& gpu, CUstream handle, bool owned) : gpu_(gpu), handle_(handle), owned_(owned) {}
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;
  ~CudaStream() override;

  Status synchronize() noexcept override;
  bool done() noexcept override;
  Status wait(Event& event) noexcept override;
  Status call(void (*function)(void*), void* data) noexcept override;
  void* native() noexcept override { return handle_; }
  Status begin_capture() noexcept override;
  Status end_capture(std::unique_ptr<Graph>& graph) noexcept override;
  bool capturing() const noexcept override { return capture_status() != CU_STREAM_CAPTURE_STATUS_NONE; }
  bool capture_valid() const noexcept override { return capture_status() != CU_STREAM_CAPTURE_STATUS_INVALIDATED; }
  // Whether the next kernel has to wait for the end of an event's work before it starts; asked once for each kernel.
  bool starts_behind_event() noexcept { return std::exchange(behind_event_, false); }

 private:
  CUstreamCaptureStatus capture_status() const noexcept;

  const Gpu& gpu_;
  CUstream handle_;
  bool owned_;
  bool behind_event_ = false;
};

class CudaEvent final : public Event {
 public:
  CudaEvent(const Gpu& gpu, CUevent handle, bool owned) : gpu_(gpu), handle_(handle), owned_(owned) {}
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;
  ~CudaEvent() override;

  Status record(Stream& stream) noexcept override;
  Status synchronize() noexcept override;
  bool done() noexcept override;
  double milliseconds_since(Event& earlier) noexcept override;
  void* native() noexcept override { return handle_; }

 private:
  const Gpu& gpu_;
  CUevent handle_;
  bool owned_;
};

// Throw Error.
std::unique_ptr<Stream> create_stream(const Gpu& gpu, int priority);
std::unique_ptr<Event> create_event(const Gpu& gpu, bool timing);

}  // namespace kiln::cuda
