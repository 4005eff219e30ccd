// Search over tactics and configurations.
#include "tuner/tuner.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <optional>
#include <thread>

#include "base/in_parallel.h"
#include "base/work.h"
#include "device/workspace.h"
#include "target/step_call.h"
#include "tensor/let_go.h"
#include "tuner/clock.h"
#include "tuner/no_time.h"

namespace kiln {
namespace {

constexpr size_t kFewMeasurements = 8;  // from which nothing is concluded
constexpr double kNoisyShare = 0.1;
constexpr double kNear = 1.3;                   // times the best: candidates that other sizes are tried with
constexpr size_t kMostNear = 3;                 // of those
constexpr int64_t kPackedAtOnce = 256ll << 20;  // bytes of weights that are packed for candidates at the same time

// Times the best: what other sizes have stays unless it is so much slower, since another kernel has packed weights of its own.
constexpr double kWorthChanging = 1.05;

// What a library cannot do will be so in the next build; what the machine lacked may be there then.
bool lasts(const Error& error) { return error.code() == Code::kUnsupported || error.code() == Code::kExecution; }

// How many candidates' weights are packed at the same time.
size_t emitted_at_once(const Problem& problem) {
  int64_t bytes = 1;
  for (const Argument& a : problem.inputs) bytes += a.constant ? a.constant->bytes() : 0;
  return static_cast<size_t>(
      std::clamp<int64_t>(kPackedAtOnce / bytes, 1, std::max(1u, std::thread::hardware_concurrency())));
}

}  // namespace

std::string Noise::warning() const {
  if (measured < kFewMeasurements || static_cast<double>(unsettled) < kNoisyShare * static_cast<double>(measured))
    return "";
  return std::to_string(unsettled) + " of " + std::to_string(measured) +
         " measurements of tactics did not settle: the engine may be slower than it could be\n  cause: other work on "
         "the machine while it measured\n  remedy: close other programs and build again, without the timing cache of "
         "this build";
}

std::string Tuner::Candidate::name() const {
  const std::string text = tactic->name + "." + std::to_string(tactic->version) + to_string(config);
  return tactic->device.empty() ? text : text + " on " + open_device(tactic->device).fingerprint();
}

double Tuner::Candidate::counts(double milliseconds) const {
  if (tactic->device.empty()) return milliseconds;
  const DeviceFacts& facts = open_device(tactic->device).facts();
  return milliseconds * facts.switch_factor + facts.switch_milliseconds;
}

bool Tuner::Candidate::cannot_win(double least) const { return !tactic->device.empty() && least <= counts(0); }

int Tuner::threads() const {
  const int all = target_.device().max_threads();
  return options_.max_threads > 0 ? std::min(all, options_.max_threads) : all;
}

// Only the last resort takes values of any rank.
static bool has_ranks(const Problem& problem) {
  const auto ranked = [](const Argument& a) { return !a.present || a.ranked; };
  return std::all_of(problem.inputs.begin(), problem.inputs.end(), ranked) &&
         std::all_of(problem.outputs.begin(), problem.outputs.end(), ranked);
}

bool Tuner::is_allowed(const Tactic& tactic, const Problem& problem) const {
  if (tactic.level > options_.level || (problem.sizes_results && !tactic.sizes_results)) return false;
  for (const std::string& name : {tactic.name, tactic.library})
    if (options_.disabled.count(name)) return false;
  return tactic.device.empty() || (!options_.own_only && !options_.disabled.count(tactic.device));
}

// In the order of preference; where the first tells its time, the fastest of those that do stands before it. `all`: the others are
// wanted, too.
std::vector<Tuner::Preferred> Tuner::accepting(const Problem& problem, bool all, const Declined& declined) const {
  std::vector<Preferred> list;
  if (!has_ranks(problem)) return list;
  const std::vector<const Tactic*>& tactics = target_.tactics().of(problem.op());
  for (size_t i = 0; i < tactics.size(); ++i) {
    if (!is_allowed(*tactics[i], problem)) continue;
    const bool compared = !list.empty() && list[0].tactic->estimate && tactics[i]->estimate;
    if (!all && !list.empty() && !compared) continue;
    const Refusal refusal = tactics[i]->accepts(problem);
    if (!refusal.refused()) list.push_back({tactics[i], i});
    else if (declined) declined(*tactics[i], refusal);
  }
  if (list.empty() || !list[0].tactic->estimate) return list;
  const DeviceFacts& facts = target_.device().facts();
  size_t fastest = 0;
  double least = HUGE_VAL;
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].tactic->estimate) continue;
    const double seconds = list[i].tactic->estimate(problem, facts).seconds();
    if (seconds < least) least = seconds, fastest = i;
  }
  const auto at = list.begin() + static_cast<std::ptrdiff_t>(fastest);
  std::rotate(list.begin(), at, at + 1);
  return list;
}

