// Search over tactics and configurations.
#include "tuner/tuner.h"

#include <algorithm>
#include <chrono>

namespace kiln {
namespace {

constexpr size_t kFewMeasurements = 8;  // from which nothing is concluded
constexpr double kNoisyShare = 0.1;

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
  return tactic->device.empty() ? text : text + kForeignMark + open_device(tactic->device).fingerprint();
}

int Tuner::threads() const {
  const int all = target_.device().max_threads();
  return options_.max_threads > 0 ? std::min(all, options_.max_threads) : all;
}

std::vector<Tuner::Candidate> Tuner::candidates(const Problem& problem) const {
  std::vector<Candidate> list;
  for (const auto* arguments : {&problem.inputs, &problem.outputs})
    for (const Argument& a : *arguments)
      if (a.present && !a.ranked) return list;  // only the last resort takes values of any rank
  for (const Tactic* tactic : target_.tactics(problem.op())) {
    if (options_.disabled.count(tactic->name) || (problem.sizes_results && !tactic->sizes_results)) continue;
    if (!tactic->device.empty() && (options_.own_only || options_.disabled.count(tactic->device))) continue;
    const Refusal refusal = tactic->accepts(problem);
    if (refusal.refused()) {
      options_.logger->log(Severity::kVerbose,
                           problem.node->name() + ": " + tactic->name + " declines: " + refusal.reason);
      continue;
    }
    std::vector<Config> configs =
        tactic->configurations ? tactic->configurations(problem) : std::vector<Config>{Config{}};
    const size_t limit = options_.level <= 1 ? 1 : options_.level == 2 ? 2 : options_.level == 3 ? 4 : configs.size();
    if (configs.size() > limit) configs.resize(limit);
    for (Config& config : configs) list.push_back({tactic, std::move(config)});
    if (options_.level == 0 && !list.empty()) break;
  }
  if (options_.max_candidates > 0 && list.size() > static_cast<size_t>(options_.max_candidates))
    list.resize(static_cast<size_t>(options_.max_candidates));
  return list;
}

Tuner::Candidate Tuner::best(const Problem& problem, const std::vector<Candidate>& list, Choice& choice) {
  double& milliseconds = choice.milliseconds;
  milliseconds = -1;
  if (list.size() == 1 || options_.level == 0) return list[0];
  const Hash128 key = problem.key();
  if (const auto pin = options_.cache && options_.obey_pins ? options_.cache->pinned(key) : std::nullopt)
    for (const Candidate& candidate : list)
      if (candidate.name() == pin->first) return milliseconds = pin->second, candidate;
  const Candidate* winner = &list[0];
  double least = 0;
  for (const Candidate& candidate : list) {
    const bool foreign = !candidate.tactic->device.empty(),
               cannot_win = milliseconds >= 0 && least <= kForeignMilliseconds;
    if (foreign && cannot_win && options_.level < 5) continue;
    std::optional<double> time = options_.cache ? options_.cache->find(key, candidate.name()) : std::nullopt;
    if (!time && options_.cache_only) continue;
    if (!time) {
      if (spent()) continue;
      const auto start = std::chrono::steady_clock::now();
      try {
        const Emitted emitted = candidate.tactic->emit(problem, candidate.config);
        Device* const device = &open_device(emitted.device);
        const ThreadLimit limit({&device, 1}, options_.max_threads);
        time = measure(problem, emitted, *device, options_.iterations, milliseconds, &noise_);
      } catch (const Error& error) {
        options_.logger->log(Severity::kVerbose,
                             problem.node->name() + ": " + candidate.name() + " fails: " + error.what());
      }
      spent_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (!time) continue;
      if (options_.cache) options_.cache->put(key, candidate.name(), *time);
    }
    options_.logger->log(Severity::kVerbose, problem.node->name() + ": " + candidate.name() + " " +
                                                 std::to_string(*time) + " ms; key " + key.hex() + ", tactic hash " +
                                                 std::to_string(tactic_hash(candidate.name())));
    choice.tried.push_back({candidate.name(), *time});
    const double weight = weighed(*time, !candidate.tactic->device.empty());
    if (milliseconds < 0 || weight < least) {
      milliseconds = *time;
      least = weight;
      winner = &candidate;
    }
  }
  if (options_.cache_only && milliseconds < 0)
    throw Error(Code::kNotFound, "the timing cache has no time for " + problem.str())
        .node(problem.node->name())
        .remedy("build once without BuilderFlag::kERROR_ON_TIMING_CACHE_MISS and keep the cache");
  return *winner;
}

std::vector<Choice> Tuner::choose(const std::vector<Problem>& problems) {
  std::map<Hash128, Choice> known;
  std::vector<Choice> choices;
  for (const Problem& problem : problems) {
    if (options_.progress && !options_.progress(choices.size(), problems.size(), problem.node->name()))
      throw Error(Code::kInvalidState, "the build was cancelled");
    Choice choice;
    const std::vector<Candidate> list = candidates(problem);
    if (!list.empty()) {
      const Hash128 key = problem.key();
      auto it = known.find(key);
      if (it == known.end()) {
        const Candidate winner = best(problem, list, choice);
        choice.tactic = winner.tactic;
        choice.config = winner.config;
        it = known.emplace(key, choice).first;
      }
      choice = it->second;
    }
    choices.push_back(std::move(choice));
  }
  if (options_.progress) options_.progress(problems.size(), problems.size(), "");
  if (const std::string warning = noise_.warning(); !warning.empty()) options_.logger->log(Severity::kWarning, warning);
  noise_ = {};
  return choices;
}

}  // namespace kiln
