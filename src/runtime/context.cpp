// Execution contexts.
#include "runtime/context.h"

#include <algorithm>
#include <cstring>

#include "base/guarded.h"
#include "base/index.h"
#include "plan/lanes.h"
#include "runtime/take_memory.h"

namespace kiln {
namespace {

bool inside(std::span<const int64_t> dims, const plan::ProfileDims& bounds) {
  bool in = dims.size() == bounds.min.size();
  for (size_t i = 0; in && i < dims.size(); ++i) in = dims[i] >= bounds.min[i] && dims[i] <= bounds.max[i];
  return in;
}

bool holds_only(const Datum& value, DType type) {
  if (value.kind == Datum::kTensor) return value.tensor.dtype() == type;
  const size_t most = value.kind == Datum::kOptional ? 1 : SIZE_MAX;
  return value.items.size() <= most && std::all_of(value.items.begin(), value.items.end(),
                                                   [type](const Datum& item) { return holds_only(item, type); });
}

}  // namespace

Context::Memory Context::take(const Engine& engine, size_t size, Allocator& allocator) {
  if (size == 0) return {};
  void* memory = take_memory(allocator, size, static_cast<size_t>(engine.device().facts().alignment), "a context",
                             "use smaller maximum shapes, or fewer contexts");
  return Memory(memory, GiveBack{&allocator});
}

Context::Context(std::shared_ptr<Engine> engine, Allocator* allocator, void* arena, bool take_memory)
    : engine_(std::move(engine)),
      allocator_(allocator ? allocator : &engine_->device().allocator()),
      owned_arena_(arena || !take_memory ? Memory() : take(*engine_, engine_->context_memory(), *allocator_)),
      host_arena_(take(*engine_, engine_->plan().host_arena_size, engine_->device().staging())),
      runner_(*engine_, 0, static_cast<std::byte*>(arena ? arena : owned_arena_.get()),
              static_cast<std::byte*>(host_arena_.get())) {
  runner_.set_stop(&stop_);
  set_ranges(Ranges::kNames);
  const plan::Program& program = engine_->main();
  if (engine_->aux_streams() > 0) lanes_.emplace(program, engine_->device());
  last_reader_ = behind_readers();
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const plan::ProfileDims& bounds = engine_->plan().profiles[0].inputs[i];
    if (bounds.min == bounds.max) static_cast<void>(set_input_dims(program.inputs[i], bounds.max));
  }
  for (const plan::Watch& watch : engine_->plan().watches)
    if (watch.kind == plan::Watch::kRequired) required_[watch.tensor] = &watch;
  consumed_hook_ = [this](size_t step) {
    return step == last_reader_ && input_consumed_ ? input_consumed_->record(*current_stream_) : kOkStatus;
  };
}

Context::~Context() = default;

size_t Context::behind_readers() const {
  const auto& steps = engine_->main().steps;
  const plan::StepOrder order(steps);
  plan::StepSpan reads;
  for (size_t i = 0; i < steps.size(); ++i)
    for (int32_t t : steps[i].inputs)
      if (t >= 0 && engine_->is_input(t)) reads.add(order, i);
  if (reads.is_over({})) return 0;
  for (size_t i = 0; i < steps.size(); ++i)
    if (steps[i].lane == 0 && reads.is_over(order.behind(i))) return i + 1;
  return steps.size();
}

void Context::set_aux_streams(std::span<Stream* const> streams) {
  if (lanes_) lanes_->use(streams);
}

Status Context::set_arena(void* arena) noexcept {
  text_ = "";
  const int64_t alignment = engine_->device().facts().alignment;
  if (reinterpret_cast<uintptr_t>(arena) % static_cast<uintptr_t>(alignment) != 0) {
    message_ = "the memory of a context does not begin at a multiple of " + std::to_string(alignment) + " bytes";
    return {Code::kInvalidArgument, text_ = message_.c_str()};
  }
  if (arena)
    if (const Status status = engine_->device().check_address(arena); !status.ok()) {
      message_ = std::string("the memory of a context: ") + status.detail;
      return {status.code, text_ = message_.c_str()};
    }
  runner_.set_arena(static_cast<std::byte*>(arena));
  return kOkStatus;
}