Tuner::Preferred Tuner::first_accepting(const Problem& problem) const {
  const std::vector<Preferred> list = accepting(problem, false, nullptr);
  return list.empty() ? Preferred() : list.front();
}

// As many as the level allows.
std::vector<Config> Tuner::configurations(const Tactic& tactic, const Problem& problem) const {
  std::vector<Config> configs = tactic.configurations ? tactic.configurations(problem) : std::vector<Config>{Config{}};
  const size_t limit = options_.level <= 1 ? 1 : options_.level == 2 ? 2 : options_.level == 3 ? 4 : configs.size();
  if (configs.size() > limit) configs.resize(limit);
  return configs;
}

Tuner::Candidates Tuner::candidates(const Problem& problem) const {
  Candidates list;
  const auto note = [&](const Tactic& tactic, const Refusal& refusal) {
    options_.logger->log(Severity::kVerbose,
                         problem.node->name() + ": " + tactic.name + " declines: " + refusal.reason);
  };
  const bool all = options_.level > 0 || options_.workspace != SIZE_MAX;
  for (const auto& [tactic, rank] : accepting(problem, all, note)) {
    for (Config& config : configurations(*tactic, problem)) list.push_back({tactic, std::move(config)});
    if (!all && !list.empty()) break;
  }
  if (options_.max_candidates > 0 && list.size() > static_cast<size_t>(options_.max_candidates))
    list.resize(static_cast<size_t>(options_.max_candidates));
  return list;
}

// Without those that want more workspace than is allowed.
Tuner::Candidates Tuner::fitting(const Problem& problem, Candidates list) const {
  if (options_.workspace == SIZE_MAX) return list;
  Candidates fit;
  for (Candidate& candidate : list) {
    const size_t size = workspace_of(problem, candidate.tactic->emit(problem, candidate.config));
    if (size <= options_.workspace || size == kNoWorkspace) fit.push_back(std::move(candidate));
    else
      options_.logger->log(Severity::kVerbose, problem.node->name() + ": " + candidate.name() +
                                                   " wants a workspace of " + std::to_string(size) +
                                                   " bytes, more than is allowed");
    if (options_.level == 0 && !fit.empty()) break;
  }
  if (fit.empty())
    options_.logger->log(Severity::kWarning,
                         problem.node->name() + " (" + problem.op() + "): no tactic works within a workspace of " +
                             std::to_string(options_.workspace) +
                             " bytes, so the reference computes it\n  remedy: allow more workspace");
  return fit;
}

// Whether no dimension of `a` at its optimum is larger than that of `b`, the same node at other sizes.
static bool is_within(const Problem& a, const Problem& b) {
  const auto are_within = [](const std::vector<Argument>& small, const std::vector<Argument>& large) {
    return std::equal(small.begin(), small.end(), large.begin(), large.end(), [](const Argument& s, const Argument& l) {
      return std::equal(s.opt.begin(), s.opt.end(), l.opt.begin(), l.opt.end(), std::less_equal<>());
    });
  };
  return are_within(a.inputs, b.inputs) && are_within(a.outputs, b.outputs);
}

// The nearest smaller and the nearest larger sizes; the first of all where there are not both.
static Tuner::Elsewheres nearest_around(const Problem& problem, const Tuner::Elsewheres& elsewhere) {
  const Tuner::Elsewhere *below = nullptr, *above = nullptr;
  for (const Tuner::Elsewhere& e : elsewhere) {
    if (is_within(*e.problem, problem) && (!below || is_within(*below->problem, *e.problem))) below = &e;
    if (is_within(problem, *e.problem) && (!above || is_within(*e.problem, *above->problem))) above = &e;
  }
  return below && above ? Tuner::Elsewheres{*below, *above} : Tuner::Elsewheres{elsewhere.front()};
}

bool Tuner::chose(const Elsewhere& elsewhere, const Candidate& candidate) {
  return candidate.tactic == elsewhere.choice->tactic && candidate.config == elsewhere.choice->config;
}

