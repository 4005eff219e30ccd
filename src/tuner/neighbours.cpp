// The second look at choices: what each candidate costs the kernels beside it.
#include <algorithm>
#include <deque>
#include <memory>

#include "base/work.h"
#include "tuner/chain.h"
#include "tuner/clock.h"
#include "tuner/tuner.h"

namespace kiln {
namespace {

constexpr double kRival = 1.2;  // times the best alone
constexpr size_t kMostRivals = 4;
constexpr double kLongMilliseconds = 0.1;  // steps as long as that hide what they cost their neighbours
constexpr double kWorthTheChange = 1.01;   // of the whole chain
constexpr int kMostSweeps = 3;             // a choice that changes is another neighbour to those beside it

}  // namespace

// The choice itself comes first.
Tuner::Candidates Tuner::rivals(const Problem& problem, const Choice& choice) const {
  if (!choice.tactic || choice.milliseconds < 0 || choice.milliseconds > kLongMilliseconds || choice.tried.size() < 2)
    return {};
  std::vector<std::pair<double, Candidate>> near;
  for (Candidate& candidate : candidates(problem)) {
    if (candidate.tactic == choice.tactic && candidate.config == choice.config) {
      near.emplace_back(-1, std::move(candidate));
      continue;
    }
    const std::string name = candidate.name();
    for (const Tried& tried : choice.tried)
      if (tried.candidate == name && tried.milliseconds <= kRival * choice.milliseconds) {
        near.emplace_back(tried.milliseconds, std::move(candidate));
        break;
      }
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (near.size() > kMostRivals) near.resize(kMostRivals);
  Candidates list;
  for (auto& [time, candidate] : near) list.push_back(std::move(candidate));
  return list;
}

// Milliseconds of the three together; nothing where they cannot be had.
std::vector<std::optional<double>> Tuner::times_between(const Problem& problem, const Candidates& list,
                                                        const Neighbours& around, const Hash128& key) {
  std::vector<std::optional<double>> result(list.size());
  if (options_.cache)
    for (size_t i = 0; i < list.size(); ++i)
      if (const auto known = options_.cache->find(key, list[i].name())) result[i] = known->milliseconds;
  if (std::all_of(result.begin(), result.end(), [](const auto& time) { return time.has_value(); })) return result;
  if (options_.cache_only || !target_.device().is_present() || spent()) return result;
  const Clock clock(spent_seconds_);
  Device& device = target_.device();
  const std::unique_ptr<Stream> stream = device.create_stream();
  std::deque<PlacedStep> placed;
  const auto place = [&](const Problem& p, const Emitted& emitted) {
    const PlacedStep& step = placed.emplace_back(p, emitted, device, *stream);
    throw_if_error(stream->synchronize());
    return &step;
  };
  const auto placed_neighbour = [&](const Step& step) {
    return step.problem ? place(*step.problem, step.choice->emit(*step.problem)) : nullptr;
  };
  std::vector<std::unique_ptr<Chain>> chains;
  std::vector<size_t> places;
  const auto no_time = [&](const std::string& name, const Error& error) {
    options_.logger->log(Severity::kVerbose,
                         problem.node->name() + ": " + name + " is not timed beside its neighbours: " + error.what());
  };
  try {
    const PlacedStep *before = placed_neighbour(around.before), *behind = placed_neighbour(around.behind);
    for (size_t i = 0; i < list.size(); ++i) {
      try {
        std::vector<const PlacedStep*> steps = {before, place(problem, list[i].tactic->emit(problem, list[i].config)),
                                                behind};
        std::erase(steps, nullptr);
        auto chain = std::make_unique<Chain>(std::move(steps), device);
        if (!chain->is_captured()) continue;
        chains.push_back(std::move(chain));
        places.push_back(i);
      } catch (const Error& error) {
        no_time(list[i].name(), error);
      }
    }
  } catch (const Error& error) {
    no_time("what would be near the best", error);
  }
  const std::vector<double> times = compare(chains);
  for (size_t k = 0; k < places.size(); ++k) {
    result[places[k]] = times[k];
    if (options_.cache) options_.cache->put(key, list[places[k]].name(), {times[k], times[k]});
  }
  return result;
}

Tuner::Candidate Tuner::settled(const Problem& problem, const Candidates& list, const Neighbours& around) {
  const auto text = [](const Step& step) {
    return step.problem ? step.problem->key().hex() + " " + Candidate{step.choice->tactic, step.choice->config}.name()
                        : "";
  };
  const Hash128 key = hash128(text(around.before) + "\n" + problem.key().hex() + "\n" + text(around.behind));
  if (const auto known = settled_.find(key); known != settled_.end()) return known->second;
  const std::vector<std::optional<double>> times = times_between(problem, list, around, key);
  size_t best = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (!times[i]) continue;
    options_.logger->log(Severity::kVerbose, problem.node->name() + ": " + list[i].name() + " between its neighbours " +
                                                 std::to_string(*times[i]) + " ms");
    if (times[0] && *times[i] * (best == 0 ? kWorthTheChange : 1) < *times[best]) best = i;
  }
  return settled_.emplace(key, list[best]).first->second;
}

void Tuner::settle(const std::vector<Problem>& problems, const std::vector<size_t>& steps,
                   std::vector<Choice>& choices) {
  if (options_.level < 2 || target_.device().host_memory()) return;
  const auto step = [&](size_t i) {
    const size_t at = steps[i];
    return choices[at].tactic ? Step{&problems[at], &choices[at]} : Step{};
  };
  bool changed = true;
  for (int sweep = 0; sweep < kMostSweeps && changed; ++sweep) {
    changed = false;
    for (size_t i = 0; i < steps.size(); ++i) {
      check_work();
      const Neighbours around{i > 0 ? step(i - 1) : Step{}, i + 1 < steps.size() ? step(i + 1) : Step{}};
      changed |= settle_one(problems[steps[i]], choices[steps[i]], around);
    }
  }
}

// Whether it changed.
bool Tuner::settle_one(const Problem& problem, Choice& choice, const Neighbours& around) {
  const Candidates list = rivals(problem, choice);
  if (list.size() < 2) return false;
  const Candidate best = settled(problem, list, around);
  if (best.tactic == choice.tactic && best.config == choice.config) return false;
  const std::string name = best.name();
  options_.logger->log(Severity::kVerbose,
                       problem.node->name() + ": " + name + " is taken, for the sake of its neighbours");
  choice.tactic = best.tactic;
  choice.config = best.config;
  for (const Tried& tried : choice.tried)
    if (tried.candidate == name) choice.milliseconds = tried.milliseconds;
  return true;
}

}  // namespace kiln
