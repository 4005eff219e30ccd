// Chooses a tactic and a configuration for each problem: by order, by the timing cache, or by measuring on the device, when it is there.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "target/target.h"
#include "tuner/timing_cache.h"

namespace kiln {

struct TunerOptions {
  int level = 3;  // 0: first that accepts; 1: first configuration of each tactic; 2-3: few; 4: all that may win; 5: all
  double budget_seconds = 1e9;     // of measuring in all; afterwards the first that accepts is taken
  int iterations = 8;              // runs of each candidate that comes near the best, at least; 1: no repetition
  std::set<std::string> disabled;  // tactics by name, by their device or by their library
  bool own_only = false;           // no tactics of other devices
  int max_candidates = -1;         // that are measured for a problem; negative: as the level says
  int max_threads = 0;             // of the device while it measures; 0: all that it has
  size_t workspace = SIZE_MAX;     // bytes; tactics that want more at the largest shapes are left out
  TimingCache* cache = nullptr;
  bool keeps_code = true;   // code that tactics compile comes from the cache and goes there, too
  bool obey_pins = false;   // problems for which the cache says what to take are not measured
  bool cache_only = false;  // nothing is measured: Error(kNotFound) when the cache has no time for a problem
  Logger* logger = &null_logger();
  // Called before each problem: how many are done, how many there are, its layer. False cancels: Error(kInvalidState).
  std::function<bool(size_t done, size_t total, const std::string& layer)> progress;
  std::function<bool()> enough;  // true: the budget counts as spent
};

// A candidate that was measured, now or when the timing cache was written.
struct Tried {
  std::string candidate;
  double milliseconds = 0;
  bool operator==(const Tried&) const = default;
};

struct Choice {
  const Tactic* tactic = nullptr;  // null: the reference
  Config config;
  double milliseconds = -1;  // negative when it was not measured
  std::vector<Tried> tried = {};
  bool guessed = false;  // of several candidates that were to be measured none has a time
  std::string tactic_name() const { return tactic ? tactic->name : "reference"; }
  Emitted emit(const Problem& problem) const {
    return tactic ? tactic->emit(problem, config) : emit_reference(problem);
  }
};

// Times of a tuning run that repeated measurements did not confirm.
struct Noise {
  size_t measured = 0, unsettled = 0;
  // A warning with a remedy, when so many are unsettled that choices may be wrong; else empty.
  std::string warning() const;
};

class Tuner {
 public:
  Tuner(const Target& target, TunerOptions options) : target_(target), options_(std::move(options)) {}
  // A choice that was made for the same node at other sizes.
  struct Elsewhere {
    const Problem* problem;
    const Choice* choice;
  };
  using Elsewheres = std::vector<Elsewhere>;
  // Equal problems are measured once. Weights may differ: they are packed per problem. `elsewhere`: by problem, or empty. Between two
  // sizes at which the same was chosen it is taken unmeasured; at other sizes only what came near the best elsewhere is tried.
  std::vector<Choice> choose(const std::vector<Problem>& problems, const std::vector<Elsewheres>& elsewhere = {});
  // What the fastest candidate counts, in milliseconds, even where it is the only one; nothing when there is none, or nothing is measured.
  std::optional<double> fastest(const Problem& problem);
  // Looks again at choices that were made for each step alone: candidates that are nearly as fast there are timed between the kernels
  // that run before and behind them, on devices with memory of their own. `steps`: places in `problems`, in the order in which they run.
  void settle(const std::vector<Problem>& problems, const std::vector<size_t>& steps, std::vector<Choice>& choices);
  int threads() const;  // that a kernel may use
  // For problems; null: nothing is kept.
  KeptCode* kept_code() const { return options_.cache && options_.keeps_code ? &options_.cache->code() : nullptr; }
  // Nothing more is measured.
  bool spent() const { return spent_seconds_ > options_.budget_seconds || (options_.enough && options_.enough()); }
  // Whether any tactic takes the problem; the last resort is none.
  bool accepts(const Problem& problem) const { return first_accepting(problem).tactic; }
  struct Preferred {
    const Tactic* tactic = nullptr;
    size_t rank = 0;  // its place among the tactics of the operator
  };
  // The first in the order of preference that takes the problem, where it and others tell their times the fastest of these; null when
  // none does.
  Preferred first_accepting(const Problem& problem) const;

