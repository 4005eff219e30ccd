// What the parts of include/kiln/kiln.h share.
#pragma once
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/engine_notes.h"
#include "base/error.h"
#include "ir/graph.h"
#include "kiln/kiln.h"
#include "runtime/context.h"

namespace kiln::api {

struct Engine::State {
  std::shared_ptr<kiln::Engine> engine;
  std::string report;
  std::vector<std::string> patches;  // that the build applied, in order
  EngineNotes notes;                 // what the engine says about its build
  std::unique_ptr<ir::Graph> graph;  // as it was lowered, when it was kept
  static std::shared_ptr<State> open(const std::string& path, const kiln::LoadOptions& options);
};

// Turns internal errors into the public one.
template <class F> auto guarded(F&& f) {
  try {
    return f();
  } catch (const Failure&) {
    throw;
  } catch (const Error& e) {
    throw Failure(e.what());
  } catch (const std::bad_alloc&) {
    throw Failure(Error(Code::kOutOfMemory, "there is not enough memory").what());
  } catch (const std::filesystem::filesystem_error& e) {
    throw Failure(Error(Code::kIo, "cannot use '" + e.path1().string() + "'").cause(e.code().message()).what());
  } catch (const std::exception& e) {
    throw Failure(Error(Code::kInternal, e.what()).what());
  }
}

inline const plan::TensorInfo& tensor(const kiln::Engine& engine, int32_t index) {
  return engine.main().tensors[static_cast<size_t>(index)];
}

// Name, operator, back end, kernel, tactic, origins, inputs and outputs of a step.
LayerInfo describe_step(const kiln::Engine& engine, size_t step);

// A file of calibration, which errors call `what`; and its text. Throw Error.
Calibration parse_calibration(std::string_view text, const std::string& what);
std::string calibration_text(const Calibration& calibration, bool tensorrt);

// Inputs, then outputs, with the names of dynamic dimensions.
std::vector<IoTensor> io_of(const ir::Graph& graph);

// The graph's arguments in order; throws kNotFound when one is not given.
std::vector<Datum> arguments_of(const ir::Graph& graph, const Values& inputs);

struct Session::State {
  std::shared_ptr<kiln::Engine> engine;
  std::unique_ptr<Context> context;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Event> start, stop;
  // Of an input or output on the host: memory of the session, or what borrows from `bound`. It holds the elements as the engine's layout
  // places them.
  struct Held {
    Dims dims;
    Tensor memory;  // of one dimension
    size_t bytes() const { return static_cast<size_t>(memory.bytes()); }
  };
  std::map<int32_t, Held> buffers;
  struct Memory {
    void* data;
    size_t bytes;
  };
  // Memory that an allocator of a device gives.
  class Block {
   public:
    Block(Device& device, Allocator& allocator, size_t size) : allocator_(allocator), size_(size) {
      data_ = allocator_.allocate(std::max<size_t>(size, 1), static_cast<size_t>(device.facts().alignment));
      if (!data_) throw Error(Code::kOutOfMemory, "no " + std::to_string(size) + " bytes of the device's memory");
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { allocator_.deallocate(data_); }
    void* data() const { return data_; }
    size_t size() const { return size_; }

   private:
    Allocator& allocator_;
    void* data_;
    size_t size_;
  };
  std::map<int32_t, std::unique_ptr<Block>> blocks;  // of the device
  std::map<int32_t, std::unique_ptr<Block>> staged;  // of the host, for copies that are timed; inputs have their values
  std::map<int, std::unique_ptr<Event>> marks;
  bool uses_graphs = false;
  std::string no_graph;             // why inferences are queued all the same
  std::unique_ptr<Graph> graph;     // of the inference that was captured last
  bool ran = false;                 // an inference has had the shapes and memory of now
  bool captured = false;            // and so has the graph
  std::vector<std::byte> given;     // what it made shapes of, one behind the other
  std::map<int32_t, Memory> bound;  // memory of the caller
  int threads = 0;
  std::map<std::string, std::vector<std::byte>> sized_outputs;
  bool shapes_changed = true;
  bool started = false;  // record_start was called

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (stream) static_cast<void>(stream->synchronize());  // what is queued uses the memory
  }

