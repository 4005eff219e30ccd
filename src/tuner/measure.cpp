// Timing of one kernel alone on its device.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <utility>

#include "device/workspace.h"
#include "ir/text.h"
#include "target/step_call.h"
#include "tuner/tuner.h"

namespace kiln {
namespace {

constexpr double kWeightRotation = 48e6;    // bytes, at least: more than the caches hold
constexpr double kMostHostRotation = 96e6;  // a processor may report caches that its cores do not share
constexpr int kMaxCopies = 16;
// Runs are taken in rounds. Other work on the machine makes rounds slower, never faster: the fastest counts, once a second
// one confirms it.
constexpr double kRoundMilliseconds = 2.5;
constexpr int kMinRoundRuns = 2, kMaxRoundRuns = 64;
constexpr size_t kMinRounds = 3, kMaxRounds = 16;
constexpr double kAgreement = 1.04;          // of the two fastest rounds
constexpr double kHopelessly = 3;            // slower than the best so far: two rounds are enough
constexpr double kFarBehind = 8;             // one run is enough
constexpr double kMinColdMilliseconds = 20;  // of a run that the first touch of memory does not make long
constexpr double kBundleMilliseconds = 0.2;
constexpr int kMaxBundle = 32;
constexpr int64_t kDrawn = 1 << 20;  // elements of a sample, which larger ones repeat

// Device memory that is freed at the end.
struct Block {
  Allocator* allocator;
  void* data = nullptr;
  Block(Allocator& a, size_t size) : allocator(&a), data(a.allocate(std::max<size_t>(size, 64), 64)) {
    if (!data) throw Error(Code::kOutOfMemory, "no memory to measure a tactic");
  }
  Block(Block&& other) noexcept : allocator(other.allocator), data(std::exchange(other.data, nullptr)) {}
  Block& operator=(Block&&) = delete;
  ~Block() {
    if (data) allocator->deallocate(data);
  }
};

// What an operand holds while it is measured: random elements, repeated.
struct Sample {
  Tensor pattern;
  size_t bytes;
};

Sample sample(const Argument& a) {
  Dims dims = a.opt;
  const int64_t elements = a.layout.is_plain() ? element_count(dims) : storage_elements(a.layout, dims);
  const auto bytes = byte_size(a.dtype, elements);
  if (!bytes) throw Error(Code::kOutOfMemory, "no memory to measure a tactic");
  const Dims drawn{std::min(elements, kDrawn)};
  // Zeros flatter kernels of narrow types.
  if (a.dtype != DType::kF32) return {ir::random_tensor(a.dtype, drawn, 1), static_cast<size_t>(*bytes)};
  Tensor pattern = Tensor::allocate(a.dtype, drawn);
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float& v : pattern.as_mutable<float>()) v = uniform(random);
  return {std::move(pattern), static_cast<size_t>(*bytes)};
}

class Rig {
 public:
  Rig(const Problem& problem, const Emitted& emitted, Device& device)
      : device_(device),
        stream_(device.create_stream()),
        start_(device.create_event()),
        stop_(device.create_event()),
        kernel_(make_kernel(emitted)),
        step_(problem, emitted, StepCall::Shapes::kOptimum) {
    int64_t constant_bytes = 0;
    for (const Tensor& c : emitted.constants) constant_bytes += c.bytes();
    copies_ = constant_bytes == 0
                  ? 1
                  : std::clamp(1 + static_cast<int>(rotation() / static_cast<double>(constant_bytes)), 1, kMaxCopies);
    for (size_t i = 0; i < problem.outputs.size(); ++i)
      if (problem.outputs[i].present) step_.outputs[i].data = place(sample(problem.outputs[i]));
    inputs_.assign(static_cast<size_t>(copies_), step_.inputs);
    for (size_t i = 0; i < emitted.inputs.size(); ++i) place_input(problem, emitted, i);
    workspace_size_ = kernel_->workspace(call(0));
    if (workspace_size_ == kNoWorkspace) workspace_size_ = 0;  // prepare says why
    workspace_ = blocks_.emplace_back(device.allocator(), workspace_size_).data;
    throw_if_error(kernel_->prepare(call(0)));
  }

  // Milliseconds of a launch, in a bundle of several between two events where queueing takes time of its own.
  double run(int index) {
    throw_if_error(start_->record(*stream_));
    if (graph_) throw_if_error(graph_->launch(*stream_));
    else queue_bundle(index);
    throw_if_error(stop_->record(*stream_));
    throw_if_error(stream_->synchronize());
    return stop_->milliseconds_since(*start_) / bundle_;
  }
  // After a first run that took so long.
  void set_bundle(double milliseconds) {
    if (device_.host_memory()) return;
    bundle_ = static_cast<int>(std::clamp<double>(kBundleMilliseconds / milliseconds, 1, kMaxBundle));
    if (bundle_ > 1) capture_bundle();
  }

 private:
  void queue_bundle(int index) {
    for (int i = 0; i < bundle_; ++i) throw_if_error(kernel_->launch(*stream_, call(index + i)));
  }