Status Context::set_profile(int32_t profile) noexcept {
  if (profile < 0 || profile >= static_cast<int32_t>(engine_->plan().profiles.size()))
    return {Code::kInvalidArgument, text_ = "there is no such optimisation profile"};
  profile_ = profile;
  runner_.set_profile(static_cast<uint32_t>(profile));
  const auto& inputs = engine_->main().inputs;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (runner_.dims_known(inputs[i]) && !inside(runner_.tensor_dims(inputs[i]), bounds_of(i)))
      runner_.forget_input_dims(inputs[i]);
  return kOkStatus;
}

const plan::ProfileDims& Context::bounds_of(size_t input) const {
  return nth(engine_->plan().profiles, profile_).inputs[input];
}

std::string Context::outside_profile(std::vector<plan::ProfileDims> plan::Profile::*list, size_t input) const {
  const auto& profiles = engine_->plan().profiles;
  const auto range = [&](size_t p) {
    const plan::ProfileDims& bounds = (profiles[p].*list)[input];
    return "min " + to_string(bounds.min) + " max " + to_string(bounds.max);
  };
  const auto used = static_cast<size_t>(profile_);
  if (profiles.size() == 1) return "outside the profile, " + range(used);
  std::string text = "outside profile " + std::to_string(used) + ", " + range(used);
  for (size_t i = 0; i < profiles.size(); ++i)
    if (i != used && input < (profiles[i].*list).size()) text += "; profile " + std::to_string(i) + " has " + range(i);
  return text;
}

Status Context::set_input_dims(int32_t tensor, std::span<const int64_t> dims) noexcept {
  text_ = "";
  const auto& inputs = engine_->main().inputs;
  const auto at = std::find(inputs.begin(), inputs.end(), tensor);
  if (at == inputs.end()) return {Code::kInvalidArgument, text_ = "the tensor is not an input"};
  const auto input = static_cast<size_t>(at - inputs.begin());
  if (!inside(dims, bounds_of(input))) {
    message_ = "input '" + nth(engine_->main().tensors, tensor).name + "': shape " +
               to_string(Dims(dims.begin(), dims.end())) + " is " + outside_profile(&plan::Profile::inputs, input);
    return {Code::kShapeOutOfProfile, text_ = message_.c_str()};
  }
  return runner_.set_input_dims(tensor, dims);
}

Status Context::set_input_value(int32_t tensor, Datum value) noexcept {
  text_ = "";
  const plan::TensorInfo& info = nth(engine_->main().tensors, tensor);
  if (!engine_->is_input(tensor) || info.storage != plan::Storage::kSlot)
    return {Code::kInvalidArgument, text_ = "the tensor is not an input that is given as a value"};
  if (value.kind != info.kind || !holds_only(value, info.dtype)) {
    message_ = "input '" + info.name + "': the value is not of its kind, or holds other elements than " +
               std::string(name(info.dtype));
    return {Code::kTypeMismatch, text_ = message_.c_str()};
  }
  if (info.kind == Datum::kTensor) KILN_RETURN_IF_ERROR(set_input_dims(tensor, value.tensor.dims()));
  const Status set = guarded([&] { return runner_.set_slot(tensor, std::move(value)), kOkStatus; });
  if (set.ok()) return kOkStatus;
  message_ = set.detail;
  return {set.code, text_ = message_.c_str()};
}

Status Context::set_address(int32_t tensor, void* address) noexcept {
  const plan::TensorInfo& info = engine_->main().tensors[static_cast<size_t>(tensor)];
  const bool is_new = address && address != runner_.address(tensor);
  if (is_new && info.storage != plan::Storage::kSlot) {
    const Device& device = engine_->device();
    const Status status = info.on_host ? device.check_host_address(address) : device.check_address(address);
    if (!status.ok()) {
      message_ =
          "tensor '" + info.name + "'" + (info.on_host ? ", which the host reads or writes: " : ": ") + status.detail;
      return {status.code, text_ = message_.c_str()};
    }
  }
  runner_.set_address(tensor, address);
  return kOkStatus;
}