  int32_t index(const std::string& name) const {
    if (auto t = engine->find_io(name)) return *t;
    throw Error(Code::kNotFound, "the engine has no input or output '" + name + "'");
  }
  void check(Status status) const {
    if (!status.ok()) throw Error(status.code, context->error_text());
  }
  // Memory for the tensor's present shape.
  void buffer(int32_t t, const std::vector<int64_t>& dims) {
    if (const auto known = buffers.find(t); known != buffers.end() && known->second.dims == dims) return;
    const plan::TensorInfo& info = tensor(*engine, t);
    ran = false;
    buffers.erase(t);
    const auto own = bound.find(t);
    const int64_t elements = storage_elements(info.layout, dims);
    const auto needed = byte_size(info.dtype, elements);
    if (own != bound.end() && (!needed || static_cast<uint64_t>(*needed) > own->second.bytes))
      throw Error(Code::kInvalidArgument,
                  "the memory bound to '" + info.name + "' has " + std::to_string(own->second.bytes) + " bytes")
          .cause("its shape is " + to_string(dims) + ", which takes " + std::to_string(needed.value_or(-1)) + " bytes");
    if (own != bound.end() && !on_device(t)) {
      buffers[t] = {dims, Tensor::borrow(info.dtype, {elements}, static_cast<const std::byte*>(own->second.data))};
      return check(context->set_address(t, own->second.data));
    }
    Held& held = buffers.emplace(t, Held{dims, Tensor::allocate(info.dtype, {elements})}).first->second;
    check(context->set_address(t, on_device(t) ? device_memory(t) : held.memory.mutable_data()));
  }
  const Held& held(int32_t t) const {
    const auto known = buffers.find(t);
    if (known == buffers.end())
      throw Error(Code::kShapeNotSet, "'" + tensor(*engine, t).name + "' has no memory yet")
          .remedy("set the inputs before anything is copied");
    return known->second;
  }

  // The engine reads or writes it in memory that the host does not see; the host's tensor is a copy.
  bool on_device(int32_t t) const { return engine->plan().device_memory && !tensor(*engine, t).on_host; }
  void* device_memory(int32_t t) {
    if (const auto own = bound.find(t); own != bound.end()) return own->second.data;
    auto& block = blocks[t];
    const size_t size = held(t).bytes();
    if (!block || block->size() < size) {
      throw_if_error(stream->synchronize());
      block = std::make_unique<Block>(engine->device(), engine->device().allocator(), size);
    }
    return block->data();
  }
  // Shapes and memory for the inputs as they are.
  void settle() {
    if (!shapes_changed) return;
    guarded([&] {
      const ThreadLimit limit(engine->devices(), threads);
      check(context->prepare());
      for (int32_t t : engine->main().outputs)
        if (tensor(*engine, t).storage != plan::Storage::kSlot) buffer(t, *context->dims(t));
    });
    shapes_changed = false;
  }
  // What only the first inference does is not noted, nor does the first wait for a capture: shapes may be had only once.
  void launch() {
    const ThreadLimit limit(engine->devices(), threads);
    const bool by_graph = uses_graphs && !context->is_watched();
    if (by_graph && !has_given_values()) ran = false;
    if (by_graph && ran && !captured) guarded([&] { capture(); });
    if (by_graph && ran && captured) {
      if (Status s = graph->launch(*stream); !s.ok()) guarded([&] { throw_if_error(s); });
      return;
    }
    if (Status s = context->enqueue(*stream); !s.ok()) guarded([&] { check(s); });
    if (!by_graph || ran) return;
    guarded([&] { keep_given_values(); });
    ran = true;
    captured = false;
  }

