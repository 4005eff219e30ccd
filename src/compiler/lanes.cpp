// Which steps run side by side.
#include "compiler/lanes.h"

#include <algorithm>
#include <set>

#include "base/index.h"
#include "plan/lanes.h"

namespace kiln {
namespace {

using plan::Storage;
using LaneOf = std::vector<uint32_t>;  // by step

// The steps as a schedule needs them.
class Steps {
 public:
  Steps(const plan::Program& program, const std::vector<StepDetail>& details, const std::map<int32_t, int32_t>& shares,
        const plan::Plan& plan)
      : program_(program), details_(details), shares_(shares), plan_(plan) {
    for (size_t i = 0; i < size(); ++i)
      for (int32_t t : program.steps[i].outputs)
        if (t >= 0) producers_[t] = i;
    for (size_t i = 0; i < size(); ++i) note(i);
  }

  size_t size() const { return program_.steps.size(); }
  double milliseconds(size_t i) const { return milliseconds_[i]; }
  double share(size_t i) const { return details_[i].share; }
  const std::set<size_t>& before(size_t i) const { return before_[i]; }  // whose results it reads
  bool stays(size_t i) const { return stays_[i]; }                       // in the stream of the user

 private:
  void note(size_t i) {
    const plan::StepInfo& step = program_.steps[i];
    std::set<size_t> makers;
    const auto read = [&](const std::vector<int32_t>& inputs) {
      for (int32_t t : inputs)
        if (const auto maker = maker_of(t); maker != producers_.end()) makers.insert(maker->second);
    };
    read(step.inputs);
    for (const plan::StepVariant& variant : step.variants) read(variant.step.inputs);
    before_.push_back(std::move(makers));
    stays_.push_back(step.is_transfer() || plan_.on_host(step) || step.waits || uses_slot(step));
    milliseconds_.push_back(joins_in_place(step) ? 0 : details_[i].milliseconds);
  }

  // Who writes the bytes of a tensor, which may be another name or a part of them.
  std::map<int32_t, size_t>::const_iterator maker_of(int32_t t) const {
    while (t >= 0) {
      if (const auto found = producers_.find(t); found != producers_.end()) return found;
      const auto other = shares_.find(t);
      t = other != shares_.end() ? other->second : nth(program_.tensors, t).view_of;
    }
    return producers_.end();
  }

  bool uses_slot(const plan::StepInfo& step) const {
    for (const auto* list : {&step.inputs, &step.outputs})
      for (int32_t t : *list)
        if (t >= 0 && nth(program_.tensors, t).storage == Storage::kSlot) return true;
    return false;
  }

  // Nothing is left to do.
  bool joins_in_place(const plan::StepInfo& step) const {
    return step.sharing == Sharing::kParts && std::all_of(step.inputs.begin(), step.inputs.end(), [&](int32_t t) {
             return t >= 0 && nth(program_.tensors, t).view_of == step.outputs[0];
           });
  }

  const plan::Program& program_;
  const std::vector<StepDetail>& details_;
  const std::map<int32_t, int32_t>& shares_;
  const plan::Plan& plan_;
  std::map<int32_t, size_t> producers_;
  std::vector<std::set<size_t>> before_;
  std::vector<bool> stays_;
  std::vector<double> milliseconds_;
};

// A run as it is expected: steps are added in their order, each to a lane.
class Schedule {
 public:
  Schedule(const Steps& steps, double edge) : steps_(&steps), edge_(edge) {}

  struct Place {
    double start, end;
    std::vector<uint32_t> after;
  };
  // The next step in this lane.
  Place look(uint32_t lane) const {
    const size_t step = lanes_.size();
    Place place{lane_ends_[lane], 0, waits_of(step, lane)};
    for (size_t maker : steps_->before(step)) place.start = std::max(place.start, ends_[maker]);
    const bool forks = lane > 0 && lane_ends_[lane] == 0 && steps_->before(step).empty();
    if (forks || !place.after.empty()) place.start += edge_;
    place.start = with_room(place.start, steps_->milliseconds(step), steps_->share(step));
    place.end = place.start + steps_->milliseconds(step);
    return place;
  }