 private:
  struct Candidate {
    const Tactic* tactic;
    Config config;
    // Times of a device's kernels hold for its libraries only, so its fingerprint is part of the name.
    std::string name() const;
    double counts(double milliseconds) const;  // with the cost of a switch to its device
    bool cannot_win(double least) const;       // whatever its own time, when another counts so much
  };
  using Candidates = std::vector<Candidate>;
  using Declined = std::function<void(const Tactic&, const Refusal&)>;
  struct Step {
    const Problem* problem = nullptr;  // null: there is none
    const Choice* choice = nullptr;
  };
  struct Neighbours {
    Step before, behind;
  };
  bool is_allowed(const Tactic& tactic, const Problem& problem) const;
  std::vector<Preferred> accepting(const Problem& problem, bool all, const Declined& declined) const;
  Candidates candidates(const Problem& problem) const;
  // Until measuring has to end, or the build.
  double seconds_left() const;
  bool has_time_for(const Problem& problem, const Candidate& candidate) const;
  void note_left_out(const Candidate& candidate);
  std::vector<Config> configurations(const Tactic& tactic, const Problem& problem) const;
  void compile_ahead(const std::vector<Problem>& problems);
  void compile_chosen(const std::vector<Problem>& problems, const std::vector<Choice>& choices);
  void compile(const std::vector<std::pair<const Problem*, Candidate>>& list);
  Candidates fitting(const Problem& problem, Candidates list) const;
  static bool chose(const Elsewhere& elsewhere, const Candidate& candidate);
  static std::set<std::string> nearest(const Elsewhere& elsewhere);
  static Candidates near_best(const Problem& problem, Candidates list, const Elsewheres& elsewhere);
  Choice best(const Problem& problem, Candidates list, const Elsewheres& elsewhere);
  std::vector<std::optional<double>> times(const Problem& problem, const Candidates& list, int iterations);
  std::optional<double> timed(const Problem& problem, const Candidate& candidate, const Emitted& emitted,
                              int iterations, double least);
  Choice choose_one(const Problem& problem, const Elsewheres& elsewhere);
  Candidates rivals(const Problem& problem, const Choice& choice) const;
  bool settle_one(const Problem& problem, Choice& choice, const Neighbours& around);
  Candidate settled(const Problem& problem, const Candidates& list, const Neighbours& around);
  std::vector<std::optional<double>> times_between(const Problem& problem, const Candidates& list,
                                                   const Neighbours& around, const Hash128& key);
  const Target& target_;
  TunerOptions options_;
  std::map<Hash128, Choice> known_;
  std::map<Hash128, Candidate> settled_;  // by step and neighbours
  double spent_seconds_ = 0;
  std::set<std::pair<Hash128, std::string>> compiled_;  // candidates by problem and name
  std::set<std::string> left_out_;                      // tactics that were too slow to compile for the time left
  Noise noise_;
};

// Mean of the middle half of the sorted times; of those at its ends only the part that lies inside counts. Not for an empty list.
double middle_half(std::vector<double> times);

// Milliseconds of one launch on the device with the problem's optimum shapes, weights not left in cache: the middle half
// of the fastest round of runs. `best` is the time of the best candidate so far (0: none); one that is far slower is measured
// less carefully. `noise` non-null: counts the measurement. Throws Error when the kernel refuses.
// With at most kFewIterations rounds may be one run, and two that agree are enough.
inline constexpr int kFewIterations = 3;
double measure(const Problem& problem, const Emitted& emitted, Device& device, int iterations, double best = -1,
               Noise* noise = nullptr);

}  // namespace kiln
