// Any engine file that verifies, loaded and run on its profiles' shapes. An Error or a Status may refuse; nothing is read or
// written outside its place. Mutations are of the plan that a file holds (mutate_plan.h), so that most of them verify.
#include <sanitizer/asan_interface.h>

#include <cstdint>
#include <cstring>

#include "backends/cpu/device/device.h"
#include "backends/ref/device/device.h"
#include "mutate_plan.h"
#include "runtime/context.h"

namespace {

using namespace kiln;

constexpr uint64_t kMostBytes = 16 << 20;  // of an arena and of what the user gives

plan::Plan read_plan(const uint8_t* data, size_t size) {
  auto copy = std::make_shared<Tensor>(Tensor::allocate(DType::kU8, {static_cast<int64_t>(size)}));
  if (size > 0) std::memcpy(copy->mutable_data(), data, size);
  return plan::read({static_cast<const std::byte*>(copy->data()), size}, copy);
}

// Memory in which only the places that were opened may be touched.
class Guarded {
 public:
  explicit Guarded(uint64_t size) : memory_(Tensor::allocate(DType::kU8, {static_cast<int64_t>(size)})) {
    ASAN_POISON_MEMORY_REGION(data(), size);
  }
  ~Guarded() { ASAN_UNPOISON_MEMORY_REGION(data(), static_cast<size_t>(memory_.bytes())); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  std::byte* data() { return static_cast<std::byte*>(memory_.mutable_data()); }
  std::byte* open(uint64_t offset, uint64_t size) {
    ASAN_UNPOISON_MEMORY_REGION(data() + offset, size);
    return data() + offset;
  }

 private:
  Tensor memory_;
};

// Gives every constant memory of its own.
void guard_constants(plan::Plan& plan) {
  plan::Constants guarded;
  for (plan::Program& p : plan.programs)
    for (plan::TensorInfo& t : p.tensors) {
      if (t.storage != plan::Storage::kConstant) continue;
      auto memory = std::make_shared<Guarded>(t.size);
      if (t.size > 0) std::memcpy(memory->open(0, t.size), plan.constants.at(t.offset, t.size), t.size);
      t.offset = guarded.add({memory->data(), t.size}, memory);
    }
  plan.constants = std::move(guarded);
}

void open_arena(const plan::Plan& plan, Guarded& arena) {
  for (const plan::Program& p : plan.programs) {
    for (const plan::TensorInfo& t : p.tensors)
      if (t.storage == plan::Storage::kArena) arena.open(t.offset, t.size);
    for (const plan::StepInfo& s : p.steps) arena.open(s.workspace_offset, s.workspace_size);
  }
}

// A loop may run for as long as it likes; that is no fault of the runtime.
bool has_loop(const plan::Plan& plan) {
  for (const plan::Program& p : plan.programs)
    for (const plan::StepInfo& s : p.steps)
      if (s.kernel == "loop") return true;
  return false;
}

// Memory of the user for every input and output; empty when it would take too much.
std::vector<Tensor> give_memory(Context& context) {
  std::vector<Tensor> given;
  uint64_t total = 0;
  const plan::Program& program = context.engine().main();
  for (const auto* list : {&program.inputs, &program.outputs})
    for (int32_t t : *list) {
      const plan::TensorInfo& info = program.tensors[static_cast<size_t>(t)];
      const std::vector<int64_t>* dims = context.dims(t);
      if (info.storage == plan::Storage::kSlot || !dims) continue;
      const auto bytes = byte_size(info.dtype, storage_elements(info.layout, *dims));
      if (!bytes || (total += static_cast<uint64_t>(*bytes)) > kMostBytes) return {};
      given.push_back(Tensor::allocate(DType::kU8, {*bytes}));
      auto* memory = static_cast<uint8_t*>(given.back().mutable_data());
      for (int64_t i = 0; i < *bytes; ++i)
        memory[i] = info.dtype == DType::kBool ? i & 1 : (i & 3) == 0 ? i / 4 % 3 : 0;
      (void)context.set_address(t, memory);
    }
  return given;
}

void run_profile(Context& context, int32_t index, bool runs) {
  const plan::Profile& profile = context.engine().plan().profiles[static_cast<size_t>(index)];
  const plan::Program& program = context.engine().main();
  (void)context.set_profile(index);
  for (const auto bound : {&plan::ProfileDims::min, &plan::ProfileDims::max, &plan::ProfileDims::opt}) {
    for (size_t i = 0; i < program.inputs.size(); ++i)
      (void)context.set_input_dims(program.inputs[i], profile.inputs[i].*bound);
    if (!context.prepare().ok()) continue;
    const std::vector<Tensor> memory = give_memory(context);
    auto stream = context.engine().device().create_stream();
    if (runs && !memory.empty()) (void)context.enqueue(*stream);
  }
}

// The new size; `size` when there is no room.
size_t put_plan(plan::Plan& plan, uint8_t* data, size_t size, size_t max_size) {
  plan::fit_storage(plan);
  const std::vector<std::byte> bytes = plan::write(plan);
  if (bytes.size() > max_size) return size;
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

void load_and_run(plan::Plan plan) {
  if (plan.arena_size > kMostBytes || plan.profiles.size() > 4) return;
  plan.fingerprint = open_device(plan.device).fingerprint();
  const bool runs = !has_loop(plan);
  guard_constants(plan);
  Guarded arena(plan.arena_size);
  open_arena(plan, arena);
  const auto engine = Engine::from_plan(std::move(plan));
  auto context = engine->create_context(nullptr, arena.data());
  for (size_t i = 0; i < engine->plan().profiles.size(); ++i) run_profile(*context, static_cast<int32_t>(i), runs);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  register_device("cpu", &kiln_create_device_cpu);
  register_device("ref", &kiln_create_device_ref);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  std::mt19937 random(seed);
  try {
    plan::Plan plan = read_plan(data, size);
    plan::mutate(plan, random);
    return put_plan(plan, data, size, max_size);
  } catch (const Error&) {
    return size;
  }
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* first, size_t first_size, const uint8_t* second,
                                            size_t second_size, uint8_t* data, size_t max_size, unsigned int seed) {
  std::mt19937 random(seed);
  try {
    plan::Plan plan = read_plan(first, first_size);
    plan::take_step(plan, read_plan(second, second_size), random);
    return put_plan(plan, data, 0, max_size);
  } catch (const Error&) {
    return 0;
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    load_and_run(read_plan(data, size));
  } catch (const Error& e) {
    if (e.code() == Code::kInternal) __builtin_trap();
  }
  return 0;
}