// What it chose and the few that came nearest to that.
std::set<std::string> Tuner::nearest(const Elsewhere& elsewhere) {
  std::vector<Tried> near;
  for (const Tried& tried : elsewhere.choice->tried)
    if (tried.milliseconds <= kNear * elsewhere.choice->milliseconds) near.push_back(tried);
  std::stable_sort(near.begin(), near.end(),
                   [](const Tried& a, const Tried& b) { return a.milliseconds < b.milliseconds; });
  if (near.size() > kMostNear) near.resize(kMostNear);
  std::set<std::string> names;
  if (elsewhere.choice->tactic) names.insert(Candidate{elsewhere.choice->tactic, elsewhere.choice->config}.name());
  for (const Tried& tried : near) names.insert(tried.candidate);
  return names;
}

// Those that other sizes leave open: a single one where the same was chosen at smaller and at larger ones.
Tuner::Candidates Tuner::near_best(const Problem& problem, Candidates list, const Elsewheres& elsewhere) {
  const Elsewheres around = nearest_around(problem, elsewhere);
  const bool is_settled = around.size() == 2 && around[0].choice->tactic == around[1].choice->tactic &&
                          around[0].choice->config == around[1].choice->config;
  std::set<std::string> names;
  for (const Elsewhere& e : around) names.merge(nearest(e));
  Candidates near;
  for (Candidate& candidate : list) {
    if (is_settled && chose(around[0], candidate)) return {candidate};
    if (names.count(candidate.name())) near.push_back(candidate);
  }
  return near.empty() ? list : near;
}

std::optional<double> Tuner::timed(const Problem& problem, const Candidate& candidate, const Emitted& emitted,
                                   int iterations, double least) {
  try {
    Device* const device = &open_device(emitted.device);
    const ThreadLimit limit({&device, 1}, options_.max_threads);
    return measure(problem, emitted, *device, iterations, least, &noise_);
  } catch (const Error& error) {
    options_.logger->log(Severity::kVerbose,
                         problem.node->name() + ": " + candidate.name() + " fails: " + error.what());
    return std::nullopt;
  }
}

// Milliseconds of each; nothing for those that failed, cannot win, or came after the budget was spent. Weights of several candidates
// are packed at the same time; what is timed runs alone.
std::vector<std::optional<double>> Tuner::times(const Problem& problem, const Candidates& list, int iterations) {
  const Hash128 key = problem.key();
  const size_t at_once = emitted_at_once(problem);
  std::vector<std::optional<double>> result(list.size());
  double least = -1;  // of what counts
  double fastest = -1;
  const auto note = [&](size_t i, double time) {
    result[i] = time;
    if (least < 0 || list[i].counts(time) < least) least = list[i].counts(time), fastest = time;
  };
  std::vector<size_t> open;
  for (size_t i = 0; i < list.size(); ++i) {
    if (!has_time_for(problem, list[i])) {
      note_left_out(list[i]);
      continue;
    }
    const auto known = options_.cache ? options_.cache->find(key, list[i].name()) : std::nullopt;
    if (known && cannot_be_made(*known)) continue;
    if (known) note(i, known->milliseconds);
    else if (!options_.cache_only && target_.device().is_present()) open.push_back(i);
  }
  const auto hopeless = [&](size_t i) { return options_.level < 5 && least >= 0 && list[i].cannot_win(least); };
  for (auto next = open.begin(); next != open.end() && !spent();) {
    std::vector<std::pair<size_t, std::future<Emitted>>> emitted;
    const Clock clock(spent_seconds_);
    for (; next != open.end() && emitted.size() < at_once; ++next) {
      if (hopeless(*next)) continue;
      const Candidate& candidate = list[*next];
      // Other devices' libraries keep threads for each thread that calls them.
      const bool beside = at_once > 1 && candidate.tactic->device.empty();
      const auto emit = [&problem, &candidate, beside] {
        std::optional<OneOfMany> one;
        if (beside) one.emplace();
        return candidate.tactic->emit(problem, candidate.config);
      };
      emitted.emplace_back(*next, std::async(beside ? std::launch::async : std::launch::deferred, emit));
    }
    for (auto& [i, future] : emitted) future.wait();
    for (auto& [i, future] : emitted) {
      check_work();
      if (hopeless(i) || spent()) continue;
      std::optional<double> time;
      try {
        time = timed(problem, list[i], future.get(), iterations, fastest);
      } catch (const Error& error) {
        options_.logger->log(Severity::kVerbose,
                             problem.node->name() + ": " + list[i].name() + " cannot be made: " + error.what());
        check_work();
        if (options_.cache && list[i].tactic->compiles > 0 && lasts(error))
          options_.cache->put(key, list[i].name(), {kCannotBeMade, kCannotBeMade});
      }
      check_work();  // a kernel that was ended has no time
      if (!time) continue;
      note(i, *time);
      if (options_.cache) options_.cache->put(key, list[i].name(), {*time, list[i].counts(*time)});
    }
  }
  return result;
}

