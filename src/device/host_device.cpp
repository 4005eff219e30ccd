// Memory, streams and events of devices on the host.
#include "device/host_device.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <set>

namespace kiln {
namespace {

using Clock = std::chrono::steady_clock;

class HostAllocator final : public Allocator {
 public:
  void* allocate(size_t size, size_t alignment) noexcept override {
    void* memory = nullptr;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : nullptr;
  }
  void deallocate(void* memory) noexcept override { std::free(memory); }
};

// Handles that are alive, so that others are told apart without looking into them.
template <class T> class Living {
 public:
  void add(T* object) {
    std::lock_guard lock(mutex_);
    objects_.insert(object);
  }
  void remove(T* object) {
    std::lock_guard lock(mutex_);
    objects_.erase(object);
  }
  T* find(void* handle) {
    std::lock_guard lock(mutex_);
    const auto it = objects_.find(static_cast<T*>(handle));
    return it == objects_.end() ? nullptr : *it;
  }

 private:
  std::mutex mutex_;
  std::set<T*> objects_;
};

class HostStream;
class HostEvent;
// Never destroyed: streams of threads that end late still leave the list.
Living<HostStream>& living_streams() {
  static auto* instance = new Living<HostStream>;
  return *instance;
}
Living<HostEvent>& living_events() {
  static auto* instance = new Living<HostEvent>;
  return *instance;
}

using Work = std::vector<std::function<Status(Stream&)>>;

// Runs it now, or notes it when the stream captures.
template <class F> Status run_or_note(Stream& stream, F work) noexcept {
  if (!stream.capturing()) return work(stream);
  try {
    stream.note(std::move(work));
    return kOkStatus;
  } catch (const std::bad_alloc&) {
    return {Code::kOutOfMemory, "no memory to capture work"};
  }
}

class HostGraph final : public Graph {
 public:
  explicit HostGraph(Work work) : work_(std::move(work)) {}
  Status launch(Stream& stream) noexcept override {
    for (const auto& one : work_) KILN_RETURN_IF_ERROR(run_or_note(stream, one));
    return kOkStatus;
  }
  size_t size() const noexcept override { return work_.size(); }
  bool update(Graph& newer) noexcept override {
    auto& other = static_cast<HostGraph&>(newer);
    if (other.work_.size() != work_.size()) return false;
    work_.swap(other.work_);
    return true;
  }

 private:
  Work work_;
};

class HostStream final : public Stream {
 public:
  HostStream() { living_streams().add(this); }
  HostStream(const HostStream&) = delete;
  HostStream& operator=(const HostStream&) = delete;
  ~HostStream() override { living_streams().remove(this); }

  Status synchronize() noexcept override {
    if (!capturing_) return kOkStatus;
    valid_ = false;
    return {Code::kInvalidState, "a stream that captures cannot be waited for"};
  }
  bool done() noexcept override {
    valid_ = valid_ && !capturing_;
    return true;
  }
  Status wait(Event& event) noexcept override {
    // Work of the host has run when record returns; an event of a graph has been recorded by the time it is waited for.
    return run_or_note(*this, [&event](Stream&) { return event.synchronize(); });
  }
  Status call(void (*function)(void*), void* data) noexcept override {
    return run_or_note(*this, [function, data](Stream&) {
      function(data);
      return kOkStatus;
    });
  }
  void* native() noexcept override { return this; }
  Status begin_capture() noexcept override {
    if (capturing_) return {Code::kInvalidState, "the stream captures already"};
    capturing_ = valid_ = true;
    work_.clear();
    return kOkStatus;
  }
  Status end_capture(std::unique_ptr<Graph>& graph) noexcept override {
    graph.reset();
    if (!capturing_) return {Code::kInvalidState, "the stream does not capture"};
    capturing_ = false;
    Work work = std::move(work_);
    if (!valid_) return {Code::kInvalidState, "something in the capture could not be noted"};
    graph.reset(new (std::nothrow) HostGraph(std::move(work)));
    return graph ? kOkStatus : Status{Code::kOutOfMemory, "no memory for a graph"};
  }
  bool capturing() const noexcept override { return capturing_; }
  bool capture_valid() const noexcept override { return valid_; }
  bool note(std::function<Status(Stream&)> work) override {
    if (!capturing_) return false;
    if (work) work_.push_back(std::move(work));
    else valid_ = false;
    return true;
  }

