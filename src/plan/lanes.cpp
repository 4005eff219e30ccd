// The order of steps in lanes, and races between them.
#include "plan/lanes.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>

#include "base/index.h"
#include "plan/container.h"

namespace kiln::plan {

uint32_t lane_count(const std::vector<StepInfo>& steps) {
  uint32_t count = 1;
  for (const StepInfo& step : steps) count = std::max(count, step.lane + 1);
  return count;
}

StepOrder::StepOrder(const std::vector<StepInfo>& steps) {
  std::array<LaneClock, kMostLanes> ended = {};  // by lane: when its last step so far has ended
  for (const StepInfo& step : steps) {
    LaneClock clock = ended[step.lane];
    for (uint32_t other : step.after) {
      for (size_t lane = 0; lane < clock.size(); ++lane) clock[lane] = std::max(clock[lane], clocks_[other][lane]);
      clock[lanes_[other]] = std::max(clock[lanes_[other]], places_[other] + 1);
    }
    clocks_.push_back(clock);
    lanes_.push_back(step.lane);
    places_.push_back(clock[step.lane]++);
    ended[step.lane] = clock;
  }
}

LaneClock StepOrder::behind(size_t step) const {
  LaneClock clock = clocks_[step];
  ++clock[lanes_[step]];
  return clock;
}

StepSpan::StepSpan() : end_() { begin_.fill(std::numeric_limits<uint32_t>::max()); }

void StepSpan::add(const StepOrder& order, size_t step) {
  const LaneClock& clock = order.clock(step);
  for (size_t lane = 0; lane < clock.size(); ++lane) begin_[lane] = std::min(begin_[lane], clock[lane]);
  uint32_t& end = end_[order.lane(step)];
  end = std::max(end, order.place(step) + 1);
}

void StepSpan::add(const StepSpan& other) {
  for (size_t lane = 0; lane < begin_.size(); ++lane) {
    begin_[lane] = std::min(begin_[lane], other.begin_[lane]);
    end_[lane] = std::max(end_[lane], other.end_[lane]);
  }
}

bool StepSpan::is_over(const LaneClock& clock) const {
  for (size_t lane = 0; lane < end_.size(); ++lane)
    if (end_[lane] > clock[lane]) return false;
  return true;
}

namespace {

constexpr size_t kMostComparisons = size_t{1} << 26;

// What steps do with one tensor and its parts, or with one workspace.
struct Region {
  struct Use {
    size_t step;
    int32_t tensor;  // -1: the workspace
    bool writes;
  };
  uint64_t begin = 0, end = 0;  // in the arena; the same where the bytes are the user's
  std::vector<Use> uses;
  StepSpan span;
};

class RaceFinder {
 public:
  explicit RaceFinder(const Program& program) : program_(program), order_(program.steps) {
    std::map<int32_t, Region> roots;
    for (size_t i = 0; i < program.steps.size(); ++i) {
      const StepInfo& step = program.steps[i];
      for (int32_t t : step.inputs) note(roots, i, t, false);
      for (const StepVariant& variant : step.variants)
        for (int32_t t : variant.step.inputs) note(roots, i, t, false);
      for (int32_t t : step.outputs) note(roots, i, t, true);
      if (step.workspace_size == 0 || step.is_transfer()) continue;
      Region& own = regions_.emplace_back();
      own.begin = step.workspace_offset;
      own.end = step.workspace_offset + step.workspace_size;
      add(own, {i, -1, true});
    }
    for (auto& [root, region] : roots) regions_.push_back(std::move(region));
    std::sort(regions_.begin(), regions_.end(), [](const Region& a, const Region& b) { return a.begin < b.begin; });
  }

  std::vector<TensorPair> run() {
    for (size_t i = 0; i < regions_.size(); ++i) {
      look_inside(regions_[i]);
      for (size_t j = i + 1; j < regions_.size() && regions_[j].begin < regions_[i].end; ++j)
        if (regions_[j].begin < regions_[j].end) compare(regions_[i], regions_[j]);
    }
    return std::move(parts_);
  }

 private:
  void add(Region& region, const Region::Use& use) {
    region.uses.push_back(use);
    region.span.add(order_, use.step);
  }

  // What lies on the host, steps of lane 0 alone use.
  void note(std::map<int32_t, Region>& roots, size_t step, int32_t t, bool writes) {
    if (t < 0) return;
    const Storage storage = nth(program_.tensors, t).storage;
    if (storage != Storage::kArena && storage != Storage::kInput && storage != Storage::kOutput) return;
    const int32_t root = *root_of(program_, t);
    const TensorInfo& whole = nth(program_.tensors, root);
    Region& region = roots[root];
    if (storage == Storage::kArena) region.begin = whole.offset, region.end = whole.offset + whole.size;
    add(region, {step, t, writes});
  }

  bool may_meet(const Region::Use& a, const Region::Use& b) {
    if (++comparisons_ > kMostComparisons) malformed("too many of its steps use the same memory");
    return (a.writes || b.writes) && order_.lane(a.step) != order_.lane(b.step) &&
           !order_.ends_before(a.step, b.step) && !order_.ends_before(b.step, a.step);
  }

  [[noreturn]] void refuse(const Region::Use& a, const Region::Use& b) const {
    const auto name = [&](size_t step) {
      return "step " + std::to_string(step) + " '" + program_.steps[step].name.substr(0, 100) + "'";
    };
    malformed(name(a.step) + " and " + name(b.step) + " may run at the same time, and one writes what the other uses");
  }

  void look_inside(const Region& region) {
    for (auto a = region.uses.begin(); a != region.uses.end(); ++a)
      for (auto b = a + 1; b != region.uses.end(); ++b) {
        if (!may_meet(*a, *b)) continue;
        if (a->tensor == b->tensor) refuse(*a, *b);
        parts_.emplace_back(a->tensor, b->tensor);
      }
  }

  void compare(const Region& x, const Region& y) {
    if (++comparisons_ > kMostComparisons) malformed("too many of its steps use the same memory");
    if (!x.span.meets(y.span)) return;
    for (const Region::Use& a : x.uses)
      for (const Region::Use& b : y.uses)
        if (may_meet(a, b)) refuse(a, b);
  }

  const Program& program_;
  const StepOrder order_;
  std::vector<Region> regions_;  // by place
  std::vector<TensorPair> parts_;
  size_t comparisons_ = 0;
};

}  // namespace

std::vector<TensorPair> check_lanes(const Program& program) {
  if (lane_count(program.steps) == 1) return {};
  return RaceFinder(program).run();
}

}  // namespace kiln::plan
