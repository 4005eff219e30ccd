// kiln::api::Session: one inference at a time.
#include <cstring>

#include "api/host_tensor.h"
#include "api/kiln_api.h"

namespace kiln::api {
namespace {

// From row-major order to the layout, or back.
void move_elements(const Layout& layout, const Dims& dims, int size, const std::byte* from, std::byte* to, size_t bytes,
                   bool there) {
  if (bytes == 0) return;
  if (layout.is_row_major()) {
    std::memcpy(to, from, bytes);
    return;
  }
  const Dims steps = strides(layout, dims);
  Dims index(dims.size(), 0);
  const auto width = static_cast<size_t>(size);
  for (size_t i = 0; i * width < bytes; ++i) {
    int64_t at = 0;
    for (size_t d = 0; d < dims.size(); ++d) at += index[d] * steps[d];
    const size_t place = static_cast<size_t>(at) * width;
    std::memcpy(to + (there ? place : i * width), from + (there ? i * width : place), width);
    for (size_t d = dims.size(); d-- > 0 && ++index[d] == dims[d];) index[d] = 0;
  }
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
      auto& bytes = (*outputs)[std::string(name)];
      bytes.resize(size);
      return bytes.data();
    });
    return Session(std::move(state));
  });
}

void Session::set_profile(int profile) {
  guarded([&] { state_->check(state_->context->set_profile(profile)); });
  state_->shapes_changed = true;
}

void Session::set_shape(const std::string& input, const std::vector<int64_t>& dims) {
  guarded([&] {
    const int32_t t = state_->index(input);
    state_->check(state_->context->set_input_dims(t, dims));
    state_->buffer(t, dims);
    state_->shapes_changed = true;
  });
}

void Session::set_input(const std::string& input, const HostTensor& host) {
  set_shape(input, host.dims);
  guarded([&] {
    const Tensor held = state_->held(state_->index(input));
    if (host.type != name(held.dtype()))
      throw Error(Code::kTypeMismatch,
                  "input '" + input + "' is " + std::string(name(held.dtype())) + ", the given tensor is " + host.type);
    if (host.data.size() != static_cast<size_t>(held.bytes()))
      throw Error(Code::kShapeMismatch,
                  "the tensor given for '" + input + "' has " + std::to_string(host.data.size()) + " bytes");
    move_elements(tensor(*state_->engine, state_->index(input)).layout, held.dims(), bits(held.dtype()) / 8,
                  host.data.data(), static_cast<std::byte*>(const_cast<void*>(held.data())), host.data.size(), true);
    state_->upload(state_->index(input));
  });
}

void Session::bind(const std::string& name, void* memory, size_t bytes) {
  guarded([&] {
    const int32_t t = state_->index(name);
    if (tensor(*state_->engine, t).storage == plan::Storage::kSlot)
      throw Error(Code::kInvalidArgument, "the size of output '" + name + "' is known only when running")
          .remedy("take it with Session::output");
    if (reinterpret_cast<uintptr_t>(memory) % plan::kAlignment != 0)
      throw Error(Code::kInvalidArgument, "the memory for '" + name + "' does not begin at a multiple of 64");
    if (memory) state_->bound[t] = {memory, bytes};
    else state_->bound.erase(t);
    state_->buffers.erase(t);
    if (const auto* dims = state_->context->dims(t)) state_->buffer(t, *dims);
    state_->shapes_changed = true;
  });
}

void Session::enqueue() {
  if (state_->shapes_changed) {
    guarded([&] {
      const ThreadLimit limit(state_->engine->devices(), state_->threads);
      state_->check(state_->context->prepare());
      for (int32_t t : state_->engine->main().outputs)
        if (tensor(*state_->engine, t).storage != plan::Storage::kSlot) state_->buffer(t, *state_->context->dims(t));
    });
    state_->shapes_changed = false;
  }
  const ThreadLimit limit(state_->engine->devices(), state_->threads);
  if (Status s = state_->context->enqueue(*state_->stream); !s.ok()) guarded([&] { state_->check(s); });
}

void Session::synchronize() {
  guarded([&] { throw_if_error(state_->stream->synchronize()); });
}

std::vector<int64_t> Session::shape(const std::string& name) {
  return guarded([&] {
    const auto* dims = state_->context->dims(state_->index(name));
    if (!dims) throw Error(Code::kShapeNotSet, "the shape of '" + name + "' is not known yet");
    return *dims;
  });
}

HostTensor Session::output(const std::string& name) {
  return guarded([&] {
    synchronize();
    const int32_t t = state_->index(name);
    if (tensor(*state_->engine, t).storage != plan::Storage::kSlot) {
      state_->download(t);
      const Tensor held = state_->held(t);
      HostTensor host = to_host(held);
      move_elements(tensor(*state_->engine, t).layout, held.dims(), bits(held.dtype()) / 8,
                    static_cast<const std::byte*>(held.data()), host.data.data(), host.data.size(), false);
      return host;
    }
    return HostTensor{std::string(kiln::name(tensor(*state_->engine, t).dtype)), shape(name),
                      state_->sized_outputs[name]};
  });
}

void Session::observe(ResultObserver observer) {
  guarded([&] {
    if (!observer) return state_->context->set_observer(nullptr);
    state_->context->set_observer(
        [this_state = state_.get(), observer = std::move(observer)](size_t step, size_t output, const Datum& got) {
          if (got.kind != Datum::kTensor || !got.tensor.valid() || got.tensor.dtype() == DType::kString) return;
          const int32_t t = this_state->engine->main().steps[step].outputs[output];
          observer(describe_step(*this_state->engine, step), tensor(*this_state->engine, t).name, to_host(got.tensor));
        });
  });
}

void Session::record_start() {
  guarded([&] { throw_if_error(state_->start->record(*state_->stream)); });
}

double Session::record_stop_ms() {
  return guarded([&] {
    throw_if_error(state_->stop->record(*state_->stream));
    return state_->stop->milliseconds_since(*state_->start);
  });
}

std::vector<std::pair<std::string, double>> Session::profile() {
  struct Collect final : StepProfiler {
    std::vector<std::pair<std::string, double>> times;
    void report(const plan::StepInfo& step, double ms) noexcept override { times.emplace_back(step.name, ms); }
  } collect;
  state_->context->set_profiler(&collect);
  enqueue();
  state_->context->set_profiler(nullptr);
  return std::move(collect.times);
}

}  // namespace kiln::api
