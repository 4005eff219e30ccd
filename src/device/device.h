// The device interface: memory, streams, events, graphs and kernels of whatever runs an engine. Implemented once per back end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "tensor/generated_kernel.h"
#include "tensor/layout.h"
#include "tensor/sharing.h"

namespace kiln {

class Stream;

// Where an engine's memory comes from. The user may supply one; every request of engine and context passes through it.
// Thread-safe. allocate returns null when it refuses. Sizes in bytes; alignment is a power of two.
class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual void* allocate(size_t size, size_t alignment) noexcept = 0;
  virtual void deallocate(void* memory) noexcept = 0;
  // Ordered in a stream: the memory is for work that is queued from now on, and goes once the work queued so far has run.
  virtual void* allocate_in(Stream& stream, size_t size, size_t alignment) noexcept;
  virtual void deallocate_in(Stream& stream, void* memory) noexcept;
};

// A point in a stream.
class Event {
 public:
  virtual ~Event() = default;
  virtual Status record(Stream& stream) noexcept = 0;
  virtual Status synchronize() noexcept = 0;
  virtual bool done() noexcept = 0;
  // Milliseconds between two events of one device; synchronises both. Negative when one has not been recorded, or was made without
  // timing.
  virtual double milliseconds_since(Event& earlier) noexcept = 0;
  // The handle under which the device's own programming interface knows it.
  virtual void* native() noexcept = 0;
};

// Work that a stream captured instead of running it. Shapes and addresses are those of the capture.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual Status launch(Stream& stream) noexcept = 0;
  virtual size_t size() const noexcept = 0;  // pieces of work
  // Takes over the addresses and parameters of a graph of the same shape; false, and nothing is changed, when it has another.
  virtual bool update(Graph& newer) noexcept = 0;
};

// An ordered queue of work. One thread at a time.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Status synchronize() noexcept = 0;
  virtual bool done() noexcept = 0;  // all that was queued has run, or failed
  // What is queued from now on runs after the event's last record. The host does not wait.
  virtual Status wait(Event& event) noexcept = 0;
  // Calls a function of the host between two pieces of work. It must not use the device.
  virtual Status call(void (*function)(void*), void* data) noexcept = 0;
  virtual void* native() noexcept = 0;
  // From begin to end, work is noted and not run. Waiting for a stream that captures breaks the capture: end_capture says so.
  virtual Status begin_capture() noexcept = 0;
  virtual Status end_capture(std::unique_ptr<Graph>& graph) noexcept = 0;
  virtual bool capturing() const noexcept = 0;
  virtual bool capture_valid() const noexcept { return true; }
  // Streams that run work in the thread that queues it, as the host's do, cannot note what a kernel does: while they capture, who
  // queues work hands it over here; null: what cannot be noted, which breaks the capture. False: the stream does not capture, or it
  // notes by itself. May throw std::bad_alloc.
  virtual bool note(std::function<Status(Stream&)> /*work*/) { return false; }
};

// A tensor as a kernel sees it. dims and strides (elements, per logical axis) have `rank` entries; blocked layouts have no
// strides (null) and are described by `layout`. `slot` is set for values that live on the host as Datum: sequences, optionals,
// strings, and results whose shape only the kernel can tell; such a kernel stores its result there.
struct TensorView {
  void* data = nullptr;  // in the memory of the step's device
  const int64_t* dims = nullptr;
  const int64_t* strides = nullptr;
  int rank = 0;
  DType dtype = DType::kInvalid;
  const Layout* layout = nullptr;
  Datum* slot = nullptr;
  const void* host = nullptr;  // constants: the same bytes where the host reads them; null for others
  bool present() const { return dtype != DType::kInvalid || slot; }
  int64_t elements() const;  // product of dims
  bool is_dense() const;     // row-major without gaps
};

struct KernelCall {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  void* workspace = nullptr;  // aligned as DeviceFacts::alignment says
  size_t workspace_size = 0;
};

// One step's executable in one context; one thread at a time.
class Kernel {
 public:
  virtual ~Kernel() = default;
  // Shapes are known; data pointers need not be, and must not be followed: the host reads constants through `host`. Computes all
  // that depends on shapes. May allocate.
  virtual Status prepare(const KernelCall& call) noexcept = 0;
  // Queues the work. Same shapes as in the last prepare. Neither allocates, nor locks, nor throws; kernels that work on slots
  // are exempt, and a library that a kernel calls may allocate inside.
  virtual Status launch(Stream& stream, const KernelCall& call) noexcept = 0;
  // Bytes of workspace wanted for the shapes of `call`, or kNoWorkspace; asked at build time with the largest shapes.
  virtual size_t workspace(const KernelCall&) noexcept { return 0; }
  // Which operands may be slots. The others are tensors with data, whatever the plan says.
  enum class Slots { kNone, kResults, kAll };
  virtual Slots takes_slots() const noexcept { return Slots::kNone; }
  // Which bytes its operands may share.
  virtual Sharing sharing() const noexcept { return Sharing::kNothing; }
};

// What the compiler made for a step. All of it may come from an untrusted file.
struct KernelSource {
  std::string_view kernel;
  const Attributes& parameters;
  const GeneratedKernel* code = nullptr;  // of a generated kernel, else null; not kept
};

// Throws kMalformedPlan when the step brings generated code: for kernels that take none.
void require_no_code(const KernelSource& source);

// A loaded step: immutable, shared by the contexts of an engine. Thread-safe.
class Executable {
 public:
  virtual ~Executable() = default;
  virtual std::unique_ptr<Kernel> create_kernel() const = 0;
};

