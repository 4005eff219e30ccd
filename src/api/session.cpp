// kiln::api::Session: one inference at a time.
#include <chrono>
#include <cstring>
#include <new>

#include "api/host_tensor.h"
#include "api/host_value.h"
#include "api/kiln_api.h"
#include "tensor/blocks.h"
#include "tensor/number_text.h"

namespace kiln::api {
namespace {

// From row-major order to the layout, or back. `bytes`: of the elements.
void move_elements(const Layout& layout, const Dims& dims, int size, const std::byte* from, std::byte* to, size_t bytes,
                   bool there) {
  if (bytes == 0) return;
  if (layout.is_row_major()) {
    std::memcpy(to, from, bytes);
    return;
  }
  const Dims steps = block_strides(layout, dims);
  const Layout::Block block = layout.is_plain() ? Layout::Block{-1, 1} : layout.blocks[0];
  Dims index(dims.size(), 0);
  const auto width = static_cast<size_t>(size);
  for (size_t i = 0; i * width < bytes; ++i) {
    int64_t at = 0;
    for (size_t d = 0; d < dims.size(); ++d) {
      const int64_t size_of_block = static_cast<int>(d) == block.axis ? block.size : 1;
      at += index[d] / size_of_block * steps[d] + index[d] % size_of_block;
    }
    const size_t place = static_cast<size_t>(at) * width;
    std::memcpy(to + (there ? place : i * width), from + (there ? i * width : place), width);
    for (size_t d = dims.size(); d-- > 0 && ++index[d] == dims[d];) index[d] = 0;
  }
}

void require_numbers(const kiln::Engine& engine, int32_t t, const char* instead) {
  const plan::TensorInfo& info = tensor(engine, t);
  if (info.kind != Datum::kTensor || info.dtype == DType::kString)
    throw Error(Code::kTypeMismatch, "'" + info.name + "' is no tensor of numbers")
        .remedy(std::string("use Session::") + instead);
}

}  // namespace

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session Engine::create_session(int threads) const {
  return guarded([&] {
    if (threads < 0) throw Error(Code::kInvalidArgument, "a session of " + std::to_string(threads) + " threads");
    auto state = std::make_unique<Session::State>();
    state->engine = state_->engine;
    state->threads = threads;
    state->context = state->engine->create_context();
    state->stream = state->engine->device().create_stream();
    state->start = state->engine->device().create_event();
    state->stop = state->engine->device().create_event();
    auto* outputs = &state->sized_outputs;
    state->context->set_output_allocate([outputs](std::string_view name, size_t size) -> void* {
      try {
        auto& bytes = (*outputs)[std::string(name)];
        bytes.resize(size);
        return bytes.data();
      } catch (const std::bad_alloc&) {
        return nullptr;
      }
    });
    return Session(std::move(state));
  });
}

Session::State& Session::state() const {
  if (!state_)
    throw Failure(
        Error(Code::kInvalidState, "the session was moved away").remedy("use the session that it was moved to").what());
  return *state_;
}

void Session::set_profile(int profile) {
  guarded([&] { state().check(state().context->set_profile(profile)); });
  state().ran = false;
  state().shapes_changed = true;
}

void Session::set_shape(const std::string& input, const std::vector<int64_t>& dims) {
  guarded([&] {
    const int32_t t = state().index(input);
    require_numbers(*state().engine, t, "set_value");
    state().check(state().context->set_input_dims(t, dims));
    state().buffer(t, dims);
    state().shapes_changed = true;
  });
}

void Session::set_input(const std::string& input, const HostTensor& host) {
  set_shape(input, host.dims);
  guarded([&] {
    const int32_t t = state().index(input);
    const plan::TensorInfo& info = tensor(*state().engine, t);
    const State::Held& held = state().held(t);
    if (host.type != name(info.dtype))
      throw Error(Code::kTypeMismatch,
                  "input '" + input + "' is " + std::string(name(info.dtype)) + ", the given tensor is " + host.type);
    if (static_cast<int64_t>(host.data.size()) != byte_size(info.dtype, kiln::element_count(held.dims)))
      throw Error(Code::kShapeMismatch,
                  "the tensor given for '" + input + "' has " + std::to_string(host.data.size()) + " bytes");
    move_elements(info.layout, held.dims, bits(info.dtype) / 8, host.data.data(),
                  static_cast<std::byte*>(const_cast<void*>(held.memory.data())), host.data.size(), true);
    state().upload(t);
    state().staged.erase(t);
  });
}

void Session::set_value(const std::string& input, const HostValue& value) {
  guarded([&] {
    state().check(state().context->set_input_value(state().index(input), from_host_value(value)));
    state().shapes_changed = true;
  });
}

void Session::bind(const std::string& name, void* memory, size_t bytes) {
  guarded([&] {
    const int32_t t = state().index(name);
    if (tensor(*state().engine, t).storage == plan::Storage::kSlot)
      throw Error(Code::kInvalidArgument, "the size of output '" + name + "' is known only when running")
          .remedy("take it with Session::output");
    if (reinterpret_cast<uintptr_t>(memory) % plan::kAlignment != 0)
      throw Error(Code::kInvalidArgument, "the memory for '" + name + "' does not begin at a multiple of 64");
    if (memory) state().bound[t] = {memory, bytes};
    else state().bound.erase(t);
    state().buffers.erase(t);
    state().ran = false;
    if (const auto* dims = state().context->dims(t)) state().buffer(t, *dims);
    state().shapes_changed = true;
  });
}

void Session::enqueue() {
  state().settle();
  state().launch();
}

InferenceTimes Session::timed(bool copies) {
  return guarded([&] {
    State& s = state();
    s.settle();
    const auto start = std::chrono::steady_clock::now();
    if (copies) s.mark(0), s.upload_all();
    s.mark(1);
    s.launch();
    s.mark(2);
    if (copies) s.download_all(), s.mark(3);
    const double queued = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    throw_if_error(s.stream->synchronize());
    return InferenceTimes{copies ? s.between(0, 1) : 0, s.between(1, 2), copies ? s.between(2, 3) : 0, queued,
                          s.between(copies ? 0 : 1, copies ? 3 : 2)};
  });
}

std::string Session::use_graphs() {
  const kiln::Engine& engine = *state().engine;
  if (engine.device().host_memory()) return "its device has no launches that a graph would save";
  if (const plan::StepInfo* blocker = engine.capture_blocker())
    return "the layer '" + blocker->name + "' (" + blocker->op + ") takes the host";
  state().uses_graphs = true;
  state().no_graph.clear();
  return "";
}

std::string Session::graph_failure() const { return state().no_graph; }

void Session::stop() { state().context->stop(); }

void Session::set_time_limit(double seconds) {
  guarded([&] {
    if (!(seconds >= 0)) throw Error(Code::kInvalidArgument, "a time limit of " + real_text(seconds) + " s");
    state().context->set_time_limit(seconds);
  });
}

void Session::synchronize() {
  guarded([&] { throw_if_error(state().stream->synchronize()); });
}

std::vector<int64_t> Session::shape(const std::string& name) {
  return guarded([&] {
    const auto* dims = state().context->dims(state().index(name));
    if (!dims) throw Error(Code::kShapeNotSet, "the shape of '" + name + "' is not known yet");
    return *dims;
  });
}

HostTensor Session::output(const std::string& name) {
  return guarded([&] {
    synchronize();
    const int32_t t = state().index(name);
    require_numbers(*state().engine, t, "value");
    if (tensor(*state().engine, t).storage != plan::Storage::kSlot) {
      if (!state().buffers.count(t))
        throw Error(Code::kInvalidState, "the result '" + name + "' is not there")
            .cause("no inference ran yet")
            .remedy("call enqueue before output");
      state().download(t);
      const plan::TensorInfo& info = tensor(*state().engine, t);
      const State::Held& held = state().held(t);
      HostTensor host{std::string(kiln::name(info.dtype)), held.dims, {}};
      host.data.resize(static_cast<size_t>(byte_size(info.dtype, kiln::element_count(held.dims)).value()));
      move_elements(info.layout, held.dims, bits(info.dtype) / 8, static_cast<const std::byte*>(held.memory.data()),
                    host.data.data(), host.data.size(), false);
      return host;
    }
    return HostTensor{std::string(kiln::name(tensor(*state().engine, t).dtype)), shape(name),
                      state().sized_outputs[name]};
  });
}

HostValue Session::value(const std::string& name) {
  const bool numbers = guarded([&] {
    const plan::TensorInfo& info = tensor(*state().engine, state().index(name));
    return info.kind == Datum::kTensor && info.dtype != DType::kString;
  });
  if (numbers) return {HostValue::Kind::kNumbers, output(name), {}, {}, {}, {}};
  synchronize();
  return guarded([&] {
    const Datum* held = state().context->slot(state().index(name));
    if (!held || (held->kind == Datum::kTensor && !held->tensor.valid()))
      throw Error(Code::kInvalidState, "the result '" + name + "' is not there")
          .cause("no inference ran yet")
          .remedy("call enqueue before value");
    return to_host_value(*held);
  });
}

void Session::observe(ResultObserver observer) {
  guarded([&] {
    if (!observer) return state().context->set_observer(nullptr);
    state().context->set_observer(
        [this_state = &state(), observer = std::move(observer)](size_t step, size_t output, const Datum& got) {
          if (!has_host_form(got)) return;
          const int32_t t = this_state->engine->main().steps[step].outputs[output];
          observer(describe_step(*this_state->engine, step), tensor(*this_state->engine, t).name, to_host(got.tensor));
        });
  });
}

void Session::set_debug_sync(bool on) { state().context->set_step_by_step(on); }

void Session::record_start() {
  guarded([&] { throw_if_error(state().start->record(*state().stream)); });
  state().started = true;
}

double Session::record_stop_ms() {
  return guarded([&] {
    if (!state().started)
      throw Error(Code::kInvalidState, "record_stop_ms without record_start")
          .remedy("call record_start before the inferences that are to be timed");
    throw_if_error(state().stop->record(*state().stream));
    return state().stop->milliseconds_since(*state().start);
  });
}

std::vector<std::pair<std::string, double>> Session::profile() {
  struct Collect final : StepProfiler {
    std::vector<std::pair<std::string, double>> times;
    void report(const plan::StepInfo& step, double ms) noexcept override { times.emplace_back(step.name, ms); }
  } collect;
  // Lets go of it however the inference ends.
  struct Use {
    Use(Context& c, StepProfiler& profiler) : context(c) { context.set_profiler(&profiler); }
    ~Use() { context.set_profiler(nullptr); }
    Context& context;
  };
  {
    const Use use(*state().context, collect);
    enqueue();
  }
  return std::move(collect.times);
}

}  // namespace kiln::api
