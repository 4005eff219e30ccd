// Runs one program of an engine: the steps of the main graph, or of a branch or loop body.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/index.h"
#include "base/work.h"
#include "runtime/engine.h"
#include "runtime/lanes.h"
#include "runtime/scratch.h"

namespace kiln {

// What ends a run early.
struct RunStop {
  std::atomic<bool> flag = false;
  WorkLimits::Clock::time_point deadline = WorkLimits::Clock::time_point::max();
};

class Runner {
 public:
  // `arena` and `host_arena` are the context's memory.
  Runner(const Engine& engine, uint32_t program, std::byte* arena, std::byte* host_arena);
  ~Runner();

  // Inputs and outputs of the main program: the shape and the address of the tensor.
  Status set_input_dims(int32_t tensor, std::span<const int64_t> dims) noexcept;
  void forget_input_dims(int32_t tensor) noexcept;
  // Steps run as they were tuned for the profile; 0 at first.
  void set_profile(uint32_t profile) noexcept;
  std::byte* arena() const { return arena_; }
  void set_arena(std::byte* arena) noexcept;
  // Elements of a shape tensor among the inputs, as many as the profiles bound.
  void set_input_values(int32_t tensor, std::span<const int64_t> values) noexcept;
  void set_address(int32_t tensor, void* address) noexcept {
    nth(states_, tensor).given = address;
    if (nth(states_, tensor).slot) return;
    nth(states_, tensor).view.data = address;
    dirty_addresses_ = true;
  }
  void* address(int32_t tensor) const { return nth(states_, tensor).given; }
  bool dims_known(int32_t tensor) const { return nth(states_, tensor).known; }
  const std::vector<int64_t>& tensor_dims(int32_t tensor) const { return nth(states_, tensor).dims; }
  bool has_slot(int32_t tensor) const { return nth(states_, tensor).slot != nullptr; }
  // A result that only running could size: valid after run().
  const Datum& slot(int32_t tensor) const { return *nth(states_, tensor).slot; }
  // Dimensions that such a result will have, after prepare(); nothing when only running can tell.
  std::optional<std::vector<int64_t>> expected_dims(int32_t tensor) const;
  void set_slot(int32_t tensor, Datum value);
  bool slot_is_set(int32_t tensor) const {
    const Datum& held = slot(tensor);
    return held.kind != Datum::kTensor || held.tensor.valid();
  }
  // What the tensor holds now, copied to the host in row-major order.
  Datum value(Stream& stream, int32_t tensor) const;

  // Computes every shape that follows from the inputs and prepares the steps. Cheap when nothing changed.
  Status prepare() noexcept;
  // Called before each step and once after the last; a status that is not ok ends the run.
  using StepHook = std::function<Status(size_t step)>;
  // Queues all steps: one behind the other, or side by side where the plan says so and `lanes` are given. `before_step` may be null.
  Status run(Stream& stream, const StepHook* before_step, Lanes* lanes = nullptr) noexcept;

  // Bodies: runs with these inputs and returns the outputs. `outer` gives the symbols that the caller knows.
  Status call(Stream& stream, const Symbols& outer, std::vector<Datum> inputs, std::vector<Datum>& outputs);

  // Where late steps take workspaces whose size only running tells; null: the device's own.
  void set_scratch_allocator(Allocator* allocator);
  // A run, bodies too, ends with kInvalidState before its next step once it is to end; null: never. It outlives the runner.
  void set_stop(const RunStop* stop) noexcept;

  // Each step is a range of the device's under its name here; none when there are no names, which outlive the runner.
  void set_ranges(std::vector<const char*> names) { ranges_ = std::move(names); }

  const char* error_text() const { return error_.c_str(); }

