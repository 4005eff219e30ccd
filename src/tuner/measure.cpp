// Timing of one kernel alone on its device.
#include <algorithm>

#include "device/copy_rule.h"
#include "tuner/placed_step.h"
#include "tuner/tuner.h"

namespace kiln {
namespace {

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

class Rig {
 public:
  Rig(const Problem& problem, const Emitted& emitted, Device& device)
      : device_(device),
        stream_(device.create_stream()),
        start_(device.create_event()),
        stop_(device.create_event()),
        step_(problem, emitted, device, *stream_) {}

  // Milliseconds of a launch, in a bundle of several between two events where queueing takes time of its own.
  double run(int index) {
    step_.make_constants_cold();
    if (graph_)
      return std::max(elapsed([&] { throw_if_error(graph_->launch(*stream_)); }) - neighbours_, 1e-6) / bundle_;
    return elapsed([&] {
             for (int i = 0; i < bundle_; ++i) throw_if_error(step_.launch(*stream_, index + i));
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
    return milliseconds_between(*start_, *stop_, *stream_, queue);
  }

  // Replayed, short kernels follow each other as fast as in an engine's graph; the host queues them more slowly. Between them are small
  // kernels of the device's own, whose time is taken off: what a library's kernel costs its neighbours, which cannot begin before it ends
  // nor end after it begins, is part of its time. Where kernels cannot be captured, the host queues them.
  void capture_bundle() {
    neighbour_ = make_neighbour();
    const size_t each = neighbour_ ? 2 : 1;
    auto graph = captured(*stream_, bundle_, each, [&](int i) {
      if (neighbour_) KILN_RETURN_IF_ERROR(neighbour_->launch());
      return step_.launch(*stream_, i);
    });
    if (!graph) return;
    if (neighbour_) {
      const auto alone = captured(*stream_, bundle_, 1, [&](int) { return neighbour_->launch(); });
      if (!alone) return;
      neighbours_ = elapsed([&] { throw_if_error(alone->launch(*stream_)); });
      for (int i = 0; i < kNeighbourRuns; ++i)
        neighbours_ = std::min(neighbours_, elapsed([&] { throw_if_error(alone->launch(*stream_)); }));
    }
    graph_ = std::move(graph);
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
      v->data = blocks_.emplace_back(device_.allocator(), static_cast<size_t>(n->dim) * sizeof(float)).data();
      v->dims = &n->dim;
      v->strides = &n->stride;
      v->rank = 1;
      v->dtype = DType::kF32;
    }
    return n->kernel->prepare({{&n->from, 1}, {&n->to, 1}}).ok() ? std::move(n) : nullptr;
  }

  Device& device_;
  std::deque<DeviceBlock> blocks_;  // of the neighbour
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> start_, stop_;
  PlacedStep step_;
  std::unique_ptr<Neighbour> neighbour_;  // graph_ refers to it
  std::unique_ptr<Graph> graph_;          // of a bundle
  int bundle_ = 1;
  double neighbours_ = 0;  // milliseconds of a bundle's neighbours alone
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
  const bool is_brief = iterations <= kFewIterations;
  const int runs =
      static_cast<int>(std::clamp<double>(kRoundMilliseconds / first, is_brief ? 1 : kMinRoundRuns, kMaxRoundRuns));
  std::vector<double> rounds;  // ascending
  int next = 2;
  while (rounds.size() < kMaxRounds) {
    const double time = timed_round(rig, runs, next);
    rounds.insert(std::lower_bound(rounds.begin(), rounds.end(), time), time);
    if (rounds.size() < 2) continue;
    const bool agree = rounds[1] <= kAgreement * rounds[0];
    if (best > 0 && rounds[0] > (agree ? kBehind : kHopelessly) * best) break;
    if ((is_brief || rounds.size() >= kMinRounds) && next > iterations && agree) break;
  }
  if (noise) {
    ++noise->measured;
    noise->unsettled += rounds.size() == kMaxRounds && rounds[1] > kAgreement * rounds[0];
  }
  return rounds[0];
}

}  // namespace kiln