double Tuner::seconds_left() const {
  return std::min(options_.budget_seconds - spent_seconds_, seconds_of_work_left());
}

// Nothing is compiled that may not end in time: what a library compiles cannot be interrupted.
bool Tuner::has_time_for(const Problem& problem, const Candidate& candidate) const {
  return candidate.tactic->compiles <= 0 || compiled_.count({problem.key(), candidate.name()}) ||
         candidate.tactic->compiles <= seconds_left();
}

void Tuner::note_left_out(const Candidate& candidate) {
  if (!left_out_.insert(candidate.tactic->name).second) return;
  options_.logger->log(Severity::kInfo, candidate.tactic->name +
                                            " is left out where it is not compiled yet: that may take " +
                                            std::to_string(candidate.tactic->compiles) +
                                            " s, more than is left for measuring or for the build");
}

// On all cores, within the budget. Back ends keep what they compiled: emitting it again costs nothing.
void Tuner::compile(const std::vector<std::pair<const Problem*, Candidate>>& list) {
  const auto start = std::chrono::steady_clock::now();
  const double left = seconds_left();
  const Clock clock(spent_seconds_);
  enum : uint8_t { kFailed, kLeftOut, kCompiled };
  std::vector<uint8_t> became(list.size(), kFailed);
  in_parallel(list.size(), [&](size_t i) {
    const auto& [problem, candidate] = list[i];
    const double gone = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (gone + candidate.tactic->compiles > left) {
      became[i] = kLeftOut;
      return;
    }
    try {
      (void)candidate.tactic->emit(*problem, candidate.config);
      became[i] = kCompiled;
    } catch (const Error&) {
      return;  // who wants it is told when it is emitted again
    }
  });
  for (size_t i = 0; i < list.size(); ++i) {
    if (became[i] == kCompiled) compiled_.emplace(list[i].first->key(), list[i].second.name());
    if (became[i] == kLeftOut) note_left_out(list[i].second);
  }
  check_work();
}

// Candidates whose code takes a while to compile and that are going to be measured, before anything is timed.
void Tuner::compile_ahead(const std::vector<Problem>& problems) {
  if (options_.level == 0 || options_.cache_only || !target_.device().is_present()) return;
  std::vector<std::pair<const Problem*, Candidate>> list;
  std::set<std::pair<Hash128, std::string>> asked;
  for (const Problem& problem : problems)
    for (const Tactic* tactic : target_.tactics().of(problem.op())) {
      if (tactic->compiles <= 0 || !has_ranks(problem) || !is_allowed(*tactic, problem)) continue;
      const Hash128 key = problem.key();
      if (known_.count(key) || tactic->accepts(problem).refused()) continue;
      for (Config& config : configurations(*tactic, problem)) {
        Candidate candidate{tactic, std::move(config)};
        const bool timed = options_.cache && options_.cache->find(key, candidate.name());
        if (!timed && asked.emplace(key, candidate.name()).second) list.emplace_back(&problem, std::move(candidate));
      }
    }
  compile(list);
}

// What times that were known already made choose.
void Tuner::compile_chosen(const std::vector<Problem>& problems, const std::vector<Choice>& choices) {
  std::vector<std::pair<const Problem*, Candidate>> list;
  for (size_t i = 0; i < problems.size(); ++i)
    if (choices[i].tactic && choices[i].tactic->compiles > 0)
      list.emplace_back(&problems[i], Candidate{choices[i].tactic, choices[i].config});
  compile(list);
}

