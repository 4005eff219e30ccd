// Choices that are made again beside the kernels that run before and behind, on a device with memory of its own.
#include <gtest/gtest.h>

#include <set>

#include "compiler/problems.h"
#include "ir/text.h"
#include "pretend/pretend.h"
#include "tuner/tuner.h"

namespace kiln {
namespace {

const std::string kA = "a.1" + to_string(Config{}), kB = "b.1" + to_string(Config{});

const Target& pretend_target() {
  static const bool registered = (pretend::register_pretend(), true);
  static_cast<void>(registered);
  return find_target("pretend");
}

Emitted emitted(const Problem& p) {
  const Tactic* first = Tuner(pretend_target(), {}).first_accepting(p).tactic;
  return first->emit(p, first->configurations ? first->configurations(p).front() : Config{});
}

// Two names for one kernel: what the cache says about them decides.
class TwoNames final : public Target {
 public:
  TwoNames() : own_{tactic("a"), tactic("b")}, list_({&own_[0], &own_[1]}) {}
  std::string_view name() const override { return "two names"; }
  Device& device() const override { return pretend_target().device(); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override { return {}; }
  const TacticList& tactics() const override { return list_; }

 private:
  static Tactic tactic(std::string name) {
    return {.name = std::move(name),
            .accepts = [](const Problem&) { return accept(); },
            .configurations = nullptr,
            .emit = [](const Problem& p, const Config&) { return emitted(p); }};
  }
  std::vector<Tactic> own_;
  TacticList list_;
};

class Settle : public testing::Test {
 protected:
  Settle()
      : graph_(ir::parse_graph("graph main(%x: float32[4,8]) {\n  %a = Relu \"r\"(%x)\n  %b = Neg \"n\"(%a)\n"
                               "  %c = Tanh \"t\"(%b)\n  return %c\n}")),
        extents_(*graph_, {}),
        problems_(make_problems(extents_, 1, *graph_, false)) {}

  TimingCache alone() const {
    TimingCache cache("pretend");
    for (const Problem& p : problems_) {
      cache.put(p.key(), kA, {0.010, 0.010});
      cache.put(p.key(), kB, {0.011, 0.011});
    }
    return cache;
  }
  // The names of the tactics that are taken.
  std::string settled(TimingCache& cache, bool cache_only, int level = 3) {
    TunerOptions options;
    options.cache = &cache;
    options.cache_only = cache_only;
    options.level = level;
    Tuner tuner(target_, options);
    std::vector<Choice> choices = tuner.choose(problems_);
    tuner.settle(problems_, {0, 1, 2}, choices);
    std::string names;
    for (const Choice& c : choices) names += c.tactic_name();
    return names;
  }
  std::vector<Hash128> chains(const TimingCache& cache) const {
    std::vector<Hash128> keys;
    for (const Hash128& key : cache.problems()) {
      bool own = false;
      for (const Problem& p : problems_) own |= p.key() == key;
      if (!own) keys.push_back(key);
    }
    return keys;
  }
  // Times of each step between neighbours that are all "a".
  TimingCache with_chains(double a, double b) {
    TimingCache measured = alone(), cache = alone();
    TunerOptions options;
    options.cache = &measured;
    Tuner tuner(target_, options);
    for (size_t i = 0; i < problems_.size(); ++i) {  // each is looked at once while its neighbours are as they were
      std::vector<Choice> choices = tuner.choose(problems_);
      tuner.settle(problems_, {0, 1, 2}, choices);
    }
    for (const Hash128& key : chains(measured)) {
      cache.put(key, kA, {a, a});
      cache.put(key, kB, {b, b});
    }
    return cache;
  }

  TwoNames target_;
  std::unique_ptr<ir::Graph> graph_;
  Extents extents_;
  std::vector<Problem> problems_;
};

TEST_F(Settle, TimesEachStepBetweenItsNeighbours) {
  TimingCache cache = alone();
  settled(cache, false);
  const std::vector<Hash128> keys = chains(cache);
  EXPECT_GE(keys.size(), 3u);
  for (const Hash128& key : keys) {
    EXPECT_TRUE(cache.find(key, kA));
    EXPECT_TRUE(cache.find(key, kB));
  }
}

TEST_F(Settle, TakesWhatIsFasterThere) {
  TimingCache cache = with_chains(0.05, 0.04);
  EXPECT_EQ(settled(cache, true)[0], 'b');
}

TEST_F(Settle, KeepsTheFirstChoiceWhereItCostsNothing) {
  TimingCache slower = with_chains(0.04, 0.05), alike = with_chains(0.0401, 0.04);
  EXPECT_EQ(settled(slower, true), "aaa");
  EXPECT_EQ(settled(alike, true), "aaa");
}

TEST_F(Settle, MeasuresNothingThatIsNotAsked) {
  for (int level : {0, 1}) {
    TimingCache cache = alone();
    EXPECT_EQ(settled(cache, false, level), "aaa");
    EXPECT_TRUE(chains(cache).empty());
  }
  TimingCache cache = alone();
  EXPECT_EQ(settled(cache, true), "aaa");
  EXPECT_TRUE(chains(cache).empty());
}

TEST_F(Settle, LeavesOutWhatIsFarSlowerAlone) {
  TimingCache cache("pretend");
  for (const Problem& p : problems_) {
    cache.put(p.key(), kA, {0.010, 0.010});
    cache.put(p.key(), kB, {0.015, 0.015});
  }
  settled(cache, false);
  EXPECT_TRUE(chains(cache).empty());
}

}  // namespace
}  // namespace kiln
