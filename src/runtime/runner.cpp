// Shapes, addresses and the loop over the steps.
#include "runtime/runner.h"

#include <algorithm>
#include <exception>
#include <new>

#include "base/checked.h"
#include "base/index.h"
#include "device/workspace.h"
#include "plan/lanes.h"
#include "plan/overlap.h"
#include "plan/verify_shapes.h"

namespace kiln {

using plan::Storage;

Runner::Runner(const Engine& engine, uint32_t program, std::byte* arena, std::byte* host_arena)
    : engine_(engine),
      program_(engine.plan().programs[program]),
      frames_(engine.frames(program)),
      arena_(arena),
      host_arena_(host_arena),
      is_body_(program != 0),
      symbols_(engine.dims().symbol_count()),
      inside_(plan::check_sharing(program_)),
      parts_(plan::check_lanes(program_)) {
  states_.resize(program_.tensors.size());
  for (size_t i = 0; i < states_.size(); ++i) {
    const plan::TensorInfo& info = program_.tensors[i];
    TensorState& state = states_[i];
    state.dims.resize(info.dims.size());
    state.strides.resize(info.dims.size());
    state.view.dtype = info.dtype;
    state.view.layout = &info.layout;
    state.view.rank = static_cast<int>(info.dims.size());
    state.fixed =
        info.storage != Storage::kSlot && info.storage != Storage::kInput &&
        std::all_of(info.dims.begin(), info.dims.end(), [&](uint32_t d) { return engine.dims().is_fixed(d); });
    if (info.storage == Storage::kSlot) {
      state.slot = std::make_unique<Datum>();
      state.slot->kind = info.kind;
      state.view.slot = state.slot.get();
    }
    if (info.storage == Storage::kConstant) {
      state.view.data = engine.constant(info);
      state.view.host = engine.host_constant(info);
    }
    if (info.storage == Storage::kHostArena && info.view_of < 0 && host_arena)
      state.view.data = host_arena + info.offset;
  }
  make_steps();
  set_arena(arena);
  order_views();
  if (is_body_) find_sizing();
  const plan::Profile& profile = engine.plan().profiles[0];
  for (size_t i = 0; program == 0 && i < profile.values.size(); ++i) {
    const size_t count = profile.values[i].opt.size();
    if (count == 0) continue;
    Values values{program_.inputs[i], {}, std::vector<int64_t>(count), false};
    for (size_t k = 0; k < count; ++k)
      values.symbols.push_back(engine.dims().find_symbol(
          plan::value_symbol(nth(program_.tensors, values.tensor).name, static_cast<int64_t>(k))));
    values_.push_back(std::move(values));
  }
}

void Runner::order_views() {
  std::vector<bool> done(states_.size(), false);
  std::vector<int32_t> chain;
  for (size_t i = 0; i < states_.size(); ++i) {
    for (auto t = static_cast<int32_t>(i); t >= 0 && !nth(done, t); t = nth(program_.tensors, t).view_of) {
      nth(done, t) = true;
      if (nth(program_.tensors, t).view_of >= 0) chain.push_back(t);
    }
    views_.insert(views_.end(), chain.rbegin(), chain.rend());
    chain.clear();
  }
}

void Runner::find_sizing() {
  std::set<int> symbols;
  for (const plan::TensorInfo& info : program_.tensors) {
    if (info.storage == Storage::kSlot) continue;
    for (uint32_t d : info.dims) engine_.dims().collect_symbols(d, symbols);
    if (info.view_of >= 0) engine_.dims().collect_symbols(info.view_start, symbols);
  }
  sizing_.assign(symbols.begin(), symbols.end());
}

Runner::~Runner() = default;

// The step's results are the first to give these symbols numbers.
std::vector<int> Runner::fresh_symbols(const plan::StepInfo& info, std::set<int>& bound) const {
  std::vector<int> fresh;
  for (int32_t t : info.outputs) {
    if (t < 0) continue;
    for (uint32_t d : nth(program_.tensors, t).dims)
      if (const int symbol = engine_.dims().lone_symbol(d);
          symbol >= 0 && engine_.dims().is_late(d) && bound.insert(symbol).second)
        fresh.push_back(symbol);
  }
  return fresh;
}

void Runner::set_arena(std::byte* arena) noexcept {
  arena_ = arena;
  for (size_t i = 0; i < states_.size(); ++i) {
    const plan::TensorInfo& info = program_.tensors[i];
    if (info.storage == Storage::kArena && info.view_of < 0)
      states_[i].view.data = arena_ ? arena_ + info.offset : nullptr;
  }
  dirty_addresses_ = true;
  for (StepState& step : steps_)
    for (const auto& body : step.bodies) body->set_arena(arena);
}

void Runner::make_kernels(StepState& step, size_t index) const {
  const plan::StepInfo& base = program_.steps[index];
  const auto number = static_cast<size_t>(&program_ - engine_.plan().programs.data());
  for (const auto& executable : engine_.executables(number, index)) {
    const plan::StepInfo& info = step.kernels.empty() ? base : base.variants[step.kernels.size() - 1].step;
    step.kernels.push_back(executable->create_kernel());
    if (info.sharing != Sharing::kNothing && info.sharing != step.kernels.back()->sharing())
      throw Error(Code::kMalformedPlan,
                  "the kernel '" + info.kernel + "' does not let its operands share bytes as the engine says")
          .node("'" + info.name + "'")
          .remedy("build the engine again");
  }
  step.info = &base;
  step.kernel = step.kernels.empty() ? nullptr : step.kernels[0].get();
}

void Runner::set_profile(uint32_t profile) noexcept {
  for (size_t i = 0; i < steps_.size(); ++i) {
    StepState& step = steps_[i];
    const plan::StepInfo& base = program_.steps[i];
    const auto at = std::find_if(base.variants.begin(), base.variants.end(), [&](const plan::StepVariant& v) {
      return std::find(v.profiles.begin(), v.profiles.end(), profile) != v.profiles.end();
    });
    const bool usual = at == base.variants.end();
    const plan::StepInfo* info = usual ? &base : &at->step;
    if (info == step.info) continue;
    step.info = info;
    step.kernel = step.kernels[usual ? 0 : static_cast<size_t>(at - base.variants.begin()) + 1].get();
    step.inputs.resize(info->inputs.size());
    step.prepared_dims.clear();
    dirty_shapes_ = true;
  }
}

void Runner::make_steps() {
  steps_.resize(program_.steps.size());
  std::set<int> bound;
  for (int32_t t : program_.inputs)
    for (uint32_t d : nth(program_.tensors, t).dims) bound.insert(engine_.dims().lone_symbol(d));
  for (size_t i = 0; i < steps_.size(); ++i) {
    const plan::StepInfo& info = program_.steps[i];
    StepState& step = steps_[i];
    step.fresh = fresh_symbols(info, bound);
    for (uint32_t body : info.bodies)
      step.bodies.push_back(std::make_unique<Runner>(engine_, body, arena_, host_arena_));
    transfers_ = transfers_ || info.is_transfer();
    make_kernels(step, i);
    step.inputs.resize(info.inputs.size());
    step.outputs.resize(info.outputs.size());
    auto is_late = [&](int32_t t) { return t >= 0 && nth(states_, t).slot != nullptr; };
    step.late = !info.bodies.empty() || std::any_of(info.inputs.begin(), info.inputs.end(), is_late) ||
                std::any_of(info.outputs.begin(), info.outputs.end(), is_late);
  }
}

Status Runner::fail(Code code, std::string text) const {
  error_ = std::move(text);
  return {code, error_.c_str()};
}

void Runner::set_slot(int32_t tensor, Datum value) {
  TensorState& state = nth(states_, tensor);
  *state.slot = std::move(value);
  state.known = true;
  if (state.slot->kind != Datum::kTensor) return;
  state.dims = state.slot->tensor.dims();
  place(tensor);
}

namespace {

// Kernels keep pointers to dims and strides from prepare to launch: the numbers change where they lie.
void keep_place(std::vector<int64_t>& numbers, const std::vector<int64_t>& now) {
  numbers.assign(now.begin(), now.end());
}

}  // namespace

// Products of the sizes of tensors stay far from the end of 64 bits, even where one of them is zero.
constexpr int64_t kMostElements = int64_t{1} << 48;

void check_extent(const std::vector<int64_t>& dims) {
  int64_t product = 1;
  for (int64_t d : dims)
    if (__builtin_mul_overflow(product, std::max<int64_t>(d, 1), &product) || product > kMostElements)
      throw Error(Code::kOverflow, "a tensor of shape " + to_string(Dims(dims.begin(), dims.end())) + " is too large");
}

// Strides and address of a tensor whose dims are set.
void Runner::place(int32_t tensor) {
  TensorState& state = nth(states_, tensor);
  const plan::TensorInfo& info = nth(program_.tensors, tensor);
  state.known = true;
  state.view.rank = static_cast<int>(state.dims.size());
  state.view.dims = state.dims.data();
  check_extent(state.dims);
  if (state.slot) {
    if (state.slot->kind != Datum::kTensor) return;
    keep_place(state.strides, strides(info.layout, state.dims));
    state.view.strides = state.strides.data();
    state.view.data = const_cast<void*>(state.slot->tensor.data());
    return;
  }
  if (info.view_of >= 0) {
    const TensorState& parent = nth(states_, info.view_of);
    keep_place(state.strides, parent.strides);
    const int64_t shift = engine_.dims().evaluate(info.view_start, symbols_).value_or(0) *
                          nth(parent.strides, info.view_axis) * bits(info.dtype) / 8;
    state.view.data = parent.view.data ? static_cast<std::byte*>(parent.view.data) + shift : nullptr;
  } else if (info.layout.is_plain()) {
    keep_place(state.strides, strides(info.layout, state.dims));
  }
  state.view.strides = info.layout.is_plain() ? state.strides.data() : nullptr;
}

std::optional<std::vector<int64_t>> Runner::expected_dims(int32_t tensor) const {
  const plan::TensorInfo& info = nth(program_.tensors, tensor);
  if (!info.ranked || info.kind != Datum::kTensor) return std::nullopt;
  std::vector<int64_t> dims;
  for (uint32_t d : info.dims) {
    const auto value = engine_.dims().is_late(d) ? std::optional<int64_t>() : engine_.dims().evaluate(d, symbols_);
    if (!value || *value < 0) return std::nullopt;
    dims.push_back(*value);
  }
  return dims;
}

bool Runner::resolve(int32_t tensor) {
  TensorState& state = nth(states_, tensor);
  const plan::TensorInfo& info = nth(program_.tensors, tensor);
  if (!info.ranked || info.kind != Datum::kTensor) return false;
  state.dims.resize(info.dims.size());
  for (size_t d = 0; d < info.dims.size(); ++d) {
    const auto value = engine_.dims().evaluate(info.dims[d], symbols_);
    if (!value || *value < 0) return false;
    state.dims[d] = *value;
  }
  return true;
}

void Runner::forget_input_dims(int32_t tensor) noexcept {
  nth(states_, tensor).known = false;
  dirty_shapes_ = true;
}

Status Runner::set_input_dims(int32_t tensor, std::span<const int64_t> dims) noexcept {
  TensorState& state = nth(states_, tensor);
  if (state.known && std::equal(dims.begin(), dims.end(), state.dims.begin(), state.dims.end())) return kOkStatus;
  state.dims.assign(dims.begin(), dims.end());
  state.known = true;
  dirty_shapes_ = true;
  return kOkStatus;
}

void Runner::set_input_values(int32_t tensor, std::span<const int64_t> values) noexcept {
  for (Values& v : values_) {
    if (v.tensor != tensor || (v.known && std::equal(values.begin(), values.end(), v.now.begin(), v.now.end())))
      continue;
    std::copy_n(values.begin(), std::min(values.size(), v.now.size()), v.now.begin());
    v.known = dirty_shapes_ = true;
  }
}

Status Runner::bind_values() noexcept {
  for (const Values& v : values_) {
    if (!v.known)
      return fail(Code::kShapeNotSet, "the values of input '" + nth(program_.tensors, v.tensor).name +
                                          "', which give shapes, are not known");
    for (size_t k = 0; k < v.symbols.size(); ++k)
      if (v.symbols[k] >= 0) nth(symbols_, v.symbols[k]) = v.now[k];
  }
  return kOkStatus;
}

// Gives the input's symbols their values.
Status Runner::bind_input(int32_t tensor) noexcept {
  const plan::TensorInfo& info = nth(program_.tensors, tensor);
  const TensorState& state = nth(states_, tensor);
  if (!info.ranked) return kOkStatus;
  if (state.dims.size() != info.dims.size())
    return fail(Code::kShapeMismatch, "input '" + info.name + "' has the wrong rank");
  for (size_t d = 0; d < info.dims.size(); ++d) {
    const int symbol = engine_.dims().lone_symbol(info.dims[d]);
    if (symbol < 0) continue;
    auto& bound = nth(symbols_, symbol);
    if (bound && *bound != state.dims[d] && !engine_.dims().is_late(info.dims[d]))
      return fail(Code::kShapeMismatch, "dimension '" + engine_.dims().symbol_name(symbol) + "' is " +
                                            std::to_string(*bound) + " in one input and " +
                                            std::to_string(state.dims[d]) + " in '" + info.name + "'");
    bound = state.dims[d];
  }
  return kOkStatus;
}

Status Runner::check_reserved(int32_t tensor) {
  const plan::TensorInfo& info = nth(program_.tensors, tensor);
  if (info.storage != Storage::kArena && info.storage != Storage::kHostArena && info.storage != Storage::kConstant)
    return kOkStatus;
  const TensorState& state = nth(states_, tensor);
  const auto needed =
      byte_size(info.dtype, info.view_of >= 0 ? element_count(state.dims) : storage_elements(info.layout, state.dims));
  if (!needed || static_cast<uint64_t>(*needed) > info.size)
    return fail(Code::kShapeOutOfProfile, "'" + info.name + "' of shape " + to_string(state.dims) +
                                              " needs more memory than the engine reserved");
  return kOkStatus;
}

// Shapes, strides and addresses of all tensors but views, from the symbols.
Status Runner::resolve_all() {
  for (size_t i = 0; i < states_.size(); ++i) {
    const auto t = static_cast<int32_t>(i);
    const plan::TensorInfo& info = program_.tensors[i];
    if (states_[i].slot || states_[i].settled) continue;
    std::vector<int64_t> given;
    if (info.storage == Storage::kInput) given = states_[i].dims;
    if (!resolve(t))
      return fail(Code::kShapeMismatch, "the shape of '" + info.name + "' cannot be computed from the inputs");
    if (info.storage == Storage::kInput && given != states_[i].dims)
      return fail(Code::kShapeMismatch, "input '" + info.name + "' has the shape " + to_string(given) +
                                            ", the engine takes " + to_string(states_[i].dims));
  }
  for (size_t i = 0; i < states_.size(); ++i) {
    const auto t = static_cast<int32_t>(i);
    if (states_[i].slot || states_[i].settled || program_.tensors[i].view_of >= 0) continue;
    place(t);
    KILN_RETURN_IF_ERROR(check_reserved(t));
    states_[i].settled = states_[i].fixed;
  }
  return kOkStatus;
}

Status Runner::place_views() {
  for (int32_t t : views_) {
    const plan::TensorInfo& info = nth(program_.tensors, t);
    const auto start = engine_.dims().evaluate(info.view_start, symbols_);
    const auto& parent = nth(states_, info.view_of).dims;
    if (!start || !plan::lies_inside(info, nth(states_, t).dims, parent, *start))
      return fail(Code::kShapeOutOfProfile, "'" + info.name + "' does not lie inside what it is a part of");
    place(t);
  }
  return kOkStatus;
}

Status Runner::keep_apart() {
  const auto value = [this](uint32_t dim) { return engine_.dims().evaluate(dim, symbols_); };
  for (const plan::StepInfo* step : inside_)
    if (!plan::keeps_apart(program_, *step, value).value_or(false))
      return fail(Code::kShapeOutOfProfile, "operands of the step '" + step->name + "' share bytes");
  for (const plan::TensorPair& pair : parts_)
    if (!plan::are_apart(program_, pair, value).value_or(false))
      return fail(Code::kShapeOutOfProfile, "'" + nth(program_.tensors, pair.first).name +
                                                "' is used while another part of the same bytes is written");
  return kOkStatus;
}

Status Runner::prepare() noexcept {
  if (!dirty_shapes_ && !dirty_addresses_) return kOkStatus;
  try {
    if (dirty_shapes_) {
      std::fill(symbols_.begin(), symbols_.end(), std::nullopt);
      for (int32_t t : program_.inputs) {
        if (!nth(states_, t).known)
          return fail(Code::kShapeNotSet,
                      "input '" + nth(program_.tensors, t).name + "' has no " + (has_slot(t) ? "value" : "shape"));
        KILN_RETURN_IF_ERROR(bind_input(t));
      }
      KILN_RETURN_IF_ERROR(bind_values());
    }
    return prepare_steps();
  } catch (const Error& e) {
    return fail(e.code(), e.message());
  } catch (const std::exception& e) {
    return fail(Code::kShapeMismatch, e.what());
  }
}

// What follows from the symbols.
Status Runner::prepare_steps() {
  if (dirty_shapes_) KILN_RETURN_IF_ERROR(resolve_all());
  KILN_RETURN_IF_ERROR(place_views());
  if (dirty_shapes_) KILN_RETURN_IF_ERROR(keep_apart());
  for (size_t i = 0; i < steps_.size(); ++i) {
    const plan::StepInfo& info = *steps_[i].info;
    if (steps_[i].late) continue;
    refresh_views(steps_[i], info);
    if (!dirty_shapes_) {
      use_workspace(steps_[i]);
      continue;
    }
    if (info.is_transfer()) {
      KILN_RETURN_IF_ERROR(measure_transfer(steps_[i], info));
      continue;
    }
    KILN_RETURN_IF_ERROR(reserve_workspace(steps_[i], info));
    if (Status s = steps_[i].kernel->prepare(steps_[i].call); !s.ok())
      return fail(s.code, "step '" + info.name + "' (" + info.kernel + "): " + s.detail);
  }
  dirty_shapes_ = dirty_addresses_ = false;
  return kOkStatus;
}

// What a kernel sees of a tensor: one of numbers that lies in a slot is like any other once it has its place.
TensorView Runner::view_of(int32_t tensor) const {
  if (tensor < 0) return {};
  const TensorState& state = nth(states_, tensor);
  TensorView view = state.view;
  if (view.slot && view.data && view.dtype != DType::kString && state.slot->kind == Datum::kTensor &&
      state.slot->tensor.dtype() == view.dtype)
    view.slot = nullptr;
  return view;
}

void Runner::refresh_views(StepState& step, const plan::StepInfo& info) {
  auto fill = [&](std::vector<TensorView>& views, const std::vector<int32_t>& tensors) {
    for (size_t i = 0; i < tensors.size(); ++i) views[i] = view_of(tensors[i]);
  };
  fill(step.inputs, info.inputs);
  fill(step.outputs, info.outputs);
  std::byte* const arena = engine_.plan().on_host(info) ? host_arena_ : arena_;
  step.call = {step.inputs, step.outputs, arena ? arena + info.workspace_offset : nullptr,
               arena ? static_cast<size_t>(info.workspace_size) : 0};
}

bool Runner::on_host(const plan::TensorInfo& info) const {
  return !engine_.plan().device_memory || info.on_host || info.storage == Storage::kHostArena ||
         info.storage == Storage::kSlot;
}

Status Runner::measure_transfer(StepState& step, const plan::StepInfo& info) noexcept {
  const auto t = static_cast<size_t>(info.outputs[0]);
  const plan::TensorInfo& to = program_.tensors[t];
  const auto bytes = byte_size(to.dtype, storage_elements(to.layout, states_[t].dims));
  if (!bytes) return fail(Code::kOverflow, "the size of '" + to.name + "' does not fit 64 bits");
  step.transfer_bytes = *bytes;
  return kOkStatus;
}

Status Runner::run_transfer(size_t index, Stream& stream) noexcept {
  StepState& step = steps_[index];
  const plan::StepInfo& info = program_.steps[index];
  const TensorState &from = nth(states_, info.inputs[0]), &to = nth(states_, info.outputs[0]);
  if (to.slot) {
    Tensor& held = to.slot->tensor;
    if (held.dtype() != to.view.dtype || held.dims() != from.dims) held = Tensor::allocate(to.view.dtype, from.dims);
    bind_results(info);
    KILN_RETURN_IF_ERROR(measure_transfer(step, info));
  }
  if (from.slot) {
    if (from.slot->kind != Datum::kTensor || from.slot->tensor.dtype() != to.view.dtype || from.dims != to.dims)
      return {Code::kExecution, "a result is not the tensor that the device takes"};
    KILN_RETURN_IF_ERROR(measure_transfer(step, info));
  }
  if (step.transfer_bytes == 0) return kOkStatus;
  return engine_.device().copy(stream, to.view.data, from.view.data, static_cast<size_t>(step.transfer_bytes),
                               info.kernel == plan::kToHost ? CopyKind::kDeviceToHost : CopyKind::kHostToDevice);
}

Status Runner::run_step(size_t index, Stream& stream) noexcept {
  StepState& step = steps_[index];
  const plan::StepInfo& info = program_.steps[index];
  if (info.waits) KILN_RETURN_IF_ERROR(stream.synchronize());
  if (!step.late && !info.is_transfer()) return step.kernel->launch(stream, step.call);
  try {
    if (info.is_transfer()) return run_transfer(index, stream);
    return step.bodies.empty() ? run_late(index, stream) : run_control(index, stream);
  } catch (const Error& e) {
    return fail(e.code(), e.message());
  } catch (const std::bad_alloc&) {
    return fail(Code::kOutOfMemory, "there is no memory for the values of the layer");
  } catch (const std::exception& e) {
    return fail(Code::kExecution, e.what());
  }
}

Status Runner::run_named_step(size_t index, Stream& stream) noexcept {
  struct Step {
    Runner& runner;
    size_t index;
    Stream& stream;
  } step{*this, index, stream};
  const StepFrames::Body body = [](void* data) noexcept {
    const Step& s = *static_cast<Step*>(data);
    return s.runner.run_step(s.index, s.stream);
  };
  return frames_->call(index, body, &step);
}

Status Runner::run_ranged_step(size_t index, Stream& stream) noexcept {
  if (!ranges_.empty()) engine_.device().begin_range(ranges_[index]);
  const Status status = frames_ ? run_named_step(index, stream) : run_step(index, stream);
  if (!ranges_.empty()) engine_.device().end_range();
  return status;
}

Status Runner::run(Stream& stream, const StepHook* before_step, Lanes* lanes) noexcept {
  if (!is_body_) forget_late_symbols();
  Status status = lanes ? lanes->begin(stream) : kOkStatus;
  if (status.ok()) status = run_steps(stream, before_step, lanes);
  if (lanes)
    if (const Status joined = lanes->end(!status.ok()); status.ok()) status = joined;
  if (!status.ok()) return status;
  return before_step ? (*before_step)(steps_.size()) : kOkStatus;
}

Status Runner::run_steps(Stream& stream, const StepHook* before_step, Lanes* lanes) noexcept {
  for (size_t i = 0; i <= steps_.size(); ++i) {
    if (const Status stopped = check_stop(); !stopped.ok()) return fail(stopped.code, stopped.detail);
    if (i == steps_.size()) break;
    if (before_step) KILN_RETURN_IF_ERROR((*before_step)(i));
    Stream* lane = &stream;
    Status status = lanes ? lanes->enter(i, lane) : kOkStatus;
    if (status.ok()) status = run_ranged_step(i, *lane);
    if (status.ok() && lanes) status = lanes->leave(i);
    if (!status.ok()) {
      if (const Status stopped = check_stop(); !stopped.ok()) return fail(stopped.code, stopped.detail);
      const std::string detail = status.detail;
      return fail(status.code, "step '" + program_.steps[i].name + "' (" + program_.steps[i].op + "): " + detail);
    }
  }
  return kOkStatus;
}

void Runner::set_scratch_allocator(Allocator* allocator) {
  scratch_ = allocator;
  dirty_shapes_ = true;  // steps give back what they reserved
  for (StepState& step : steps_) {
    step.prepared_dims.clear();
    step.workspace = Scratch();
    for (const auto& body : step.bodies) body->set_scratch_allocator(allocator);
  }
}

Status Runner::check_stop() const noexcept {
  if (!stop_) return kOkStatus;
  if (stop_->flag.load(std::memory_order_relaxed)) return {Code::kInvalidState, "the inference was stopped"};
  if (stop_->deadline != WorkLimits::Clock::time_point::max() && WorkLimits::Clock::now() > stop_->deadline)
    return {Code::kInvalidState,
            "the inference took longer than its limit of time\n  remedy: raise the limit of time, or look for "
            "what the network does so long"};
  if (current_work().ended()) return {Code::kInvalidState, "what the inference is a part of was ended"};
  return kOkStatus;
}

void Runner::set_stop(const RunStop* stop) noexcept {
  stop_ = stop;
  for (StepState& step : steps_)
    for (const auto& body : step.bodies) body->set_stop(stop);
}

void Runner::use_workspace(StepState& step) {
  if (!step.workspace.data()) return;
  step.call.workspace = step.workspace.data();
  step.call.workspace_size = step.workspace.size();
}

// The plan reserves what the largest shapes want. Smaller ones may want more, and where the largest shapes of several operands
// cannot meet, the plan reserves nothing.
Status Runner::reserve_workspace(StepState& step, const plan::StepInfo& info) {
  const size_t wanted = step.kernel->workspace(step.call);
  if (wanted == kNoWorkspace) return kOkStatus;  // prepare says what does not fit
  // Steps whose sizes only running tells work on the host, as do those of another device.
  const bool by_host = engine_.plan().device_memory && (step.late || engine_.plan().on_host(info));
  Allocator& scratch = by_host ? engine_.device().staging() : scratch_ ? *scratch_ : engine_.device().allocator();
  const int64_t alignment = engine_.device().facts().alignment;
  if (wanted > info.workspace_size && !step.workspace.reserve(scratch, wanted, alignment)) {
    step.workspace_text = "the allocator refused a workspace of " + std::to_string(wanted) +
                          " bytes, or gave one that does not begin at a multiple of " + std::to_string(alignment);
    return {Code::kOutOfMemory, step.workspace_text.c_str()};
  }
  use_workspace(step);
  return kOkStatus;
}

// Whether the slots that are no tensors in memory are operands that the kernel takes as slots.
bool Runner::slots_fit(const StepState& step) {
  const Kernel::Slots taken = step.kernel->takes_slots();
  const auto free = [](const std::vector<TensorView>& views) {
    return std::none_of(views.begin(), views.end(), [](const TensorView& v) { return v.slot; });
  };
  return taken == Kernel::Slots::kAll ||
         (free(step.inputs) && (taken == Kernel::Slots::kResults || free(step.outputs)));
}

// A step some of whose shapes are known only now.
Status Runner::run_late(size_t index, Stream& stream) {
  StepState& step = steps_[index];
  const plan::StepInfo& info = *step.info;
  for (int symbol : step.fresh) nth(symbols_, symbol).reset();
  for (int32_t t : info.outputs) {
    if (t < 0 || !nth(states_, t).slot) continue;
    TensorState& state = nth(states_, t);
    const plan::TensorInfo& tensor = nth(program_.tensors, t);
    state.view.data = nullptr;
    if (tensor.kind != Datum::kTensor || tensor.dtype == DType::kString || tensor.dtype == DType::kInvalid ||
        !resolve(t))
      continue;
    Tensor& held = state.slot->tensor;
    if (held.dtype() != tensor.dtype || held.dims() != state.dims) held = Tensor::allocate(tensor.dtype, state.dims);
    place(t);
  }
  refresh_views(step, info);
  if (!slots_fit(step)) return {Code::kExecution, "an operand is not the tensor that the kernel takes"};
  use_workspace(step);
  std::vector<int64_t> shapes;
  for (const auto* views : {&step.inputs, &step.outputs})
    for (const TensorView& v : *views) {
      shapes.push_back(v.rank);
      shapes.push_back(reinterpret_cast<intptr_t>(v.dims));
      shapes.push_back(reinterpret_cast<intptr_t>(v.strides));
      if (v.dims) shapes.insert(shapes.end(), v.dims, v.dims + v.rank);
    }
  if (step.prepared_dims != shapes) {
    KILN_RETURN_IF_ERROR(reserve_workspace(step, info));
    KILN_RETURN_IF_ERROR(step.kernel->prepare(step.call));
    step.prepared_dims = std::move(shapes);
  }
  KILN_RETURN_IF_ERROR(step.kernel->launch(stream, step.call));
  bind_results(info);
  return kOkStatus;
}

void Runner::bind_results(const plan::StepInfo& info) {
  for (int32_t t : info.outputs) {
    if (t < 0 || !nth(states_, t).slot) continue;
    TensorState& state = nth(states_, t);
    if (state.slot->kind != Datum::kTensor) continue;
    state.dims = state.slot->tensor.dims();
    place(t);
    const plan::TensorInfo& tensor = nth(program_.tensors, t);
    for (size_t d = 0; tensor.ranked && d < tensor.dims.size() && d < state.dims.size(); ++d)
      if (const int symbol = engine_.dims().lone_symbol(tensor.dims[d]); symbol >= 0)
        nth(symbols_, symbol) = state.dims[d];
  }
}

}  // namespace kiln