// What is known of a device, as plain data. Rates are measured or from a data sheet; 0: not known.
struct DeviceFacts {
  std::string name;         // for people: "NVIDIA H200", "x86-64 avx512"
  std::string fingerprint;  // tuning and packing depend on it: processor, instruction set, library versions
  int64_t memory = 0;       // bytes
  int64_t cache = 0;        // bytes of the last-level cache
  int units = 1;            // cores or multiprocessors
  double bytes_per_second = 0;
  std::map<DType, double> operations_per_second = {};  // of matrix products, by element type
  int64_t alignment = 64;                              // of all memory, in bytes; a power of two
  bool host_memory = true;                             // it works on the host's memory
  // What a step of this device costs beyond its own time in an engine of another device of the same memory: the time of a step
  // counts so many milliseconds and so much in proportion more, because its threads go on waiting on the cores that the next steps want.
  double switch_milliseconds = 0, switch_factor = 1;
};

// kAny: the addresses tell, on devices whose memory has addresses of its own.
enum class CopyKind { kHostToDevice, kDeviceToHost, kDeviceToDevice, kAny };

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;  // the back end's name
  virtual int ordinal() const { return 0; }
  virtual const DeviceFacts& facts() const = 0;
  // False for one that this machine lacks, made from its facts: its kernels can be asked for workspaces and check parameters, and it has
  // neither memory nor streams.
  virtual bool is_present() const { return true; }
  const std::string& fingerprint() const { return facts().fingerprint; }
  bool host_memory() const { return facts().host_memory; }
  // What a step loses, in milliseconds, that waits for one of another stream, beside a step behind another in one stream; 0: work of
  // several streams does not run side by side.
  virtual double edge_milliseconds() const { return 0; }
  virtual int max_threads() const = 0;
  // Until the next call, kernels that the calling thread prepares and launches use at most so many threads; 0 lifts the limit.
  virtual void limit_threads(int /*most*/) noexcept {}
  // Libraries that its back end opens when it needs them, which this does: each with its version, or why it is not there.
  virtual std::map<std::string, std::string> libraries() const { return {}; }
  virtual int64_t free_memory() const noexcept = 0;  // bytes; negative when it cannot be told
  virtual Allocator& allocator() = 0;
  // Memory of the host from and to which copies run while the host goes on. That of other memory may make copies wait.
  virtual Allocator& staging() = 0;
  // Streams of higher priority have lower numbers; 0 is usual.
  virtual std::unique_ptr<Stream> create_stream(int priority = 0) = 0;
  virtual std::unique_ptr<Event> create_event(bool timing = true) = 0;
  // The stream or event behind a native handle that lives elsewhere; the default stream for null. Null for a handle that is known
  // to be none. The result belongs to the device. The same handle gives the same object.
  virtual Stream* adopt_stream(void* native) noexcept = 0;
  virtual Event* adopt_event(void* native) noexcept = 0;
  // Ordered in the stream. Copies from and to staging memory run while the host goes on: it must stay as it is until they have run.
  virtual Status copy(Stream& stream, void* to, const void* from, size_t size, CopyKind kind) noexcept = 0;
  virtual Status fill(Stream& stream, void* to, std::byte value, size_t size) noexcept = 0;
  // Whether kernels can follow an address that a program gives, and whether the host can; else why not, with what to do about it.
  virtual Status check_address(const void* /*address*/) const noexcept { return kOkStatus; }
  virtual Status check_host_address(const void* /*address*/) const noexcept { return kOkStatus; }
  // What the calling thread does from begin to end stands under that name in the time lines of tools that watch the device. Nested as
  // they are called; costs next to nothing where no tool does.
  virtual void begin_range(const char* /*name*/) noexcept {}
  virtual void end_range() noexcept {}
  // Null when the device has no kernel of that name. Throws Error when the parameters or the code are not sound: they are checked
  // here and in prepare.
  virtual std::shared_ptr<const Executable> load(const KernelSource& source) = 0;
  // The binary of a generated kernel, made again from the rest of it, which may come from an untrusted file. Takes a while; thread-safe.
  // Throws Error when there is no such generator, when the parameters are not sound, or when what it needs is not there.
  virtual std::vector<std::byte> generate(const GeneratedKernel& kernel);
  // A kernel of its own; null as above.
  std::unique_ptr<Kernel> create_kernel(std::string_view kernel, const Attributes& parameters,
                                        const GeneratedKernel* code = nullptr);
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

class NamedRange {
 public:
  NamedRange(Device& device, const char* name) noexcept : device_(device) { device_.begin_range(name); }
  ~NamedRange() { device_.end_range(); }
  NamedRange(const NamedRange&) = delete;
  NamedRange& operator=(const NamedRange&) = delete;

 private:
  Device& device_;
};

// Makes the device of an ordinal; null with a reason when it is not there. Called once for each ordinal; what it returns lives
// until the program ends. A library lib<prefix>_<name>.so shows one as kiln_create_device_<name>.
using CreateDevice = Device* (*)(int ordinal, std::string& reason);

// Opens a device by its back end's name, with an ordinal behind it or without ("name:1", "name"): from a library beside this one, or from what the program registered.
// Throws kNotFound with the reason. Thread-safe; the device lives until the program ends.
Device& open_device(const std::string& name);
// The same; null, with the reason, when it is not available.
Device* try_open_device(const std::string& name, std::string& reason);
// Makes a device known without a library. Before any use of that name.
void register_device(std::string name, CreateDevice create);
// From now on device 0 of the back end is the one of these facts, which this machine need not have: engines can be built for it, not
// run. Before any use of that back end. Throws kNotFound when its library knows no such devices, kInvalidState when it is in use.
// A library offers them as kiln_describe_device_<name>.
using DescribeDevice = Device* (*)(const DeviceFacts& facts, std::string& reason);
Device& describe_device(const std::string& back_end, const DeviceFacts& facts);

}  // namespace kiln