  void add(uint32_t lane, Place place) {
    const size_t step = lanes_.size();
    for (uint32_t other : place.after) learn(clocks_[lane], other);
    clocks_[lane][lane] = static_cast<uint32_t>(step) + 1;
    behind_.push_back(clocks_[lane]);
    lanes_.push_back(lane);
    ends_.push_back(place.end);
    lane_ends_[lane] = place.end;
    if (place.end > place.start) busy_.push_back({place.start, place.end, steps_->share(step)});
    if (busy_.size() > kRemembered) busy_.erase(busy_.begin());
    after_.push_back(std::move(place.after));
  }

  double milliseconds() const {
    double last = lane_ends_[0];
    for (size_t lane = 1; lane < lane_ends_.size(); ++lane)
      if (lane_ends_[lane] > 0) last = std::max(last, lane_ends_[lane] + edge_);
    return last;
  }
  const LaneOf& lanes() const { return lanes_; }
  const std::vector<std::vector<uint32_t>>& after() const { return after_; }

 private:
  static constexpr size_t kRemembered = 32;
  // By lane: the steps below this number have ended.
  using Clock = plan::LaneClock;
  struct Busy {
    double start, end, share;
  };

  void learn(Clock& clock, size_t step) const {
    for (size_t lane = 0; lane < clock.size(); ++lane) clock[lane] = std::max(clock[lane], behind_[step][lane]);
  }

  // The last ones first: what they waited for need not be waited for again.
  std::vector<uint32_t> waits_of(size_t step, uint32_t lane) const {
    Clock clock = clocks_[lane];
    std::vector<uint32_t> waits;
    const std::set<size_t>& makers = steps_->before(step);
    for (auto maker = makers.rbegin(); maker != makers.rend(); ++maker) {
      if (lanes_[*maker] == lane || *maker < clock[lanes_[*maker]]) continue;
      learn(clock, *maker);
      waits.push_back(static_cast<uint32_t>(*maker));
    }
    std::reverse(waits.begin(), waits.end());
    return waits;
  }

  // The first moment from `start` on since which the device has so much left for so long.
  double with_room(double start, double length, double share) const {
    if (length == 0) return start;
    for (size_t tries = 0; tries <= busy_.size(); ++tries) {
      const Busy* full = nullptr;
      for (const Busy& at : busy_) {
        const double moment = std::max(at.start, start);
        if (moment >= start + length || at.end <= moment) continue;
        double sum = share;
        for (const Busy& other : busy_) sum += other.start <= moment && moment < other.end ? other.share : 0;
        if (sum > 1 && (!full || at.end < full->end)) full = &at;
      }
      if (!full) break;
      start = full->end;
    }
    return start;
  }