  // Replayed, short kernels follow each other as fast as in an engine's graph; the host queues them more slowly. Where they cannot be
  // captured, it does.
  void capture_bundle() {
    if (!stream_->begin_capture().ok()) return;
    Status queued = kOkStatus;
    for (int i = 0; i < bundle_ && queued.ok(); ++i) queued = kernel_->launch(*stream_, call(i));
    std::unique_ptr<Graph> graph;
    if (!stream_->end_capture(graph).ok() || !queued.ok() || !graph || graph->size() < static_cast<size_t>(bundle_))
      return;
    throw_if_error(graph->launch(*stream_));  // the first launch prepares it
    throw_if_error(stream_->synchronize());
    graph_ = std::move(graph);
  }

  double rotation() const {
    const double wanted = std::max(kWeightRotation, 2.0 * static_cast<double>(device_.facts().cache));
    return device_.host_memory() ? std::min(wanted, kMostHostRotation) : wanted;
  }

  KernelCall call(int index) const {
    return {inputs_[static_cast<size_t>(index % copies_)], step_.outputs, workspace_, workspace_size_};
  }

  void* place(const Tensor& tensor) { return place(Sample{tensor, static_cast<size_t>(tensor.bytes())}); }
  void* place(const Sample& sample) {
    auto* there = static_cast<char*>(blocks_.emplace_back(device_.allocator(), sample.bytes).data);
    const auto whole = static_cast<size_t>(sample.pattern.bytes());
    for (size_t at = 0, size; at < sample.bytes; at += size) {
      size = std::min(whole, sample.bytes - at);
      throw_if_error(device_.copy(*stream_, there + at, sample.pattern.data(), size, CopyKind::kHostToDevice));
    }
    return there;
  }

  // Packed weights lie at another place in each copy; where the device reads the host's memory, the first are those that were emitted.
  void place_input(const Problem& problem, const Emitted& emitted, size_t i) {
    const int from = emitted.inputs[i];
    if (from < Emitted::kAbsent) {
      const Tensor& constant = emitted.constants[static_cast<size_t>(Emitted::from_constant(0) - from)];
      if (!inputs_.front()[i].data) inputs_.front()[i].data = place(constant);
      const auto size = static_cast<size_t>(constant.bytes());
      for (auto list = inputs_.begin() + 1; list != inputs_.end(); ++list) {
        (*list)[i].data = blocks_.emplace_back(device_.allocator(), size).data;
        throw_if_error(
            device_.copy(*stream_, (*list)[i].data, inputs_.front()[i].data, size, CopyKind::kDeviceToDevice));
      }
    } else if (from >= 0 && step_.inputs[i].present() && !step_.inputs[i].data) {
      const Argument& a = problem.input(from);
      void* const there = a.constant ? place(*a.constant) : place(sample(a));
      for (auto& list : inputs_) list[i].data = there;
    }
  }

  Device& device_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> start_, stop_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<Graph> graph_;  // of a bundle
  StepCall step_;
  int copies_ = 1, bundle_ = 1;
  std::vector<std::vector<TensorView>> inputs_;
  std::deque<Block> blocks_;
  void* workspace_ = nullptr;
  size_t workspace_size_ = 0;
};

// Lower median of `runs` runs.
double round_median(Rig& rig, int runs, int& next) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) times.push_back(rig.run(next++));
  const auto middle = times.begin() + (runs - 1) / 2;
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

double measure(const Problem& problem, const Emitted& emitted, Device& device, int iterations, double best,
               Noise* noise) {
  for (const auto* list : {&problem.inputs, &problem.outputs})
    for (const Argument& a : *list)
      if (a.present && (!a.ranked || a.dtype == DType::kString))
        throw Error(Code::kUnsupported, "shapes are not known before running");
  Rig rig(problem, emitted, device);
  const double cold = rig.run(0);
  if (best > 0 && cold > kMinColdMilliseconds && cold > kFarBehind * best) return cold;
  const double first = std::max(rig.run(1), 1e-6);
  if (best > 0 && first > kFarBehind * best) return first;
  rig.set_bundle(first);
  if (iterations <= 1) return first;
  const int runs = static_cast<int>(std::clamp<double>(kRoundMilliseconds / first, kMinRoundRuns, kMaxRoundRuns));
  std::vector<double> rounds;  // ascending
  int next = 2;
  while (rounds.size() < kMaxRounds) {
    const double time = round_median(rig, runs, next);
    rounds.insert(std::lower_bound(rounds.begin(), rounds.end(), time), time);
    if (rounds.size() == 2 && best > 0 && rounds[0] > kHopelessly * best) break;
    if (rounds.size() >= kMinRounds && next > iterations && rounds[1] <= kAgreement * rounds[0]) break;
  }
  if (noise) {
    ++noise->measured;
    noise->unsettled += rounds.size() == kMaxRounds && rounds[1] > kAgreement * rounds[0];
  }
  return rounds[0];
}

}  // namespace kiln