// The elements of shape tensors as they are now.
Status Context::read_values() noexcept {
  const auto& list = nth(engine_->plan().profiles, profile_).values;
  for (size_t i = 0; i < list.size(); ++i) {
    const plan::ProfileDims& bounds = list[i];
    const int32_t tensor = engine_->main().inputs[i];
    const void* data = bounds.opt.empty() ? nullptr : runner_.address(tensor);
    if (!data) continue;
    read_.resize(bounds.opt.size());
    const plan::TensorInfo& info = nth(engine_->main().tensors, tensor);
    for (size_t k = 0; k < read_.size(); ++k) read_[k] = load_int(info.dtype, data, static_cast<int64_t>(k));
    if (!inside(read_, bounds)) {
      message_ = "input '" + info.name + "': the values " + to_string(read_) + " are " +
                 outside_profile(&plan::Profile::values, i);
      return {Code::kShapeOutOfProfile, text_ = message_.c_str()};
    }
    runner_.set_input_values(tensor, read_);
  }
  return kOkStatus;
}

Status Context::prepare() noexcept {
  text_ = "";
  const ThreadLimit limit(engine_->devices(), engine_->max_threads());
  KILN_RETURN_IF_ERROR(read_values());
  return runner_.prepare();
}

Status Context::check_ready() noexcept {
  KILN_RETURN_IF_ERROR(prepare());
  return check_addresses();
}

bool Context::is_static() const {
  const auto& tensors = engine_->main().tensors;
  return std::none_of(tensors.begin(), tensors.end(),
                      [](const plan::TensorInfo& t) { return t.storage == plan::Storage::kSlot; });
}

const std::vector<int64_t>* Context::dims(int32_t tensor) noexcept {
  const bool input = engine_->is_input(tensor);
  if (!input && !prepare().ok()) return nullptr;
  if (!input && runner_.has_slot(tensor))
    if (auto expected = runner_.expected_dims(tensor)) return &(expected_dims_ = std::move(*expected));
  return runner_.dims_known(tensor) ? &runner_.tensor_dims(tensor) : nullptr;
}

void Context::set_profiler(StepProfiler* profiler) {
  profiler_ = profiler;
  while (profiler && events_.size() <= engine_->main().steps.size())
    events_.push_back(engine_->device().create_event());
}

Status Context::check_addresses() noexcept {
  if (!runner_.arena() && engine_->context_memory() > 0)
    return {Code::kShapeNotSet, text_ = "the context has no device memory: it was made without, and none was set"};
  for (const auto* list : {&engine_->main().inputs, &engine_->main().outputs})
    for (int32_t t : *list) {
      const plan::TensorInfo& info = nth(engine_->main().tensors, t);
      if (info.storage == plan::Storage::kSlot && engine_->is_input(t) && !runner_.slot_is_set(t)) {
        message_ = "input '" + info.name + "' has no value";
        return {Code::kShapeNotSet, text_ = message_.c_str()};
      }
      if (info.storage == plan::Storage::kSlot || runner_.address(t)) continue;
      const auto& dims = runner_.tensor_dims(t);
      if (std::find(dims.begin(), dims.end(), 0) != dims.end()) continue;
      message_ = "tensor '" + info.name + "' has no address";
      return {Code::kShapeNotSet, text_ = message_.c_str()};
    }
  return kOkStatus;
}

// Why work that waits for the device, or looks at it, cannot be noted.
Status Context::check_capture() noexcept {
  if (is_watched())
    return {Code::kInvalidState, text_ = "a profiled or observed inference cannot be captured: take the profiler away"};
  const plan::StepInfo* blocker = engine_->capture_blocker();
  if (!blocker) return kOkStatus;
  message_ = "the inference cannot be captured: the layer '" + blocker->name + "' (" + blocker->op + ") takes the host";
  return {Code::kInvalidState, text_ = message_.c_str()};
}

