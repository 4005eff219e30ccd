// An execution context: the state of one inference at a time. One thread at a time; make one per thread.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "runtime/engine.h"
#include "runtime/runner.h"

namespace kiln {

// Receives milliseconds per step after an enqueue.
class StepProfiler {
 public:
  virtual ~StepProfiler() = default;
  virtual void report(const plan::StepInfo& step, double milliseconds) noexcept = 0;
};

// Sees result `output` of a step before its memory is used again: on the host, in row-major order. What it throws ends the enqueue.
using ResultObserver = std::function<void(size_t step, size_t output, const Datum& value)>;

// Sees a value that the plan shows, named as in the plan: on the host, in row-major order. What it throws ends the enqueue.
using ValueListener = std::function<void(const plan::TensorInfo& info, const Datum& value)>;

// Gives memory for a result whose size only running can tell; null refuses.
using OutputAllocate = std::function<void*(std::string_view name, size_t size)>;

struct GiveBack {
  Allocator* allocator = nullptr;
  void operator()(void* memory) const noexcept { allocator->deallocate(memory); }
};

class Context {
 public:
  Context(std::shared_ptr<Engine> engine, Allocator* allocator, void* arena, bool take_memory = true);
  ~Context();

  const Engine& engine() const { return *engine_; }
  // Memory of context_memory() bytes, 64-byte aligned, kept alive by the caller, instead of what the context has.
  Status set_arena(void* arena) noexcept;
  // Profile whose bounds inputs are checked against; 0 at first. Shapes outside the new bounds are forgotten.
  Status set_profile(int32_t profile) noexcept;
  int32_t profile() const { return profile_; }
  Status set_input_dims(int32_t tensor, std::span<const int64_t> dims) noexcept;
  // An input that is a sequence, an optional or a tensor of strings. Kept until another is set; it borrows what the datum borrows.
  Status set_input_value(int32_t tensor, Datum value) noexcept;
  Status set_address(int32_t tensor, void* address) noexcept;
  void* address(int32_t tensor) const { return runner_.address(tensor); }
  // Shapes of all tensors from those of the inputs, and from the elements of shape tensors, which lie at their addresses in host
  // memory. enqueue does it when needed.
  Status prepare() noexcept;
  // What enqueue needs is there: shapes, addresses, memory.
  Status check_ready() noexcept;
  // Every size is known before running.
  bool is_static() const;
  // Dimensions of an input or output; null while unknown. Valid until the next call.
  const std::vector<int64_t>* dims(int32_t tensor) noexcept;
  // An output whose size only running could tell, or that is no tensor of numbers; valid until the next enqueue. Null for others.
  const Datum* slot(int32_t tensor) const { return runner_.has_slot(tensor) ? &runner_.slot(tensor) : nullptr; }
  void set_output_allocate(OutputAllocate allocate) { output_allocate_ = std::move(allocate); }
  void set_profiler(StepProfiler* profiler);
  StepProfiler* profiler() const { return profiler_; }
  // Something is done after each step: steps are profiled, observed, shown or checked.
  bool is_watched() const { return profiler_ || looks(); }
  // For one thing at a time: an observed enqueue is not profiled. Null for none.
  void set_observer(ResultObserver observer) { observer_ = std::move(observer); }
  // Hears of the values that are shown, as soon as they are there; null for none.
  void set_listener(ValueListener listener) { listener_ = std::move(listener); }
  // Whether a value that the plan shows, or every result when the plan shows all, is shown; at first none is.
  void show(int32_t tensor, bool on);
  bool shows(int32_t tensor) const { return shown_.count(tensor) > 0; }
  void show_results(bool on) { show_results_ = on && engine_->plan().shows_results; }
  bool shows_results() const { return show_results_; }
  // Waits after each step, so that an error names its step.
  void set_step_by_step(bool on) { step_by_step_ = on; }
  // What tools that watch the device show of an inference.
  enum class Ranges { kNone, kNames /* of steps */, kDetails /* and what runs them */ };
  void set_ranges(Ranges ranges);
  Ranges ranges() const { return ranges_; }
  // Memory beyond the arena, of steps whose sizes only running tells; null: the device's own. It outlives the context.
  void set_scratch_allocator(Allocator* allocator) { runner_.set_scratch_allocator(allocator); }
  // The first of Engine::aux_streams() are these from now on, behind them the context's own. They outlive their use, and all differ.
  void set_aux_streams(std::span<Stream* const> streams);
  // Steps run side by side, as the plan says; else one after another, as they do while something is done after each step.
  void set_side_by_side(bool on) { side_by_side_ = on; }
  // Recorded as soon as the inputs may be overwritten; null for none.
  void set_input_consumed_event(Event* event) { input_consumed_ = event; }

  // Queues one inference. After the first call with the same shapes: no allocation, no lock, no exception, unless the engine
  // has values whose size only running can tell.
  Status enqueue(Stream& stream) noexcept;
  // Ends the inference that runs, before its next step or trip of a loop, or within a long step; one that begins later is not touched.
  // For any thread, and for handlers of signals.
  void stop() noexcept { stop_.flag.store(true, std::memory_order_relaxed); }
  void set_time_limit(double seconds) noexcept { time_limit_ = seconds; }  // of each enqueue; 0: none
  // Explains the last status that was not ok.
  const char* error_text() const { return *text_ ? text_ : runner_.error_text(); }

 private:
  const plan::ProfileDims& bounds_of(size_t input) const;
  // What an input, or its values, would have to lie in: in the profile that is used, and in the others.
  std::string outside_profile(std::vector<plan::ProfileDims> plan::Profile::*list, size_t input) const;
  size_t behind_readers() const;
  bool runs_lanes(bool captures) const {
    return lanes_ && side_by_side_ && (captures || !engine_->plan().lanes_in_captures);
  }
  Status read_values() noexcept;
  Status check_addresses() noexcept;
  Status check_capture() noexcept;
  Status deliver_outputs(Stream& stream) noexcept;
  bool looks() const;
  Status look(size_t step, Stream& stream);
  void look_at(size_t step, size_t output, Stream& stream);
  Status enqueue_stepwise(Stream& stream);

  std::shared_ptr<Engine> engine_;
  Allocator* allocator_ = nullptr;
  using Memory = std::unique_ptr<void, GiveBack>;
  static Memory take(const Engine& engine, size_t size, Allocator& allocator);
  Memory owned_arena_, host_arena_;
  Runner runner_;
  std::optional<Lanes> lanes_;  // of an engine that has some
  bool side_by_side_ = true;
  int32_t profile_ = 0;
  size_t last_reader_ = 0;  // in the user's stream all steps that read inputs have ended before this one
  Runner::StepHook consumed_hook_;
  Stream* current_stream_ = nullptr;
  OutputAllocate output_allocate_;
  StepProfiler* profiler_ = nullptr;
  ResultObserver observer_;
  ValueListener listener_;
  std::set<int32_t> shown_;
  std::map<int32_t, const plan::Watch*> required_;
  bool show_results_ = false, step_by_step_ = false;
  Ranges ranges_ = Ranges::kNone;
  std::vector<std::string> range_names_;
  std::vector<std::unique_ptr<Event>> events_;
  Event* input_consumed_ = nullptr;
  RunStop stop_;
  double time_limit_ = 0;
  const char* text_ = "";
  std::string message_;
  std::vector<int64_t> expected_dims_, read_;
};

}  // namespace kiln
