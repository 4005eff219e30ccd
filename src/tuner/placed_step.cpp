// A kernel with operands on its device, to be timed.
#include "tuner/placed_step.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/cold_memory.h"
#include "base/index.h"
#include "device/workspace.h"
#include "ir/text.h"

namespace kiln {
namespace {

constexpr double kWeightRotation = 48e6;    // bytes, at least: more than the caches hold
constexpr double kMostHostRotation = 96e6;  // a processor may report caches that its cores do not share
constexpr int kMaxCopies = 16;
constexpr int64_t kDrawn = 1 << 20;  // elements of a sample, which larger ones repeat

int64_t operand_bytes(const Argument& a) {
  const int64_t elements = a.layout.is_plain() ? element_count(a.opt) : storage_elements(a.layout, a.opt);
  const auto bytes = byte_size(a.dtype, elements);
  if (!bytes) throw Error(Code::kOutOfMemory, "no memory to measure a tactic");
  return *bytes;
}

// Zeros flatter kernels of narrow types. Drawn once: what is timed needs no numbers of its own.
const Tensor& random_elements(DType type) {
  static std::mutex mutex;
  static std::map<DType, Tensor> drawn;
  const std::lock_guard lock(mutex);
  Tensor& elements = drawn[type];
  if (elements.size() == 0) elements = ir::random_tensor(type, {kDrawn}, 1);
  return elements;
}

}  // namespace

DeviceBlock::DeviceBlock(Allocator& allocator, size_t size)
    : allocator_(&allocator), data_(allocator.allocate(std::max<size_t>(size, 64), 64)) {
  if (!data_) throw Error(Code::kOutOfMemory, "no memory to measure a tactic");
}

DeviceBlock::~DeviceBlock() {
  if (data_) allocator_->deallocate(data_);
}

// What an operand holds while it is measured: random elements, repeated.
struct PlacedStep::Sample {
  const void* pattern;
  size_t pattern_bytes;
  size_t bytes;
};

PlacedStep::Sample PlacedStep::sample(const Argument& a) {
  const auto bytes = static_cast<size_t>(operand_bytes(a));
  const Tensor& pattern = random_elements(a.dtype);
  return {pattern.data(), std::min(static_cast<size_t>(pattern.bytes()), bytes), bytes};
}

PlacedStep::PlacedStep(const Problem& problem, const Emitted& emitted, Device& device, Stream& stream)
    : device_(device), kernel_(make_kernel(emitted)), step_(problem, emitted, StepCall::Shapes::kOptimum) {
  int64_t constant_bytes = 0;
  for (const Tensor& c : emitted.constants) constant_bytes += c.bytes();
  flushes_ = device.host_memory() && can_make_cold();
  copies_ = constant_bytes == 0 || flushes_
                ? 1
                : std::clamp(1 + static_cast<int>(rotation() / static_cast<double>(constant_bytes)), 1, kMaxCopies);
  for (size_t i = 0; i < problem.outputs.size(); ++i)
    if (problem.outputs[i].present) step_.outputs[i].data = place_output(problem.outputs[i], stream);
  inputs_.assign(static_cast<size_t>(copies_), step_.inputs);
  for (size_t i = 0; i < emitted.inputs.size(); ++i) place_input(problem, emitted, i, stream);
  workspace_size_ = kernel_->workspace(call(0));
  if (workspace_size_ == kNoWorkspace) workspace_size_ = 0;  // prepare says why
  workspace_ = allocated(workspace_size_);
  throw_if_error(kernel_->prepare(call(0)));
}

void PlacedStep::make_constants_cold() const {
  if (!flushes_) return;
  for (const auto& [data, size] : constants_) make_cold(data, size);
}

double PlacedStep::rotation() const {
  const double wanted = std::max(kWeightRotation, 2.0 * static_cast<double>(device_.facts().cache));
  return device_.host_memory() ? std::min(wanted, kMostHostRotation) : wanted;
}

KernelCall PlacedStep::call(int index) const {
  return {nth(inputs_, index % copies_), step_.outputs, workspace_, workspace_size_};
}

void* PlacedStep::allocated(size_t size) { return blocks_.emplace_back(device_.allocator(), size).data(); }

void* PlacedStep::place(const Tensor& tensor, Stream& stream) {
  const auto bytes = static_cast<size_t>(tensor.bytes());
  return place(Sample{tensor.data(), bytes, bytes}, stream);
}

void* PlacedStep::place(const Sample& sample, Stream& stream) {
  auto* there = static_cast<char*>(allocated(sample.bytes));
  for (size_t at = 0, size; at < sample.bytes; at += size) {
    size = std::min(sample.pattern_bytes, sample.bytes - at);
    throw_if_error(device_.copy(stream, there + at, sample.pattern, size, CopyKind::kHostToDevice));
  }
  return there;
}

// The host's memory is touched before anything is timed.
void* PlacedStep::place_output(const Argument& a, Stream& stream) {
  return device_.host_memory() ? place(sample(a), stream) : allocated(static_cast<size_t>(operand_bytes(a)));
}

// Packed weights lie at another place in each copy; where the device reads the host's memory, the first are those that were emitted.
void PlacedStep::place_input(const Problem& problem, const Emitted& emitted, size_t i, Stream& stream) {
  const int from = emitted.inputs[i];
  if (Emitted::is_constant(from)) {
    const Tensor& constant = nth(emitted.constants, Emitted::constant_of(from));
    if (!inputs_.front()[i].data) inputs_.front()[i].data = place(constant, stream);
    const auto size = static_cast<size_t>(constant.bytes());
    constants_.emplace_back(inputs_.front()[i].data, size);
    for (auto list = inputs_.begin() + 1; list != inputs_.end(); ++list) {
      (*list)[i].data = allocated(size);
      throw_if_error(device_.copy(stream, (*list)[i].data, inputs_.front()[i].data, size, CopyKind::kDeviceToDevice));
    }
  } else if (from >= 0 && step_.inputs[i].present() && !step_.inputs[i].data) {
    const Argument& a = problem.input(from);
    void* const there = a.constant ? place(*a.constant, stream) : place(sample(a), stream);
    for (auto& list : inputs_) list[i].data = there;
  }
}

}  // namespace kiln