  const Steps* steps_;
  double edge_;
  LaneOf lanes_;
  std::vector<double> ends_;
  std::vector<std::vector<uint32_t>> after_;
  std::vector<Clock> behind_;  // by step: what has ended when it has
  std::array<Clock, plan::kMostLanes> clocks_ = {};
  std::array<double, plan::kMostLanes> lane_ends_ = {};
  std::vector<Busy> busy_;
};

// Each step where it ends first.
Schedule spread(const Steps& steps, const LaneOptions& options) {
  Schedule schedule(steps, options.edge);
  for (size_t i = 0; i < steps.size(); ++i) {
    uint32_t best = 0;
    Schedule::Place place = schedule.look(0);
    for (uint32_t lane = 1; lane < options.most && !steps.stays(i); ++lane)
      if (Schedule::Place other = schedule.look(lane); other.end < place.end) best = lane, place = std::move(other);
    schedule.add(best, std::move(place));
  }
  return schedule;
}

Schedule follow(const Steps& steps, const LaneOf& lanes, double edge) {
  Schedule schedule(steps, edge);
  for (uint32_t lane : lanes) schedule.add(lane, schedule.look(lane));
  return schedule;
}

// Steps that follow each other in one lane, each reading what the one before it made.
std::vector<std::vector<size_t>> chains(const Steps& steps, const LaneOf& lanes) {
  std::vector<std::vector<size_t>> list;
  std::map<uint32_t, size_t> last;  // by lane: its chain
  for (size_t i = 0; i < lanes.size(); ++i) {
    if (lanes[i] == 0) continue;
    const auto at = last.find(lanes[i]);
    if (at != last.end() && steps.before(i).count(list[at->second].back())) {
      list[at->second].push_back(i);
      continue;
    }
    last[lanes[i]] = list.size();
    list.push_back({i});
  }
  return list;
}

// Takes back what saves less than waiting costs.
Schedule pruned(const Steps& steps, Schedule schedule, double edge) {
  for (const std::vector<size_t>& chain : chains(steps, schedule.lanes())) {
    LaneOf lanes = schedule.lanes();
    for (size_t i : chain) lanes[i] = 0;
    Schedule without = follow(steps, lanes, edge);
    if (without.milliseconds() <= schedule.milliseconds() + edge / 2) schedule = std::move(without);
  }
  return schedule;
}

// Lanes that nothing is left of go.
LaneOf numbered(const LaneOf& lanes) {
  std::map<uint32_t, uint32_t> numbers{{0, 0}};
  LaneOf result;
  for (uint32_t lane : lanes)
    result.push_back(numbers.try_emplace(lane, static_cast<uint32_t>(numbers.size())).first->second);
  return result;
}

}  // namespace

LaneOptions lane_options(const Device& device, const plan::Plan& plan, int aux_streams, const TunerOptions& tuner) {
  constexpr int kUsual = 4;
  constexpr double kWorthLanes = 0.03;
  const double edge = device.edge_milliseconds();
  if (edge == 0 && aux_streams > 0)
    tuner.logger->log(Severity::kWarning, "streams are permitted beside the caller's; on the back end '" +
                                              std::string(device.name()) +
                                              "' no layers run at one time, and the engine takes none");
  const bool asked = aux_streams >= 0;
  const bool required = std::any_of(plan.watches.begin(), plan.watches.end(),
                                    [](const plan::Watch& w) { return w.kind == plan::Watch::kRequired; });
  if (edge == 0 || required || (!asked && tuner.level == 0)) return {};
  const int most = std::min(asked ? aux_streams : kUsual, static_cast<int>(plan::kMostLanes) - 1);
  return {static_cast<uint32_t>(most) + 1, edge, asked ? 0 : kWorthLanes};
}

void assign_lanes(plan::Program& program, const std::vector<StepDetail>& details,
                  const std::map<int32_t, int32_t>& shares, const plan::Plan& plan, const LaneOptions& options) {
  const bool has_bodies = std::any_of(program.steps.begin(), program.steps.end(),
                                      [](const plan::StepInfo& step) { return !step.bodies.empty(); });
  if (options.most < 2 || has_bodies || program.steps.size() > plan::kMostStepsInLanes) return;
  const Steps steps(program, details, shares, plan);
  const double serial = follow(steps, LaneOf(steps.size(), 0), options.edge).milliseconds();
  const Schedule schedule = pruned(steps, spread(steps, options), options.edge);
  if (schedule.milliseconds() >= serial * (1 - options.least_gain)) return;
  const LaneOf lanes = numbered(schedule.lanes());
  for (size_t i = 0; i < steps.size(); ++i) {
    program.steps[i].lane = lanes[i];
    program.steps[i].after = schedule.after()[i];
  }
}

void clear_lanes(plan::Program& program) {
  for (plan::StepInfo& step : program.steps) {
    step.lane = 0;
    step.after.clear();
  }
}

}  // namespace kiln