 private:
  bool capturing_ = false, valid_ = true;
  Work work_;
};

class HostEvent final : public Event {
 public:
  explicit HostEvent(bool timing) : timing_(timing) { living_events().add(this); }
  HostEvent(const HostEvent&) = delete;
  HostEvent& operator=(const HostEvent&) = delete;
  ~HostEvent() override { living_events().remove(this); }

  Status record(Stream& stream) noexcept override {
    return run_or_note(stream, [this](Stream&) {
      at_ = Clock::now();
      recorded_ = true;
      return kOkStatus;
    });
  }
  Status synchronize() noexcept override { return kOkStatus; }
  bool done() noexcept override { return true; }
  double milliseconds_since(Event& earlier) noexcept override {
    const auto& from = static_cast<HostEvent&>(earlier);
    if (!(timing_ && from.timing_ && recorded_ && from.recorded_)) return -1;
    return std::chrono::duration<double, std::milli>(at_ - from.at_).count();
  }
  void* native() noexcept override { return this; }

 private:
  Clock::time_point at_{};
  bool timing_, recorded_ = false;
};

// Handles with a meaning of their own in programs of the field: null and 1 are the default stream, 2 the thread's own.
constexpr uintptr_t kPerThreadStream = 2;

// The kernel that showed that the parameters are sound is the first that is given out.
class HostExecutable final : public Executable {
 public:
  using Make = std::function<std::unique_ptr<Kernel>()>;
  HostExecutable(std::unique_ptr<Kernel> first, Make make) : make_(std::move(make)), first_(first.release()) {}
  HostExecutable(const HostExecutable&) = delete;
  ~HostExecutable() override { delete first_.load(); }
  std::unique_ptr<Kernel> create_kernel() const override {
    if (Kernel* first = first_.exchange(nullptr)) return std::unique_ptr<Kernel>(first);
    return make_();
  }

 private:
  Make make_;
  mutable std::atomic<Kernel*> first_;
};

}  // namespace

bool only_ordinal(int ordinal, std::string& reason) {
  if (ordinal == 0) return true;
  reason = "there is one such device, of ordinal 0";
  return false;
}

int64_t host_memory_bytes() { return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE); }

int64_t host_cache_bytes() {
  const int64_t third = sysconf(_SC_LEVEL3_CACHE_SIZE), second = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return std::max<int64_t>({third, second, 0});
}

const DeviceFacts& HostDevice::facts() const {
  std::call_once(once_, [this] { facts_ = make_facts(); });
  return facts_;
}

int64_t HostDevice::free_memory() const noexcept { return int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE); }

Allocator& HostDevice::allocator() {
  static HostAllocator instance;
  return instance;
}

std::unique_ptr<Stream> HostDevice::create_stream(int /*priority*/) { return std::make_unique<HostStream>(); }

std::unique_ptr<Event> HostDevice::create_event(bool timing) { return std::make_unique<HostEvent>(timing); }

Stream* HostDevice::adopt_stream(void* native) noexcept {
  const auto handle = reinterpret_cast<uintptr_t>(native);
  if (handle > kPerThreadStream) return living_streams().find(native);
  thread_local HostStream own;  // work of the host is in the order of its thread: there is no other default stream
  return &own;
}

Event* HostDevice::adopt_event(void* native) noexcept { return living_events().find(native); }

Status HostDevice::copy(Stream& stream, void* to, const void* from, size_t size, CopyKind /*kind*/) noexcept {
  if (size == 0) return kOkStatus;
  return run_or_note(stream, [to, from, size](Stream&) {
    std::memcpy(to, from, size);
    return kOkStatus;
  });
}

Status HostDevice::fill(Stream& stream, void* to, std::byte value, size_t size) noexcept {
  if (size == 0) return kOkStatus;
  return run_or_note(stream, [to, value, size](Stream&) {
    std::memset(to, static_cast<int>(value), size);
    return kOkStatus;
  });
}

std::shared_ptr<const Executable> HostDevice::load(const KernelSource& source) {
  std::unique_ptr<Kernel> first = make_kernel(source.kernel, source.parameters);
  if (!first) return nullptr;
  require_no_code(source);
  return std::make_shared<HostExecutable>(std::move(first),
                                          [this, kernel = std::string(source.kernel), parameters = source.parameters] {
                                            return make_kernel(kernel, parameters);
                                          });
}

}  // namespace kiln
