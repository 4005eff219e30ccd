// Loading of engines.
#include "runtime/engine.h"

#include <algorithm>

#include "plan/verify_shapes.h"
#include "runtime/context.h"

namespace kiln {

Engine::Engine(plan::Plan plan) : plan_(std::move(plan)), dims_(plan_.dims) {
  device_ = &open_device(plan_.device);
  if (device_->fingerprint() != plan_.fingerprint)
    throw Error(Code::kPlanDevice, "the engine was built for another device")
        .cause("built for " + plan_.fingerprint + "; this is " + device_->fingerprint())
        .remedy("build the engine on this machine");
  devices_[plan_.device] = device_;
  for (const plan::Program& program : plan_.programs)
    for (const plan::StepInfo& step : program.steps)
      if (step.bodies.empty() && !devices_.count(step.device)) devices_[step.device] = &open_device(step.device);
  for (const auto& [name, device] : devices_) opened_.push_back(device);
}

std::shared_ptr<Engine> Engine::load(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  return std::shared_ptr<Engine>(new Engine(plan::read(bytes, std::move(owner))));
}

std::shared_ptr<Engine> Engine::load_file(const std::string& path) {
  auto file = FileMap::open(path);
  return load(file->bytes(), file);
}

std::shared_ptr<Engine> Engine::from_plan(plan::Plan plan) {
  plan::verify(plan);
  return std::shared_ptr<Engine>(new Engine(std::move(plan)));
}

std::optional<int32_t> Engine::find_io(std::string_view name) const {
  for (const auto* list : {&main().inputs, &main().outputs})
    for (int32_t t : *list)
      if (main().tensors[static_cast<size_t>(t)].name == name) return t;
  return std::nullopt;
}

bool Engine::is_input(int32_t tensor) const {
  return std::find(main().inputs.begin(), main().inputs.end(), tensor) != main().inputs.end();
}

std::unique_ptr<Context> Engine::create_context(Allocator* allocator, void* arena) {
  return std::make_unique<Context>(shared_from_this(), allocator, arena);
}

std::optional<int64_t> Engine::max_bytes(int32_t tensor, int32_t profile) const {
  const plan::TensorInfo& info = main().tensors[static_cast<size_t>(tensor)];
  std::optional<int64_t> most;
  int32_t corner = 0;
  plan::for_each_corner(plan_, [&](const plan::DimValues& values) {
    const int32_t of = corner++ / 3;
    Dims dims;
    for (uint32_t d : info.dims)
      if (values[d] && *values[d] >= 0) dims.push_back(*values[d]);
    const auto count = checked_element_count(dims);
    const auto bytes = count ? byte_size(info.dtype, *count) : std::nullopt;
    if (of == profile && info.ranked && dims.size() == info.dims.size() && bytes)
      most = std::max(most.value_or(0), *bytes);
  });
  return most;
}

std::unique_ptr<Context> Engine::create_context_without_memory() {
  return std::make_unique<Context>(shared_from_this(), nullptr, nullptr, false);
}

}  // namespace kiln
