// Timing of one kernel alone on its device.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <utility>

#include "base/cold_memory.h"
#include "base/index.h"
#include "device/copy_rule.h"
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
constexpr double kAgreement = 1.04;  // of the two fastest rounds
// Times the best so far.
constexpr double kBehind = 1.1;              // two rounds that agree are enough
constexpr double kHopelessly = 1.5;          // two rounds are enough
constexpr double kFarBehind = 8;             // one run is enough
constexpr double kMinColdMilliseconds = 20;  // of a run that the first touch of memory does not make long
constexpr double kBundleMilliseconds = 0.2;
constexpr int kMaxBundle = 32;
constexpr int kNeighbourRuns = 8;
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
    flushes_ = device.host_memory() && can_make_cold();
    copies_ = constant_bytes == 0 || flushes_
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
    if (flushes_)
      for (const auto& [data, size] : constants_) make_cold(data, size);
    if (graph_)
      return std::max(elapsed([&] { throw_if_error(graph_->launch(*stream_)); }) - neighbours_, 1e-6) / bundle_;
    return elapsed([&] {
             for (int i = 0; i < bundle_; ++i) throw_if_error(kernel_->launch(*stream_, call(index + i)));
           }) /
           bundle_;
  }
  // After a first run that took so long.
  void set_bundle(double milliseconds) {
    if (device_.host_memory()) return;
    bundle_ = static_cast<int>(std::clamp<double>(kBundleMilliseconds / milliseconds, 1, kMaxBundle));
    if (bundle_ > 1) capture_bundle();
  }

 private:
  template <class Queue> double elapsed(const Queue& queue) {
    throw_if_error(start_->record(*stream_));
    queue();
    throw_if_error(stop_->record(*stream_));
    throw_if_error(stream_->synchronize());
    return stop_->milliseconds_since(*start_);
  }

  // Replayed, short kernels follow each other as fast as in an engine's graph; the host queues them more slowly. Between them are small
  // kernels of the device's own, whose time is taken off: what a library's kernel costs its neighbours, which cannot begin before it ends
  // nor end after it begins, is part of its time. Where kernels cannot be captured, the host queues them.
  void capture_bundle() {
    neighbour_ = make_neighbour();
    const size_t each = neighbour_ ? 2 : 1;
    auto graph = captured(each * static_cast<size_t>(bundle_), [&](int i) {
      if (neighbour_) KILN_RETURN_IF_ERROR(neighbour_->launch());
      return kernel_->launch(*stream_, call(i));
    });
    if (!graph) return;
    if (neighbour_) {
      const auto alone = captured(static_cast<size_t>(bundle_), [&](int) { return neighbour_->launch(); });
      if (!alone) return;
      neighbours_ = elapsed([&] { throw_if_error(alone->launch(*stream_)); });
      for (int i = 0; i < kNeighbourRuns; ++i)
        neighbours_ = std::min(neighbours_, elapsed([&] { throw_if_error(alone->launch(*stream_)); }));
    }
    graph_ = std::move(graph);
  }

  // A replay of `queue` for each launch of the bundle, ready to run; null when it cannot be captured.
  template <class Queue> std::unique_ptr<Graph> captured(size_t pieces, const Queue& queue) {
    if (!stream_->begin_capture().ok()) return nullptr;
    Status queued = kOkStatus;
    for (int i = 0; i < bundle_ && queued.ok(); ++i) queued = queue(i);
    std::unique_ptr<Graph> graph;
    if (!stream_->end_capture(graph).ok() || !queued.ok() || !graph || graph->size() < pieces) return nullptr;
    throw_if_error(graph->launch(*stream_));  // the first launch prepares it
    throw_if_error(stream_->synchronize());
    return graph;
  }

  // A copy of a few numbers.
  struct Neighbour {
    std::unique_ptr<Kernel> kernel;
    Stream* stream;
    int64_t dim = 16, stride = 1;
    TensorView from, to;
    Status launch() { return kernel->launch(*stream, {{&from, 1}, {&to, 1}}); }
  };
  // Null where the device has none.
  std::unique_ptr<Neighbour> make_neighbour() {
    auto n = std::make_unique<Neighbour>();
    try {
      n->kernel = device_.create_kernel("copy", to_parameters(CopyParameters{.what = CopyParameters::What::kExpand}));
    } catch (const Error&) {
      return nullptr;
    }
    if (!n->kernel) return nullptr;
    n->stream = stream_.get();
    for (TensorView* v : {&n->from, &n->to}) {
      v->data = blocks_.emplace_back(device_.allocator(), static_cast<size_t>(n->dim) * sizeof(float)).data;
      v->dims = &n->dim;
      v->strides = &n->stride;
      v->rank = 1;
      v->dtype = DType::kF32;
    }
    return n->kernel->prepare({{&n->from, 1}, {&n->to, 1}}).ok() ? std::move(n) : nullptr;
  }

  double rotation() const {
    const double wanted = std::max(kWeightRotation, 2.0 * static_cast<double>(device_.facts().cache));
    return device_.host_memory() ? std::min(wanted, kMostHostRotation) : wanted;
  }

  KernelCall call(int index) const {
    return {nth(inputs_, index % copies_), step_.outputs, workspace_, workspace_size_};
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
    if (Emitted::is_constant(from)) {
      const Tensor& constant = nth(emitted.constants, Emitted::constant_of(from));
      if (!inputs_.front()[i].data) inputs_.front()[i].data = place(constant);
      const auto size = static_cast<size_t>(constant.bytes());
      constants_.emplace_back(inputs_.front()[i].data, size);
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
  std::unique_ptr<Neighbour> neighbour_;  // graph_ refers to it
  std::unique_ptr<Graph> graph_;          // of a bundle
  StepCall step_;
  int copies_ = 1, bundle_ = 1;
  double neighbours_ = 0;  // milliseconds of a bundle's neighbours alone
  bool flushes_ =
      false;  // constants leave the caches before each run; else as many copies of them as caches do not hold
  std::vector<std::pair<const void*, size_t>> constants_;
  std::vector<std::vector<TensorView>> inputs_;
  std::deque<Block> blocks_;
  void* workspace_ = nullptr;
  size_t workspace_size_ = 0;
};

double timed_round(Rig& rig, int runs, int& next) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) times.push_back(rig.run(next++));
  return middle_half(std::move(times));
}

}  // namespace

double middle_half(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const double quarter = static_cast<double>(times.size()) / 4;
  double sum = 0, at = 0;
  for (const double time : times) {
    sum += time * std::max(std::min(at + 1, 3 * quarter) - std::max(at, quarter), 0.0);
    ++at;
  }
  return sum / (2 * quarter);
}

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
    const double time = timed_round(rig, runs, next);
    rounds.insert(std::lower_bound(rounds.begin(), rounds.end(), time), time);
    if (rounds.size() < 2) continue;
    const bool agree = rounds[1] <= kAgreement * rounds[0];
    if (best > 0 && rounds[0] > (agree ? kBehind : kHopelessly) * best) break;
    if (rounds.size() >= kMinRounds && next > iterations && agree) break;
  }
  if (noise) {
    ++noise->measured;
    noise->unsettled += rounds.size() == kMaxRounds && rounds[1] > kAgreement * rounds[0];
  }
  return rounds[0];
}

}  // namespace kiln
