// The device and the target "pretend".
#include "pretend/pretend.h"

#include <atomic>
#include <cstring>
#include <mutex>
#include <set>

#include "passes/pass.h"
#include "pretend/memory.h"
#include "pretend/program_text.h"
#include "pretend/stream.h"

namespace kiln::pretend {
namespace {

std::atomic<int> allocations_left{-1};
std::atomic<bool> generates_kernels{true};

// Refuses as the tests ask.
class Pool final : public Allocator {
 public:
  void* allocate(size_t size, size_t alignment) noexcept override {
    int left = allocations_left;
    if (left == 0) return nullptr;
    if (left > 0) --allocations_left;
    return memory.allocate(size, alignment);
  }
  void deallocate(void* block) noexcept override { memory.deallocate(block); }
  Memory memory;
};

// Memory of the host from which copies run late.
class Staging final : public Allocator {
 public:
  void* allocate(size_t size, size_t alignment) noexcept override {
    void* block = nullptr;
    if (posix_memalign(&block, std::max(alignment, sizeof(void*)), std::max<size_t>(size, 1)) != 0) return nullptr;
    const std::lock_guard lock(mutex_);
    blocks_[static_cast<std::byte*>(block)] = size;
    return block;
  }
  void deallocate(void* block) noexcept override {
    const std::lock_guard lock(mutex_);
    blocks_.erase(static_cast<std::byte*>(block));
    std::free(block);
  }
  bool holds(const void* data) const noexcept {
    const std::lock_guard lock(mutex_);
    auto* at = static_cast<std::byte*>(const_cast<void*>(data));
    auto it = blocks_.upper_bound(at);
    if (it == blocks_.begin()) return false;
    --it;
    return at < it->first + it->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::byte*, size_t> blocks_;
};

// Bytes from the first to the last element.
size_t extent(const TensorView& v) {
  if (v.elements() == 0) return 0;
  int64_t last = 0;
  if (!v.strides && v.rank > 0) last = storage_elements(*v.layout, Dims(v.dims, v.dims + v.rank)) - 1;
  for (int i = 0; v.strides && i < v.rank; ++i) last += (v.dims[i] - 1) * v.strides[i];
  return static_cast<size_t>(byte_size(v.dtype, last + 1).value_or(0));
}

// A kernel of the CPU on the device's memory. What it looks at is its own: the caller's views change while work is queued.
class LateKernel final : public Kernel {
 public:
  LateKernel(std::unique_ptr<Kernel> inner, Memory& memory) : state_(std::make_shared<State>()), memory_(memory) {
    state_->inner = std::move(inner);
  }
  Status prepare(const KernelCall& call) noexcept override {
    while (state_->pending > 0) std::this_thread::yield();
    auto next = std::make_shared<State>();  // what is queued later sees these views
    next->inner = state_->inner;
    next->keep(call);
    for (TensorView& v : next->inputs) v.data = const_cast<void*>(v.host);
    for (TensorView& v : next->outputs) v.data = nullptr;
    const Status status = next->inner->prepare(next->call(call.workspace, call.workspace_size));
    state_ = std::move(next);
    return status;
  }
  Status launch(Stream& stream, const KernelCall& call) noexcept override {
    std::vector<void*> data;
    for (const auto* views : {&call.inputs, &call.outputs})
      for (const TensorView& v : *views) {
        if (v.present() && extent(v) > 0 && !memory_.holds(v.data, extent(v)))
          return {Code::kInvalidArgument, "a kernel of the device was given memory that is not the device's"};
        data.push_back(v.data);
      }
    if (call.workspace_size > 0 && !memory_.holds(call.workspace, call.workspace_size))
      return {Code::kInvalidArgument, "a kernel's workspace is not the device's memory"};
    std::vector<Touch> touches;
    if (is_watching()) {
      for (const TensorView& v : call.inputs) add_touches(touches, v, false);
      for (const TensorView& v : call.outputs) add_touches(touches, v, true);
      const auto workspace = reinterpret_cast<uintptr_t>(call.workspace);
      if (call.workspace_size > 0) touches.push_back({workspace, workspace + call.workspace_size, true});
    }
    const bool waits = !stream.capturing();  // a graph need never be launched
    if (waits) ++state_->pending;
    const auto work = [waits, state = state_, data = std::move(data), workspace = call.workspace,
                       size = call.workspace_size, &memory = memory_] {
      const Status status = memory.with_access([&] {
        size_t next = 0;
        for (auto* views : {&state->inputs, &state->outputs})
          for (TensorView& v : *views) v.data = data[next++];
        return state->inner->launch(host_stream(), state->call(workspace, size));
      });
      if (waits) --state->pending;
      return status;
    };
    const Status queued = static_cast<LateStream&>(stream).submit(work, touches);
    if (!queued.ok() && waits) --state_->pending;
    return queued;
  }
  size_t workspace(const KernelCall& call) noexcept override { return state_->inner->workspace(call); }
  Sharing sharing() const noexcept override { return state_->inner->sharing(); }

