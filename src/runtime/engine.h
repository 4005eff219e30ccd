// A loaded engine: immutable, shared by any number of contexts and threads.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "device/device.h"
#include "plan/plan.h"
#include "runtime/dim_table.h"

namespace kiln {

class Context;

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  // Verifies and opens; weights stay where `bytes` are, kept alive by `owner`. Throws kMalformedPlan, kPlanVersion, kPlanDevice.
  static std::shared_ptr<Engine> load(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
  static std::shared_ptr<Engine> load_file(const std::string& path);
  // From a plan that this process has just made.
  static std::shared_ptr<Engine> from_plan(plan::Plan plan);

  const plan::Plan& plan() const { return plan_; }
  const plan::Program& main() const { return plan_.programs[0]; }
  Device& device() const { return *device_; }
  Device& device_of(const plan::StepInfo& step) const { return *devices_.at(step.device); }
  const DimTable& dims() const { return dims_; }
  // At most so many threads compute at once in each context; 0: as many as the device has. Before the first context is made.
  void set_max_threads(int most) { max_threads_ = most; }
  int max_threads() const { return max_threads_; }
  std::span<Device* const> devices() const { return opened_; }
  // Bytes that each context takes for activations and workspaces, at the largest shapes of all profiles.
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
  explicit Engine(plan::Plan plan);
  plan::Plan plan_;
  DimTable dims_;
  Device* device_ = nullptr;
  std::map<std::string, Device*> devices_;
  std::vector<Device*> opened_;  // all of devices_
  int max_threads_ = 0;
};

}  // namespace kiln