 private:
  struct TensorState {
    std::vector<int64_t> dims, strides;
    TensorView view;
    void* given = nullptr;  // by the user
    std::unique_ptr<Datum> slot;
    bool known = false;
    bool fixed = false, settled = false;  // the same shape in every run; it has been resolved, placed and checked
  };
  struct StepState {
    const plan::StepInfo* info = nullptr;          // the step, or its variant for the profile
    Kernel* kernel = nullptr;                      // of `info`
    std::vector<std::unique_ptr<Kernel>> kernels;  // of the step, then of its variants
    std::vector<TensorView> inputs, outputs;
    KernelCall call;
    bool late = false;
    int64_t transfer_bytes = 0;
    std::vector<int> fresh;              // symbols that the results bind
    std::vector<int64_t> prepared_dims;  // of a late step: shapes of the last prepare, and where they lay
    Scratch workspace;                   // of a step that wants more than the plan reserves
    std::string workspace_text;          // why it was refused
    std::vector<std::unique_ptr<Runner>> bodies;
  };

  void make_steps();
  void make_kernels(StepState& step, size_t index) const;
  std::vector<int> fresh_symbols(const plan::StepInfo& info, std::set<int>& bound) const;
  void order_views();
  void find_sizing();
  Status bind_input(int32_t tensor) noexcept;
  void bind_argument(int32_t tensor);
  Status prepare_steps();
  Status prepare_body();
  Status bind_values() noexcept;
  bool resolve(int32_t tensor);  // dims, strides from symbols; false when not known yet
  void place(int32_t tensor);
  Status resolve_all();
  TensorView view_of(int32_t tensor) const;
  void forget_late_symbols() {
    for (int symbol : engine_.dims().late_symbols()) nth(symbols_, symbol).reset();
  }
  void refresh_views(StepState& step, const plan::StepInfo& info);
  bool on_host(const plan::TensorInfo& info) const;
  Status measure_transfer(StepState& step, const plan::StepInfo& info) noexcept;
  Status run_steps(Stream& stream, const StepHook* before_step, Lanes* lanes) noexcept;
  Status run_ranged_step(size_t index, Stream& stream) noexcept;
  Status run_step(size_t index, Stream& stream) noexcept;
  Status run_named_step(size_t index, Stream& stream) noexcept;
  Status run_transfer(size_t index, Stream& stream) noexcept;
  Status check_reserved(int32_t tensor);
  Status place_views();
  Status keep_apart();
  static bool slots_fit(const StepState& step);
  static void use_workspace(StepState& step);
  Status check_stop() const noexcept;
  Status reserve_workspace(StepState& step, const plan::StepInfo& info);
  Status run_late(size_t index, Stream& stream);
  Status run_control(size_t index, Stream& stream);
  Status run_if(size_t index, Stream& stream);
  Status run_loop(size_t index, Stream& stream);
  Status run_scan(size_t index, Stream& stream);
  std::optional<Tensor> slice_of_none(int32_t t, int64_t axis) const;
  std::vector<Tensor> outputs_of_none(size_t index, size_t first, const Ints& axes, std::vector<Datum> arguments,
                                      size_t skipped, Stream& stream);
  void take_results(size_t index, std::vector<Datum> results);
  void bind_results(const plan::StepInfo& info);
  Datum as_datum(int32_t tensor) const;
  Status fail(Code code, std::string text) const;

  const Engine& engine_;
  const plan::Program& program_;
  const StepFrames* frames_;
  std::vector<const char*> ranges_;  // by step
  std::byte *arena_, *host_arena_;
  Allocator* scratch_ = nullptr;
  const RunStop* stop_ = nullptr;
  bool is_body_, transfers_ = false;
  Symbols symbols_;
  // Of a body: symbols that sizes in its memory depend on, and their values at the last prepare.
  std::vector<int> sizing_;
  Symbols sized_by_;
  // Elements of an input that dimensions depend on.
  struct Values {
    int32_t tensor;
    std::vector<int> symbols;  // -1 where no dimension depends on it
    std::vector<int64_t> now;
    bool known = false;
  };
  std::vector<Values> values_;
  std::vector<TensorState> states_;
  std::vector<StepState> steps_;
  std::vector<int32_t> views_;                 // what a view lies in comes before it
  std::vector<const plan::StepInfo*> inside_;  // steps of which only shapes tell whether operands share bytes
  std::vector<plan::TensorPair> parts_;        // that only shapes keep apart while steps run side by side
  bool dirty_shapes_ = true, dirty_addresses_ = true;
  mutable std::string error_;
};

}  // namespace kiln