 private:
  static Stream& host_stream() {
    thread_local const std::unique_ptr<Stream> stream = open_device("cpu").create_stream();
    return *stream;
  }

  struct State {
    std::shared_ptr<Kernel> inner;
    std::vector<TensorView> inputs, outputs;
    std::vector<std::unique_ptr<Dims>> numbers;
    std::vector<std::unique_ptr<Layout>> layouts;
    std::atomic<int> pending{0};

    void keep(const KernelCall& from) {
      keep_list(from.inputs, inputs);
      keep_list(from.outputs, outputs);
    }
    void keep_list(std::span<const TensorView> from, std::vector<TensorView>& to) {
      for (TensorView v : from) {
        const auto held = [&](const int64_t* list) {
          numbers.push_back(std::make_unique<Dims>(list, list + v.rank));
          return numbers.back()->data();
        };
        if (v.dims) v.dims = held(v.dims);
        if (v.strides) v.strides = held(v.strides);
        if (v.layout) v.layout = layouts.emplace_back(std::make_unique<Layout>(*v.layout)).get();
        to.push_back(v);
      }
    }
    KernelCall call(void* workspace, size_t size) const { return {inputs, outputs, workspace, size}; }
  };

  std::shared_ptr<State> state_;
  Memory& memory_;
};

class LateExecutable final : public Executable {
 public:
  LateExecutable(std::shared_ptr<const Executable> inner, Memory& memory) : inner_(std::move(inner)), memory_(memory) {}
  std::unique_ptr<Kernel> create_kernel() const override {
    return std::make_unique<LateKernel>(inner_->create_kernel(), memory_);
  }

 private:
  std::shared_ptr<const Executable> inner_;
  Memory& memory_;
};

struct RangeLog {
  std::mutex mutex;
  bool watches = false;
  std::vector<std::string> seen;
};
RangeLog& range_log() {
  static RangeLog log;
  return log;
}
void note_range(const char* name) noexcept {
  RangeLog& log = range_log();
  std::lock_guard lock(log.mutex);
  if (log.watches) log.seen.emplace_back(name);
}

class PretendDevice final : public Device {
 public:
  explicit PretendDevice(int ordinal) : ordinal_(ordinal) {
    facts_ = {
        .name = "pretend device " + std::to_string(ordinal), .fingerprint = "pretend", .memory = int64_t{2} << 30};
    facts_.units = open_device("cpu").facts().units;
    facts_.alignment = 256;
    facts_.host_memory = false;
  }
  std::string_view name() const override { return "pretend"; }
  int ordinal() const override { return ordinal_; }
  const DeviceFacts& facts() const override { return facts_; }
  int max_threads() const override { return facts_.units; }
  double edge_milliseconds() const override { return 0.0005; }
  int64_t free_memory() const noexcept override { return is_lost() ? -1 : facts_.memory - pool_.memory.in_use(); }
  Allocator& allocator() override { return pool_; }
  Allocator& staging() override { return staging_; }
  std::unique_ptr<Stream> create_stream(int) override { return std::make_unique<LateStream>(); }
  std::unique_ptr<Event> create_event(bool timing) override { return std::make_unique<LateEvent>(timing); }
  Status check_address(const void* address) const noexcept override {
    if (pool_.memory.touches(address)) return kOkStatus;
    return {Code::kInvalidArgument, "the address lies in memory of the host; copy it to memory of the device"};
  }
  Status check_host_address(const void* address) const noexcept override {
    if (!pool_.memory.touches(address)) return kOkStatus;
    return {Code::kInvalidArgument, "the address lies in memory of the device; give one of the host"};
  }
  void begin_range(const char* name) noexcept override { note_range(name); }
  void end_range() noexcept override { note_range("end"); }
  Stream* adopt_stream(void* native) noexcept override {
    if (!native) return &default_stream_;
    return static_cast<LateStream*>(native);
  }
  Event* adopt_event(void* native) noexcept override { return static_cast<LateEvent*>(native); }