  void mark(int number) {
    auto& event = marks[number];
    if (!event) event = engine->device().create_event();
    throw_if_error(event->record(*stream));
  }
  double between(int earlier, int later) { return marks.at(later)->milliseconds_since(*marks.at(earlier)); }
  // Staging memory of a tensor that the session holds on the device; null for others, and for one without elements.
  Block* staging_of(int32_t t) {
    if (!on_device(t) || bound.count(t) || tensor(*engine, t).storage == plan::Storage::kSlot) return nullptr;
    const Held& host = held(t);
    if (host.bytes() == 0) return nullptr;
    auto& block = staged[t];
    if (!block || block->size() != host.bytes()) {
      throw_if_error(stream->synchronize());
      block = std::make_unique<Block>(engine->device(), engine->device().staging(), host.bytes());
      std::memcpy(block->data(), host.memory.data(), block->size());
    }
    return block.get();
  }
  void upload_all() {
    for (int32_t t : engine->main().inputs)
      if (const Block* from = staging_of(t))
        throw_if_error(
            engine->device().copy(*stream, device_memory(t), from->data(), from->size(), CopyKind::kHostToDevice));
  }
  void download_all() {
    for (int32_t t : engine->main().outputs)
      if (Block* to = staging_of(t))
        throw_if_error(
            engine->device().copy(*stream, to->data(), device_memory(t), to->size(), CopyKind::kDeviceToHost));
  }

  // Calls f with the bytes of each input that the host makes shapes of.
  template <class F> void for_each_value(const F& f) const {
    if (!engine->plan().device_memory) return;
    for (int32_t t : engine->main().inputs) {
      const auto known = buffers.find(t);
      if (!tensor(*engine, t).on_host || known == buffers.end()) continue;
      f(std::span(static_cast<const std::byte*>(known->second.memory.data()), known->second.bytes()));
    }
  }
  bool has_given_values() const {
    size_t at = 0;
    bool same = true;
    for_each_value([&](std::span<const std::byte> value) {
      same = same && value.size() <= given.size() - at &&
             std::equal(value.begin(), value.end(), given.begin() + static_cast<std::ptrdiff_t>(at));
      if (same) at += value.size();
    });
    return same && at == given.size();
  }

  void keep_given_values() {
    given.clear();
    for_each_value([&](std::span<const std::byte> value) { given.insert(given.end(), value.begin(), value.end()); });
  }

  // An inference as the context is; null where it cannot be captured, and inferences are queued from now on.
  std::unique_ptr<Graph> noted() {
    throw_if_error(stream->synchronize());
    std::unique_ptr<Graph> graph_of_now;
    Status done = stream->begin_capture();
    std::string text;
    if (done.ok()) {
      const Status queued = context->enqueue(*stream);
      if (!queued.ok()) text = context->error_text();
      const Status ended = stream->end_capture(graph_of_now);
      done = queued.ok() ? ended : queued;
    }
    uses_graphs = done.ok();
    if (uses_graphs) return graph_of_now;
    no_graph = text.empty() ? done.detail : text;
    return nullptr;
  }
  // Where the graph is of the same form as the one before, that takes over its addresses, which costs less than another.
  void capture() {
    auto newer = noted();
    captured = newer != nullptr;
    if (captured && (!graph || !graph->update(*newer))) graph = std::move(newer);
  }
  void upload(int32_t t) {
    if (on_device(t))
      throw_if_error(engine->device().copy(*stream, device_memory(t), held(t).memory.data(), held(t).bytes(),
                                           CopyKind::kHostToDevice));
  }
  void download(int32_t t) {
    if (!on_device(t)) return;
    const Held& host = held(t);
    throw_if_error(engine->device().copy(*stream, const_cast<void*>(host.memory.data()), device_memory(t), host.bytes(),
                                         CopyKind::kDeviceToHost));
    throw_if_error(stream->synchronize());
  }
};

}  // namespace kiln::api