void Context::set_ranges(Ranges ranges) {
  const auto& steps = engine_->main().steps;
  std::vector<std::string> details;
  if (ranges == Ranges::kDetails)
    for (const plan::StepInfo& step : steps) details.push_back(step.name + " (" + step.op + ", " + step.tactic + ")");
  std::vector<const char*> names;
  for (size_t i = 0; i < steps.size() && ranges != Ranges::kNone; ++i)
    names.push_back(ranges == Ranges::kNames ? steps[i].name.c_str() : details[i].c_str());
  runner_.set_ranges(std::move(names));
  range_names_ = std::move(details);
  ranges_ = ranges;
}

Status Context::enqueue(Stream& stream) noexcept {
  const bool captures = stream.capturing();
  if (captures) KILN_RETURN_IF_ERROR(check_capture());
  stop_.flag.store(false, std::memory_order_relaxed);
  stop_.deadline = time_limit_ > 0 ? deadline_after(time_limit_) : WorkLimits::Clock::time_point::max();
  const WorkScope scope(
      {.name = "the inference", .stop = &stop_.flag, .deadline = stop_.deadline, .seconds = time_limit_});
  KILN_RETURN_IF_ERROR(check_ready());
  const ThreadLimit limit(engine_->devices(), engine_->max_threads());
  current_stream_ = &stream;
  const NamedRange range(engine_->device(), "enqueue");
  if (profiler_ || looks()) KILN_RETURN_IF_ERROR(enqueue_stepwise(stream));
  else
    KILN_RETURN_IF_ERROR(
        runner_.run(stream, input_consumed_ ? &consumed_hook_ : nullptr, runs_lanes(captures) ? &*lanes_ : nullptr));
  return deliver_outputs(stream);
}

// With something to do after each step.
Status Context::enqueue_stepwise(Stream& stream) {
  const bool profiled = profiler_ && !observer_, looked = looks();
  const Runner::StepHook hook = [&](size_t step) -> Status {
    KILN_RETURN_IF_ERROR(consumed_hook_(step));
    if (looked && step > 0) KILN_RETURN_IF_ERROR(look(step - 1, stream));
    return profiled ? events_[step]->record(stream) : kOkStatus;
  };
  KILN_RETURN_IF_ERROR(runner_.run(stream, &hook));
  if (!profiled) return kOkStatus;
  KILN_RETURN_IF_ERROR(stream.synchronize());
  const auto& steps = engine_->main().steps;
  for (size_t i = 0; i < steps.size(); ++i)
    profiler_->report(steps[i], events_[i + 1]->milliseconds_since(*events_[i]));
  return kOkStatus;
}

// Results whose size only running could tell go where the user's allocator or, without one, the address says.
Status Context::deliver_outputs(Stream& stream) noexcept {
  for (int32_t t : engine_->main().outputs) {
    const plan::TensorInfo& info = nth(engine_->main().tensors, t);
    if (info.storage != plan::Storage::kSlot || info.kind != Datum::kTensor) continue;
    if (!output_allocate_ && !runner_.address(t)) continue;
    const Tensor& result = runner_.slot(t).tensor;
    if (result.dtype() == DType::kString) continue;
    void* to = output_allocate_ ? output_allocate_(info.name, static_cast<size_t>(result.bytes())) : runner_.address(t);
    if (!to && result.bytes() > 0) {
      message_ = "output '" + info.name + "' has no memory: neither an address, nor an allocator that gives some";
      return {Code::kOutOfMemory, text_ = message_.c_str()};
    }
    KILN_RETURN_IF_ERROR(
        engine_->device().copy(stream, to, result.data(), static_cast<size_t>(result.bytes()), CopyKind::kAny));
  }
  return kOkStatus;
}

}  // namespace kiln