  Status copy(Stream& stream, void* to, const void* from, size_t size, CopyKind kind) noexcept override {
    if (size == 0) return kOkStatus;
    const bool to_device = pool_.memory.touches(to), from_device = pool_.memory.touches(from);
    const bool as_said = kind == CopyKind::kAny || (to_device == (kind != CopyKind::kDeviceToHost) &&
                                                    from_device == (kind != CopyKind::kHostToDevice));
    if (!as_said || (to_device && !pool_.memory.holds(to, size)) || (from_device && !pool_.memory.holds(from, size)))
      return {Code::kInvalidArgument, "a copy was given a pointer of the host for one of the device, or the reverse"};
    auto& late = static_cast<LateStream&>(stream);
    const auto read = reinterpret_cast<uintptr_t>(from), written = reinterpret_cast<uintptr_t>(to);
    const Touch touches[] = {{read, read + size, false}, {written, written + size, true}};
    const auto work = [to, from, size, this] {
      return pool_.memory.with_access([&] {
        std::memmove(to, from, size);
        return kOkStatus;
      });
    };
    KILN_RETURN_IF_ERROR(late.submit(work, touches));
    // Other memory of the host has been read, or written, when the copy returns.
    const bool waits = (!to_device && !staging_.holds(to)) || (!from_device && !staging_.holds(from));
    return waits && !late.capturing() ? late.synchronize() : kOkStatus;
  }
  Status fill(Stream& stream, void* to, std::byte value, size_t size) noexcept override {
    if (size == 0) return kOkStatus;
    if (!pool_.memory.holds(to, size)) return {Code::kInvalidArgument, "the memory to fill is not the device's"};
    const auto begin = reinterpret_cast<uintptr_t>(to);
    const Touch touch[] = {{begin, begin + size, true}};
    const auto work = [to, value, size, this] {
      return pool_.memory.with_access([&] {
        std::memset(to, static_cast<int>(value), size);
        return kOkStatus;
      });
    };
    return static_cast<LateStream&>(stream).submit(work, touch);
  }
  std::shared_ptr<const Executable> load(const KernelSource& source) override {
    auto inner = source.kernel == kProgramText ? load_program_text(source) : open_device("cpu").load(source);
    return inner ? std::make_shared<LateExecutable>(std::move(inner), pool_.memory) : nullptr;
  }
  std::vector<std::byte> generate(const GeneratedKernel& kernel) override {
    if (!generates_kernels)
      throw Error(Code::kUnsupported, "the pretend device cannot generate kernels now")
          .cause("a test took its generator away")
          .remedy("load the engine with trust in its kernels");
    return program_text(kernel);
  }
  int64_t in_use() const { return pool_.memory.in_use(); }

 private:
  int ordinal_;
  DeviceFacts facts_;
  Pool pool_;
  Staging staging_;
  LateStream default_stream_;
};

PretendDevice* devices[kDevices];

Device* create(int ordinal, std::string& reason) {
  if (ordinal < 0 || ordinal >= kDevices) {
    reason = "there are " + std::to_string(kDevices) + " pretend devices";
    return nullptr;
  }
  return devices[ordinal] = new PretendDevice(ordinal);
}

// Operators that the device lacks.
const std::set<std::string> kHostOnly = {"top_k", "cumulative", "lrn", "hardmax", "gather_scatter", "integer_product"};

class PretendTarget final : public Target {
 public:
  PretendTarget() : cpu_(find_target("cpu")) {
    std::vector<const Tactic*> list;
    for (const Tactic* tactic : cpu_.tactics().all()) {
      if (!tactic->device.empty() || tactic->sizes_results || kHostOnly.contains(tactic->name)) continue;
      auto copy = std::make_unique<Tactic>(*tactic);
      copy->emit = [tactic](const Problem& p, const Config& c) {
        Emitted emitted = tactic->emit(p, c);
        emitted.device = "pretend";
        if (emitted.kernel != "pointwise") return emitted;
        emitted.kernel = kProgramText;
        emitted.code = generate_program_text(std::exchange(emitted.parameters, {}));
        return emitted;
      };
      list.push_back(copy.get());
      own_.push_back(std::move(copy));
    }
    list_ = std::make_unique<TacticList>(std::move(list));
  }
  std::string_view name() const override { return "pretend"; }
  Device& device() const override { return open_device("pretend"); }
  std::vector<passes::Pass> pipeline(const TargetOptions& options) const override { return cpu_.pipeline(options); }
  const TacticList& tactics() const override { return *list_; }
  passes::FusionLimits fusion() const override { return cpu_.fusion(); }
  bool computes_in(DType type) const override { return cpu_.computes_in(type); }
  const Target* fallback() const override { return &cpu_; }

 private:
  const Target& cpu_;
  std::vector<std::unique_ptr<Tactic>> own_;
  std::unique_ptr<TacticList> list_;
};

}  // namespace

void register_pretend() {
  static std::once_flag once;
  std::call_once(once, [] {
    register_device("pretend", create);
    static const PretendTarget target;
    register_target(target);
  });
}

std::vector<std::string> every_target() {
  register_pretend();
  std::vector<std::string> names;
  std::string reason;
  for (const Target* target : all_targets())
    if (try_open_device(std::string(target->name()), reason)) names.emplace_back(target->name());
  return names;
}

void fail_allocations_after(int count) { allocations_left = count; }
void watch_races(bool on) { set_watching(on); }
void let_generate(bool generates) { generates_kernels = generates; }
void lose_device(bool lost) { set_lost(lost); }
void lose_device_after(int64_t pieces) { set_lost_after(pieces); }

void refuse_captures(bool on) { set_refusing_captures(on); }
int64_t graph_updates() { return graph_update_count(); }

int64_t memory_in_use() {
  int64_t total = 0;
  for (const PretendDevice* device : devices) total += device ? device->in_use() : 0;
  return total;
}

int64_t work_done() { return work_count(); }
void watch_ranges(bool on) {
  RangeLog& log = range_log();
  std::lock_guard lock(log.mutex);
  log.watches = on;
  log.seen.clear();
}
std::vector<std::string> seen_ranges() {
  RangeLog& log = range_log();
  std::lock_guard lock(log.mutex);
  return log.seen;
}

}  // namespace kiln::pretend