Choice Tuner::best(const Problem& problem, Candidates list, const Elsewheres& elsewhere) {
  if (list.size() == 1 || options_.level == 0) return {list[0].tactic, list[0].config};
  const Hash128 key = problem.key();
  if (const auto pin = options_.cache && options_.obey_pins ? options_.cache->pinned(key) : std::nullopt)
    for (const Candidate& candidate : list)
      if (candidate.name() == pin->first) return {candidate.tactic, candidate.config, pin->second};
  Choice choice{list[0].tactic, list[0].config};
  const int iterations = elsewhere.empty() ? options_.iterations : std::min(options_.iterations, kFewIterations);
  const std::vector<std::optional<double>> measured = times(problem, list, iterations);
  double least = -1;
  for (size_t i = 0; i < list.size(); ++i) {
    if (!measured[i]) {
      options_.logger->log(Severity::kVerbose,
                           problem.node->name() + ": " + list[i].name() + " has no time; key " + key.hex());
      continue;
    }
    options_.logger->log(Severity::kVerbose, problem.node->name() + ": " + list[i].name() + " " +
                                                 std::to_string(*measured[i]) + " ms; key " + key.hex() +
                                                 ", tactic hash " + std::to_string(tactic_hash(list[i].name())));
    choice.tried.push_back({list[i].name(), *measured[i]});
    const bool is_known =
        std::any_of(elsewhere.begin(), elsewhere.end(), [&](const Elsewhere& e) { return chose(e, list[i]); });
    const double counts = list[i].counts(*measured[i]) / (is_known ? kWorthChanging : 1);
    if (least >= 0 && counts >= least) continue;
    least = counts;
    choice.tactic = list[i].tactic;
    choice.config = list[i].config;
    choice.milliseconds = *measured[i];
  }
  if (options_.cache_only && choice.milliseconds < 0)
    throw Error(Code::kNotFound, "the timing cache has no time for " + problem.str())
        .node(problem.node->name())
        .remedy(
            "build once, where the device is, without --errorOnTimingCacheMiss "
            "(BuilderFlag::kERROR_ON_TIMING_CACHE_MISS), and keep the cache");
  choice.guessed = choice.milliseconds < 0;
  return choice;
}

// What lies in a file needs no memory until it is read again.
static void let_go_constants(const Problem& problem) {
  for (const Argument& a : problem.inputs)
    if (a.constant) let_go(*a.constant);
}

std::optional<double> Tuner::fastest(const Problem& problem) {
  if (options_.level == 0) return std::nullopt;
  const Candidates list = fitting(problem, candidates(problem));
  const std::vector<std::optional<double>> measured = times(problem, list, options_.iterations);
  std::optional<double> least;
  for (size_t i = 0; i < list.size(); ++i)
    if (measured[i]) least = std::min(list[i].counts(*measured[i]), least.value_or(HUGE_VAL));
  let_go_constants(problem);
  return least;
}

Choice Tuner::choose_one(const Problem& problem, const Elsewheres& elsewhere) {
  Candidates list = candidates(problem);
  if (list.empty()) return {};
  const Hash128 key = problem.key();
  // What a tactic takes may depend on constants, which the key leaves out.
  const auto is_offered = [&](const Choice& choice) {
    return !choice.tactic ||
           std::any_of(list.begin(), list.end(), [&](const Candidate& c) { return c.tactic == choice.tactic; });
  };
  if (const auto known = known_.find(key); known != known_.end() && is_offered(known->second)) return known->second;
  list = fitting(problem, std::move(list));
  if (!elsewhere.empty()) list = near_best(problem, std::move(list), elsewhere);
  Choice choice = list.empty() ? Choice() : best(problem, std::move(list), elsewhere);
  known_.insert_or_assign(key, choice);
  return choice;
}

std::vector<Choice> Tuner::choose(const std::vector<Problem>& problems, const std::vector<Elsewheres>& elsewhere) {
  std::vector<Choice> choices;
  compile_ahead(problems);
  for (const Problem& problem : problems) {
    check_work();
    if (options_.progress && !options_.progress(choices.size(), problems.size(), problem.node->name()))
      throw Error(Code::kInvalidState, "the build was stopped");
    choices.push_back(choose_one(problem, elsewhere.empty() ? Elsewheres() : elsewhere.at(choices.size())));
    let_go_constants(problem);
  }
  compile_chosen(problems, choices);
  if (options_.progress) options_.progress(problems.size(), problems.size(), "");
  if (const std::string warning = noise_.warning(); !warning.empty()) options_.logger->log(Severity::kWarning, warning);
  noise_ = {};
  return choices;
}

}  // namespace kiln
