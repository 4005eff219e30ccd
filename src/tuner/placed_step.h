// A kernel with operands on its device, to be timed.
#pragma once
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "device/device.h"
#include "target/step_call.h"

namespace kiln {

// Device memory that is freed at the end.
class DeviceBlock {
 public:
  DeviceBlock(Allocator& allocator, size_t size);
  DeviceBlock(DeviceBlock&& other) noexcept
      : allocator_(other.allocator_), data_(std::exchange(other.data_, nullptr)) {}
  DeviceBlock& operator=(DeviceBlock&&) = delete;
  ~DeviceBlock();
  void* data() const { return data_; }

 private:
  Allocator* allocator_;
  void* data_;
};

// What a tactic emitted, ready to run at the problem's optimum: inputs hold plausible values, and constants lie on the device as
// often as its caches do not hold.
class PlacedStep {
 public:
  // Copies by `stream`. Throws Error when the kernel refuses its operands, or memory is short.
  PlacedStep(const Problem& problem, const Emitted& emitted, Device& device, Stream& stream);
  // `index` says which copy of the constants is read.
  Status launch(Stream& stream, int index) const { return kernel_->launch(stream, call(index)); }
  // Where the host's processor can evict them; elsewhere the copies serve.
  void make_constants_cold() const;

 private:
  struct Sample;
  static Sample sample(const Argument& a);
  double rotation() const;
  KernelCall call(int index) const;
  void* allocated(size_t size);
  void* place(const Tensor& tensor, Stream& stream);
  void* place(const Sample& sample, Stream& stream);
  void* place_output(const Argument& a, Stream& stream);
  void place_input(const Problem& problem, const Emitted& emitted, size_t i, Stream& stream);

  Device& device_;
  std::unique_ptr<Kernel> kernel_;
  StepCall step_;
  int copies_ = 1;
  bool flushes_ = false;  // constants leave the caches before each run
  std::vector<std::pair<const void*, size_t>> constants_;
  std::vector<std::vector<TensorView>> inputs_;  // by copy
  std::deque<DeviceBlock> blocks_;
  void* workspace_ = nullptr;
  size_t workspace_size_ = 0;
};

// Of what `queue` puts on the stream.
template <class Queue> double milliseconds_between(Event& start, Event& stop, Stream& stream, const Queue& queue) {
  throw_if_error(start.record(stream));
  queue();
  throw_if_error(stop.record(stream));
  throw_if_error(stream.synchronize());
  return stop.milliseconds_since(start);
}

// A replay of `queue` for each launch of a bundle, ready to run; null when it cannot be captured, or gives fewer launches than `each`
// for a turn.
template <class Queue> std::unique_ptr<Graph> captured(Stream& stream, int bundle, size_t each, const Queue& queue) {
  if (!stream.begin_capture().ok()) return nullptr;
  Status queued = kOkStatus;
  for (int i = 0; i < bundle && queued.ok(); ++i) queued = queue(i);
  std::unique_ptr<Graph> graph;
  if (!stream.end_capture(graph).ok() || !queued.ok() || !graph || graph->size() < each * static_cast<size_t>(bundle))
    return nullptr;
  throw_if_error(graph->launch(stream));  // the first launch prepares it
  throw_if_error(stream.synchronize());
  return graph;
}

}  // namespace kiln
