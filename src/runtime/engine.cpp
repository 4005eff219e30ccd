// Loading of engines.
#include "runtime/engine.h"

#include <algorithm>
#include <chrono>

#include "base/in_parallel.h"
#include "base/index.h"
#include "plan/verify_shapes.h"
#include "runtime/context.h"
#include "runtime/take_memory.h"

namespace kiln {

namespace {

constexpr uint64_t kUploadBytes = uint64_t{64} << 20;  // of one copy, so that what a driver stages stays bounded

// Kernels and packed constants are made for one device.
void check_same(const Device& device, const std::string& fingerprint) {
  if (device.fingerprint() == fingerprint) return;
  throw Error(Code::kPlanDevice, "the engine was built for another device")
      .cause("built for " + fingerprint + "; this is " + device.fingerprint())
      .remedy("build the engine on this machine");
}

}  // namespace

Engine::Engine(plan::Plan plan, const LoadOptions& options)
    : plan_(std::move(plan)), dims_(plan_.dims), allocator_(options.allocator) {
  if (options.looks_only) return;
  const auto start = std::chrono::steady_clock::now();
  open_devices(options.device);
  device_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  require_life();
  const NamedRange range(*device_, "load");
  if (!options.trusts_kernels) generate_kernels();
  load_executables();
  name_frames();
  if (plan_.device_memory) upload_constants();
}

Engine::~Engine() {
  if (constants_) allocator_->deallocate(constants_);
}

void Engine::open_devices(Device* wanted) {
  device_ = wanted && wanted->name() == plan_.device ? wanted : &open_device(plan_.device);
  check_same(*device_, plan_.fingerprint);
  if (device_->host_memory() == plan_.device_memory)
    throw Error(Code::kPlanDevice, "the engine was built for a device with another kind of memory")
        .remedy("build the engine on this machine");
  devices_[plan_.device] = device_;
  for (const plan::UsedDevice& other : plan_.others) {
    Device& device = open_device(other.name);
    if (!device.host_memory())
      throw Error(Code::kMalformedPlan, "steps run on a second device, '" + other.name + "', with memory of its own");
    check_same(device, other.fingerprint);
    devices_[other.name] = &device;
  }
  for (const auto& [name, device] : devices_) opened_.push_back(device);
}

// Every binary again, by the device of a step that runs it.
void Engine::generate_kernels() {
  std::vector<const plan::StepInfo*> users(plan_.kernels.size());
  const auto note = [&](const plan::StepInfo& step) {
    if (step.code >= 0) nth(users, step.code) = &step;
  };
  for (const plan::Program& program : plan_.programs)
    for (const plan::StepInfo& step : program.steps) {
      note(step);
      for (const plan::StepVariant& variant : step.variants) note(variant.step);
    }
  in_parallel(plan_.kernels.size(), [&](size_t i) {
    GeneratedKernel& kernel = plan_.kernels[i];
    if (!users[i]) return;
    try {
      auto made = std::make_shared<const std::vector<std::byte>>(devices_.at(users[i]->device)->generate(kernel));
      kernel.binary = *made;
      kernel.owner = std::move(made);
    } catch (Error& e) {
      e.add_node("'" + users[i]->name + "'");
      throw;
    }
  });
}

// Steps that run the same code share it.
std::shared_ptr<const Executable> Engine::load_step(const plan::StepInfo& step) {
  std::shared_ptr<const Executable> alone;
  const bool shares = step.code >= 0 && step.parameters.empty();
  std::shared_ptr<const Executable>& made = shares ? generated_[{step.code, step.device, step.kernel}] : alone;
  if (made) return made;
  try {
    const GeneratedKernel* code = step.code >= 0 ? &nth(plan_.kernels, step.code) : nullptr;
    made = devices_.at(step.device)->load({step.kernel, step.parameters, code});
    if (!made)
      throw Error(Code::kMalformedPlan, "the device '" + step.device + "' has no kernel '" + step.kernel + "'");
    return made;
  } catch (Error& e) {
    e.add_node("'" + step.name + "' (" + step.kernel + ")");
    throw;
  }
}

void Engine::load_executables() {
  for (const plan::Program& program : plan_.programs) {
    auto& list = executables_.emplace_back(program.steps.size());
    for (size_t i = 0; i < program.steps.size(); ++i) {
      const plan::StepInfo& step = program.steps[i];
      if (!step.bodies.empty() || step.is_transfer()) continue;
      list[i].push_back(load_step(step));
      for (const plan::StepVariant& variant : step.variants) list[i].push_back(load_step(variant.step));
    }
  }
}

void Engine::name_frames() {
  for (const plan::Program& program : plan_.programs) {
    std::vector<std::string> names;
    for (const plan::StepInfo& step : program.steps)
      names.push_back("kiln: " + step.name + " [" + step.op + ", " + (step.tactic.empty() ? step.kernel : step.tactic) +
                      "]");
    frames_.push_back(StepFrames::make(names));
  }
}

// Copies what steps of the device read; equal constants once.
void Engine::upload_constants() {
  if (!device_->is_present()) return;
  uint64_t size = 0;
  const auto alignment = static_cast<uint64_t>(device_->facts().alignment);
  for (const plan::Program& program : plan_.programs)
    for (const plan::TensorInfo& t : program.tensors)
      if (t.storage == plan::Storage::kConstant && !t.on_host && t.size > 0 &&
          uploaded_.try_emplace({t.offset, t.size}, size).second)
        size += (t.size + alignment - 1) / alignment *
                alignment;  // the plan holds them: the sum is far from the end of 64 bits
  if (size == 0) return;
  if (!allocator_) allocator_ = &device_->allocator();
  const auto give_back = [this](std::byte* memory) { allocator_->deallocate(memory); };
  std::unique_ptr<std::byte, decltype(give_back)> memory(
      static_cast<std::byte*>(take_memory(*allocator_, size, alignment, "the engine's weights",
                                          "free memory of the device, or build the engine with smaller weights")),
      give_back);
  const auto stream = device_->create_stream();
  for (const auto& [from, to] : uploaded_) {
    const std::byte* bytes = plan_.constants.at(from.first, from.second);
    for (uint64_t done = 0; done < from.second; done += kUploadBytes) {
      const Status copied = device_->copy(*stream, memory.get() + to + done, bytes + done,
                                          std::min(kUploadBytes, from.second - done), CopyKind::kHostToDevice);
      if (!copied.ok()) throw Error(copied.code, copied.detail);
    }
  }
  throw_if_error(stream->synchronize());
  constants_ = memory.release();
}

void* Engine::constant(const plan::TensorInfo& info) const {
  if (!plan_.device_memory || info.on_host) return const_cast<std::byte*>(host_constant(info));
  const auto it = uploaded_.find({info.offset, info.size});
  return it == uploaded_.end() ? nullptr : constants_ + it->second;
}

const plan::StepInfo* Engine::capture_blocker() const {
  for (const plan::StepInfo& step : main().steps)
    if (step.waits || plan_.on_host(step)) return &step;
  return nullptr;
}

std::shared_ptr<Engine> Engine::load(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                     const LoadOptions& options) {
  return std::shared_ptr<Engine>(new Engine(plan::read(bytes, std::move(owner)), options));
}

std::shared_ptr<Engine> Engine::load_file(const std::string& path, const LoadOptions& options) {
  auto file = options.copies ? FileMap::read(path) : FileMap::open(path);
  try {
    return load(file->bytes(), file, options);
  } catch (const Error& e) {
    throw about_file(path, e);
  }
}

std::shared_ptr<Engine> Engine::from_plan(plan::Plan plan, const LoadOptions& options) {
  plan::verify(plan);
  return std::shared_ptr<Engine>(new Engine(std::move(plan), options));
}

std::optional<int32_t> Engine::find_io(std::string_view name) const {
  for (const auto* list : {&main().inputs, &main().outputs})
    for (int32_t t : *list)
      if (nth(main().tensors, t).name == name) return t;
  return std::nullopt;
}

bool Engine::is_input(int32_t tensor) const {
  return std::find(main().inputs.begin(), main().inputs.end(), tensor) != main().inputs.end();
}

std::unique_ptr<Context> Engine::create_context(Allocator* allocator, void* arena) {
  require_device();
  return std::make_unique<Context>(shared_from_this(), allocator, arena);
}

void Engine::require_device() const {
  if (!device_)
    throw Error(Code::kInvalidState, "the engine was opened to be looked at, without its device")
        .remedy("load it to run it");
  if (!device_->is_present())
    throw Error(Code::kPlanDevice, "the engine is of a device that this machine lacks")
        .cause("it was built from the profile of " + device_->facts().name)
        .remedy("save the engine, and load it on a machine that has the device");
  require_life();
}

// A device that is lost gives no memory, which would be taken for a device that is full.
void Engine::require_life() const {
  if (!plan_.device_memory || !device_->is_present() || device_->free_memory() >= 0) return;
  throw Error(Code::kExecution, "the device '" + plan_.device + "' takes no work any more")
      .cause("its context is lost to this process, as after a fault of an earlier inference")
      .remedy("start the process again");
}

std::optional<int64_t> Engine::max_bytes(int32_t tensor, int32_t profile) const {
  const plan::TensorInfo& info = nth(main().tensors, tensor);
  std::optional<int64_t> most;
  int32_t corner = 0;
  plan::for_each_corner(plan_, [&](const plan::DimValues& values) {
    const int32_t of = corner++ / 3;
    Dims dims;
    for (uint32_t d : info.dims)
      if (values[d] && *values[d] >= 0) dims.push_back(*values[d]);
    if (of != profile || !info.ranked || dims.size() != info.dims.size()) return;
    if (const auto bytes = byte_size(info.dtype, storage_elements(info.layout, dims)))
      most = std::max(most.value_or(0), *bytes);
  });
  return most;
}

std::unique_ptr<Context> Engine::create_context_without_memory() {
  require_device();
  return std::make_unique<Context>(shared_from_this(), nullptr, nullptr, false);
}

}  // namespace kiln
