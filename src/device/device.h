// The device interface: memory, streams, events and kernels of whatever runs an engine. Implemented once per back end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "tensor/attributes.h"
#include "tensor/layout.h"
#include "tensor/sharing.h"

namespace kiln {

// Where an engine's memory comes from. The user may supply one; every request of engine and context passes through it.
// Thread-safe. allocate returns null when it refuses. Sizes in bytes; alignment is a power of two.
class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual void* allocate(size_t size, size_t alignment) noexcept = 0;
  virtual void deallocate(void* memory) noexcept = 0;
};

// An ordered queue of work. One thread at a time.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Status synchronize() noexcept = 0;
};

// A point in a stream.
class Event {
 public:
  virtual ~Event() = default;
  virtual Status record(Stream& stream) noexcept = 0;
  virtual Status synchronize() noexcept = 0;
  virtual bool done() noexcept = 0;
  // Milliseconds between two recorded events of one device; synchronises both.
  virtual double milliseconds_since(Event& earlier) noexcept = 0;
};

// A tensor as a kernel sees it. dims and strides (elements, per logical axis) have `rank` entries; blocked layouts have no
// strides (null) and are described by `layout`. `slot` is set for values that live on the host as Datum: sequences, optionals,
// strings, and results whose shape only the kernel can tell; such a kernel stores its result there.
struct TensorView {
  void* data = nullptr;
  const int64_t* dims = nullptr;
  const int64_t* strides = nullptr;
  int rank = 0;
  DType dtype = DType::kInvalid;
  const Layout* layout = nullptr;
  Datum* slot = nullptr;
  bool present() const { return dtype != DType::kInvalid || slot; }
  int64_t elements() const;  // product of dims
  bool is_dense() const;     // row-major without gaps
};

struct KernelCall {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  void* workspace = nullptr;  // 64-byte aligned
  size_t workspace_size = 0;
};

// One step's executable. Owned by one context; one thread at a time.
class Kernel {
 public:
  virtual ~Kernel() = default;
  // Shapes are known (data pointers need not be, except those of constants): compute all that depends on them. May allocate.
  virtual Status prepare(const KernelCall& call) noexcept = 0;
  // Queues the work. Same shapes as in the last prepare. Neither allocates, nor locks, nor throws; kernels that work on slots
  // are exempt, and a library that a kernel calls may allocate inside.
  virtual Status launch(Stream& stream, const KernelCall& call) noexcept = 0;
  // Bytes of workspace wanted for the shapes of `call`; asked at build time with the largest shapes.
  virtual size_t workspace(const KernelCall&) noexcept { return 0; }
  // Which operands may be slots. The others are tensors with data, whatever the plan says.
  enum class Slots { kNone, kResults, kAll };
  virtual Slots takes_slots() const noexcept { return Slots::kNone; }
  // Which bytes its operands may share.
  virtual Sharing sharing() const noexcept { return Sharing::kNothing; }
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;  // the back end's name
  // Identifies what tuning and packing depend on: processor, instruction set, library versions, number of threads.
  virtual std::string fingerprint() const = 0;
  virtual int max_threads() const = 0;
  // Until the next call, kernels that the calling thread prepares and launches use at most so many threads; 0 lifts the limit.
  virtual void limit_threads(int /*most*/) noexcept {}
  virtual Allocator& allocator() = 0;
  virtual std::unique_ptr<Stream> create_stream() = 0;
  virtual std::unique_ptr<Event> create_event() = 0;
  // Copies between any two of: host memory, device memory. Ordered in the stream.
  virtual Status copy(Stream& stream, void* to, const void* from, size_t size) noexcept = 0;
  // Null when the device has no kernel of that name or the parameters are not sound. Parameters may come from an untrusted
  // file: they are checked here and in prepare.
  virtual std::unique_ptr<Kernel> create_kernel(std::string_view kernel, const Attributes& parameters) = 0;
  // Null unless the device runs on memory that it does not share with the host.
  virtual bool host_memory() const = 0;
};

// A limit of threads as long as it lives; none when `most` is 0.
class ThreadLimit {
 public:
  ThreadLimit(std::span<Device* const> devices, int most) : devices_(most > 0 ? devices : devices.first(0)) {
    for (Device* device : devices_) device->limit_threads(most);
  }
  ~ThreadLimit() {
    for (Device* device : devices_) device->limit_threads(0);
  }
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  std::span<Device* const> devices_;
};

// Opens the device of a back end by name: a library lib<prefix>_<name>.so beside this one, or one that the program registered.
// Throws kNotFound with the reason. Thread-safe; the device lives until the program ends.
Device& open_device(const std::string& name);
// Makes a device known without a library. Before any use of that name.
void register_device(std::string name, Device* (*create)());

}  // namespace kiln
