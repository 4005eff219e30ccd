// A loaded engine: immutable, shared by any number of contexts and threads.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "device/device.h"
#include "plan/lanes.h"
#include "plan/plan.h"
#include "runtime/dim_table.h"
#include "runtime/step_frames.h"

namespace kiln {

class Context;

struct LoadOptions {
  // For the constants that the device reads; null: the device's own. It outlives the engine. Only engines whose device has memory of
  // its own take any.
  Allocator* allocator = nullptr;
  // To run on, where it is of the engine's back end; else, and when null: the device that the back end's name stands for.
  Device* device = nullptr;
  bool copies = false;  // a file is read into memory instead of mapped
  // False: binaries of generated kernels are not run as they stand in the plan; the device makes each again from its generator and
  // parameters, which takes a while, and an engine for which it cannot is refused.
  bool trusts_kernels = true;
  bool looks_only = false;  // no device is opened: the plan can be looked at, on any machine, and not run
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  // Verifies and opens; weights stay where `bytes` are, kept alive by `owner`. Throws kMalformedPlan, kPlanVersion, kPlanDevice.
  static std::shared_ptr<Engine> load(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                      const LoadOptions& options = {});
  static std::shared_ptr<Engine> load_file(const std::string& path, const LoadOptions& options = {});
  // From a plan that this process has just made.
  static std::shared_ptr<Engine> from_plan(plan::Plan plan, const LoadOptions& options = {});
  ~Engine();

  const plan::Plan& plan() const { return plan_; }
  const plan::Program& main() const { return plan_.programs[0]; }
  Device& device() const { return *device_; }  // not of an engine that is only looked at
  // Of a step, then of its variants; empty for control steps and transfers.
  using Executables = std::vector<std::shared_ptr<const Executable>>;
  const Executables& executables(size_t program, size_t step) const { return executables_[program][step]; }
  // Through which the steps of a program are called; null: directly.
  const StepFrames* frames(size_t program) const { return frames_[program].get(); }
  // Where a constant lies for the steps that read it, and where the host reads it.
  void* constant(const plan::TensorInfo& info) const;
  const std::byte* host_constant(const plan::TensorInfo& info) const {
    return plan_.constants.at(info.offset, info.size);
  }
  // The first step on whose account an enqueue cannot be captured, because the host takes part; null: it can.
  const plan::StepInfo* capture_blocker() const;
  // Streams beside that of an enqueue in which steps run; 0: all run one after another.
  size_t aux_streams() const { return plan::lane_count(main().steps) - 1; }
  const DimTable& dims() const { return dims_; }
  // At most so many threads compute at once in each context; 0: as many as the device has. Before the first context is made.
  void set_max_threads(int most) { max_threads_ = most; }
  int max_threads() const { return max_threads_; }
  std::span<Device* const> devices() const { return opened_; }
  double device_seconds() const { return device_seconds_; }  // that opening them took
  // Bytes of the device that each context takes for activations and workspaces, at the largest shapes of all profiles.
  size_t context_memory() const { return plan_.arena_size; }
  // Index of an input or output tensor of the main program by name; nothing when there is none.
  std::optional<int32_t> find_io(std::string_view name) const;
  bool is_input(int32_t tensor) const;
  // Bytes of an input or output of the main program at the largest shapes of a profile; nothing when only running can tell.
  std::optional<int64_t> max_bytes(int32_t tensor, int32_t profile) const;
  // Memory comes from `allocator`, or from the device's own when null. Throws kOutOfMemory. `arena` non-null: the caller's
  // memory of context_memory() bytes, 64-byte aligned, kept alive by the caller.
  std::unique_ptr<Context> create_context(Allocator* allocator = nullptr, void* arena = nullptr);
  // Its memory is given with Context::set_arena.
  std::unique_ptr<Context> create_context_without_memory();

 private:
  Engine(plan::Plan plan, const LoadOptions& options);
  void open_devices(Device* wanted);
  void require_device() const;
  void require_life() const;
  void generate_kernels();
  std::shared_ptr<const Executable> load_step(const plan::StepInfo& step);
  void load_executables();
  void name_frames();
  void upload_constants();
  plan::Plan plan_;
  DimTable dims_;
  Device* device_ = nullptr;
  std::map<std::string, Device*> devices_;
  std::vector<Device*> opened_;                        // all of devices_
  std::vector<std::vector<Executables>> executables_;  // by program and step
  std::map<std::tuple<int32_t, std::string, std::string>, std::shared_ptr<const Executable>>
      generated_;                                    // by code, device and kernel, of steps without parameters
  std::vector<std::unique_ptr<StepFrames>> frames_;  // by program
  Allocator* allocator_ = nullptr;                   // of constants_
  std::byte* constants_ = nullptr;                   // in the device's memory
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> uploaded_;  // offset and size: place in constants_
  int max_threads_ = 0;
  double device_seconds_ = 0;
};

}  // namespace kiln
