// Which tactics are asked, which are left out, and what is tried again at other sizes: a target of tactics that the test makes.
#include "tuner/tuner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <mutex>

#include "base/work.h"
#include "compiler/problems.h"
#include "ir/text.h"
#include "target/step_call.h"

namespace kiln {
namespace {

class LastLog final : public Logger {
 public:
  void log(Severity severity, std::string_view text) noexcept override {
    if (severity <= Severity::kWarning) warnings += std::string(text) + "\n";
    else if (severity == Severity::kInfo) infos += std::string(text) + "\n";
  }
  std::string warnings, infos;
};

// Emits what the last resort would, so that every candidate can be measured on this machine.
Tactic tactic(std::string name, std::vector<std::string_view> ops, std::vector<Config> configs = {Config{}}) {
  return {.name = std::move(name),
          .version = 1,
          .ops = std::move(ops),
          .accepts = [](const Problem&) { return accept(); },
          .configurations = [configs](const Problem&) { return configs; },
          .emit = [](const Problem& p, const Config&) { return emit_reference(p); }};
}

class OwnTarget final : public Target {
 public:
  explicit OwnTarget(const std::vector<Tactic>& tactics) : own_(tactics), list_(pointers()) {}
  std::string_view name() const override { return "own"; }
  Device& device() const override { return open_device("ref"); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override { return {}; }
  const TacticList& tactics() const override { return list_; }

 private:
  std::vector<const Tactic*> pointers() const {
    std::vector<const Tactic*> list;
    for (const Tactic& t : own_) list.push_back(&t);
    return list;
  }
  std::vector<Tactic> own_;
  TacticList list_;
};

struct Case {
  explicit Case(const std::string& text = "graph main(%x: float32[4,8]) {\n  %y = Relu \"r\"(%x)\n  return %y\n}")
      : graph(ir::parse_graph(text)), extents(*graph, {}), problems(make_problems(extents, 1, *graph, false)) {}
  std::unique_ptr<ir::Graph> graph;
  Extents extents;
  std::vector<Problem> problems;
};

std::vector<std::string> names(const std::vector<const Tactic*>& list) {
  std::vector<std::string> result;
  for (const Tactic* t : list) result.push_back(t->name);
  return result;
}

TEST(TacticList, KeepsTheOrderOfThoseForAnOperatorAndThoseForAny) {
  const OwnTarget target(
      {tactic("a", {"Relu", "Conv"}), tactic("any", {}), tactic("b", {"Relu"}), tactic("c", {"MatMul"})});
  EXPECT_EQ(names(target.tactics().of("Relu")), (std::vector<std::string>{"a", "any", "b"}));
  EXPECT_EQ(names(target.tactics().of("MatMul")), (std::vector<std::string>{"any", "c"}));
  EXPECT_EQ(names(target.tactics().of("Sin")), (std::vector<std::string>{"any"}));
  EXPECT_EQ(target.tactics().all().size(), 4u);
}

Tactic telling(std::string name, double seconds) {
  Tactic t = tactic(std::move(name), {"Relu"});
  t.estimate = [seconds](const Problem&, const DeviceFacts&) { return Estimate{.launch = seconds}; };
  return t;
}

TunerOptions at_level(int level) {
  TunerOptions options;
  options.level = level;
  options.iterations = 1;
  return options;
}

TEST(Tuner, TacticsThatTellTheirTimesAreOrderedByIt) {
  const Case c;
  const auto first = [&](const std::vector<Tactic>& tactics) {
    const OwnTarget target(tactics);
    const Tuner::Preferred found = Tuner(target, at_level(0)).first_accepting(c.problems[0]);
    EXPECT_EQ(Tuner(target, at_level(0)).choose(c.problems)[0].tactic, found.tactic);
    return found.tactic->name;
  };
  const Tactic silent = tactic("silent", {"Relu"});
  EXPECT_EQ(first({telling("slow", 2), telling("fast", 1)}), "fast");
  EXPECT_EQ(first({telling("slow", 2), silent, telling("fast", 1)}), "fast");
  EXPECT_EQ(first({telling("fast", 1), telling("slow", 2)}), "fast");
  EXPECT_EQ(first({silent, telling("fast", 1)}), "silent");
  Tactic declines = telling("declines", 0.5);
  declines.accepts = [](const Problem&) { return refuse("no"); };
  EXPECT_EQ(first({telling("slow", 2), declines, telling("fast", 1)}), "fast");
}

TEST(Tuner, TheFastestCounts) {
  const Case c;
  const OwnTarget target({tactic("only", {"Relu"})}), none({tactic("other", {"Conv"})});
  EXPECT_GT(Tuner(target, at_level(3)).fastest(c.problems[0]).value_or(-1), 0);
  EXPECT_FALSE(Tuner(target, at_level(0)).fastest(c.problems[0]));
  EXPECT_FALSE(Tuner(none, at_level(3)).fastest(c.problems[0]));
}

TEST(Tactic, RefusesOtherOperators) {
  const Case c;
  EXPECT_FALSE(tactic("a", {"Relu"}).refusal(c.problems[0]).refused());
  EXPECT_FALSE(tactic("any", {}).refusal(c.problems[0]).refused());
  EXPECT_EQ(tactic("b", {"Conv", "MatMul", "Gemm"}).refusal(c.problems[0]).reason, "is for Conv, MatMul and Gemm");
}

// A tactic whose kernel wants a workspace: the reference takes as many bytes as it has constants to copy, so the limit is put below.
TEST(Tuner, LeavesOutWhatWantsMoreWorkspaceThanIsAllowed) {
  const Case c(
      "graph main(%x: float32[4,64]) {\n  %w = random float32[64,64] seed 1\n  %y = MatMul \"m\"(%x, %w)\n  return "
      "%y\n}");
  const Target& cpu = find_target("cpu");
  size_t most = 0, least = SIZE_MAX;
  for (int level : {0, 5}) {
    for (const Tactic* t : cpu.tactics().of("MatMul")) {
      if (!t->device.empty() || t->refusal(c.problems[0]).refused()) continue;
      for (const Config& config :
           t->configurations ? t->configurations(c.problems[0]) : std::vector<Config>{Config{}}) {
        const Emitted e = t->emit(c.problems[0], config);
        StepCall call(c.problems[0], e, StepCall::Shapes::kLargest);
        const size_t size = make_kernel(e)->workspace(call.call());
        EXPECT_EQ(size, workspace_of(c.problems[0], e));
        most = std::max(most, size), least = std::min(least, size);
      }
    }
    TunerOptions options;
    options.level = level;
    options.own_only = true;
    options.workspace = least;
    const Choice choice = Tuner(cpu, options).choose(c.problems)[0];
    ASSERT_NE(choice.tactic, nullptr);
    EXPECT_LE(workspace_of(c.problems[0], choice.emit(c.problems[0])), least);
  }
  ASSERT_LT(least, SIZE_MAX);
}

TEST(Tuner, SaysWhenNothingFitsTheWorkspace) {
  const Case c(
      "graph main(%x: float32[1,16,32,32]) {\n  %w = random float32[16,16,3,3] seed 1\n"
      "  %y = Conv \"c\"(%x, %w) {pads=[1,1,1,1]}\n  return %y\n}");
  Tactic hungry = tactic("hungry", {"Conv"});
  hungry.emit = [](const Problem& p, const Config& config) {
    for (const Tactic* t : find_target("cpu").tactics().of("Conv"))
      if (t->device.empty() && !t->refusal(p).refused()) return t->emit(p, config);
    return emit_reference(p);
  };
  LastLog log;
  TunerOptions options;
  options.level = 0;
  options.workspace = 0;
  options.logger = &log;
  const OwnTarget target({hungry});
  const size_t wanted = workspace_of(c.problems[0], hungry.emit(c.problems[0], {}));
  const Choice choice = Tuner(target, options).choose(c.problems)[0];
  EXPECT_EQ(choice.tactic == nullptr, wanted > 0);
  EXPECT_EQ(log.warnings.find("workspace") != std::string::npos, wanted > 0) << log.warnings;
}

TEST(Tuner, TriesOnlyWhatCameNearTheBestAtOtherSizes) {
  const Case c;
  std::vector<Config> configs;
  for (int64_t i = 0; i < 4; ++i) configs.push_back({{"n", i}});
  std::atomic<int> emitted = 0;
  Tactic counted = tactic("counted", {"Relu"}, configs);
  counted.emit = [&](const Problem& p, const Config&) { return ++emitted, emit_reference(p); };
  const OwnTarget target({counted});
  TunerOptions options;
  options.level = 5;
  options.iterations = 1;
  Choice earlier;
  earlier.milliseconds = 1;
  earlier.tried = {{"counted.1{n=0}", 1.2}, {"counted.1{n=1}", 1}, {"counted.1{n=2}", 1.4}, {"counted.1{n=3}", 40}};
  const Choice choice = Tuner(target, options).choose(c.problems, {{{&c.problems[0], &earlier}}})[0];
  EXPECT_EQ(emitted, 2);
  EXPECT_EQ(choice.tried.size(), 2u);
  emitted = 0;
  EXPECT_EQ(Tuner(target, options).choose(c.problems)[0].tried.size(), 4u);
  EXPECT_EQ(emitted, 4);
}

TEST(Tuner, TakesWhatSmallerAndLargerSizesChoseUnmeasured) {
  const auto of = [](const std::string& dims) {
    return Case("graph main(%x: float32[" + dims + "]) {\n  %y = Relu(%x)\n  return %y\n}");
  };
  const Case small = of("4,8"), middle = of("6,8"), large = of("9,8"), narrow = of("9,4");
  std::vector<Config> configs;
  for (int64_t i = 0; i < 4; ++i) configs.push_back({{"n", i}});
  const Tactic counted = tactic("counted", {"Relu"}, configs);
  const OwnTarget target({counted});
  TunerOptions options;
  options.level = 5;
  options.iterations = 1;
  const Choice one{target.tactics().all()[0], configs[1], 1, {{"counted.1{n=1}", 1}, {"counted.1{n=2}", 1.1}}};
  const Choice other{target.tactics().all()[0], configs[3], 1, {{"counted.1{n=3}", 1}, {"counted.1{n=1}", 9}}};
  const auto between = [&](const Case& low, const Choice& lows, const Case& high, const Choice& highs) {
    return Tuner(target, options)
        .choose(middle.problems, {{{&low.problems[0], &lows}, {&high.problems[0], &highs}}})[0];
  };
  const Choice taken = between(small, one, large, one);
  EXPECT_EQ(taken.config, configs[1]);
  EXPECT_TRUE(taken.tried.empty());
  EXPECT_EQ(between(small, one, large, other).tried.size(), 3u);
  EXPECT_EQ(between(small, one, narrow, one).tried.size(), 2u) << "not larger in every dimension";
  EXPECT_EQ(between(large, one, small, one).config, configs[1]) << "in any order";
}

TEST(Tuner, MeasuresEqualProblemsOnce) {
  const Case c("graph main(%x: float32[4,8]) {\n  %a = Relu(%x)\n  %b = Relu(%a)\n  return %b\n}");
  std::atomic<int> emitted = 0;
  Tactic counted = tactic("counted", {"Relu"}, {{{"n", int64_t{0}}}, {{"n", int64_t{1}}}});
  counted.emit = [&](const Problem& p, const Config&) { return ++emitted, emit_reference(p); };
  const OwnTarget target({counted});
  TunerOptions options;
  options.iterations = 1;
  Tuner tuner(target, options);
  EXPECT_EQ(tuner.choose(c.problems).size(), 2u);
  EXPECT_EQ(emitted, 2);
  tuner.choose(c.problems);
  EXPECT_EQ(emitted, 2);
}

// What takes a while to compile is emitted for every layer before anything is timed; not at level 0, and not beyond the budget.
TEST(Tuner, CompilesForAllLayersAhead) {
  const Case c("graph main(%x: float32[4,8], %z: float32[3]) {\n  %a = Relu(%x)\n  %b = Relu(%z)\n  return %a, %b\n}");
  std::mutex mutex;
  std::string emitted;
  const auto noting = [&](Tactic t) {
    t.emit = [&, name = t.name](const Problem& p, const Config&) {
      const std::lock_guard lock(mutex);
      emitted += name;
      return emit_reference(p);
    };
    return t;
  };
  Tactic compiled = noting(tactic("C", {"Relu"}));
  compiled.compiles = 0.01;
  const OwnTarget target({noting(tactic("p", {"Relu"})), compiled});
  TunerOptions options;
  options.iterations = 1;
  options.level = 3;
  Tuner(target, options).choose(c.problems);
  EXPECT_EQ(emitted.substr(0, 2), "CC");
  EXPECT_EQ(std::count(emitted.begin(), emitted.end(), 'p'), 2);
  emitted.clear();
  options.budget_seconds = 0;
  Tuner(target, options).choose(c.problems);
  EXPECT_EQ(emitted.substr(0, 2).find("CC"), std::string::npos) << emitted;
  emitted.clear();
  options.level = 0;
  Tuner(target, options).choose(c.problems);
  EXPECT_EQ(emitted, "");
}

// What a library compiles cannot be interrupted.
TEST(Tuner, CompilesNothingThatMayOutlastTheTimeLeft) {
  const Case c;
  std::atomic<int> emitted = 0;
  Tactic slow = tactic("slow", {"Relu"});
  slow.emit = [&](const Problem& p, const Config&) { return ++emitted, emit_reference(p); };
  slow.compiles = 20;
  const OwnTarget target({tactic("quick", {"Relu"}), slow});
  const auto left_out = [&](double budget, double limit) {
    LastLog log;
    TunerOptions options;
    options.iterations = 1;
    options.logger = &log;
    options.budget_seconds = budget;
    emitted = 0;
    const WorkScope scope({.name = "the build", .deadline = deadline_after(limit), .seconds = limit});
    const Choice choice = Tuner(target, options).choose(c.problems)[0];
    EXPECT_EQ(log.infos.find("slow is left out") != std::string::npos, emitted == 0) << log.infos;
    EXPECT_EQ(choice.tried.size(), emitted == 0 ? 1U : 2U);
    return emitted == 0;
  };
  EXPECT_TRUE(left_out(10, 1000));
  EXPECT_TRUE(left_out(1000, 10));
  EXPECT_FALSE(left_out(1000, 1000));
}

TEST(Tuner, ALibraryIsDisabledByItsNameAndATacticTriedFromItsLevelOn) {
  const Case c;
  Tactic own = tactic("own", {"Relu"}), theirs = tactic("theirs", {"Relu"}), rare = tactic("rare", {"Relu"});
  theirs.library = "library";
  rare.level = 5;
  const OwnTarget target({theirs, rare, own});
  const auto tried = [&](int level, std::set<std::string> disabled) {
    TunerOptions options;
    options.iterations = 1;
    options.level = level;
    options.disabled = std::move(disabled);
    const Choice choice = Tuner(target, options).choose(c.problems)[0];
    std::string names;
    for (const Tried& t : choice.tried) names += t.candidate.substr(0, t.candidate.find('.')) + " ";
    return names;
  };
  EXPECT_EQ(tried(5, {}), "theirs rare own ");
  EXPECT_EQ(tried(4, {}), "theirs own ");
  EXPECT_EQ(tried(5, {"library"}), "rare own ");
}

// What a tactic takes may depend on constants that the key of a problem leaves out.
TEST(Tuner, AChoiceForAnEqualProblemThatTheTacticDoesNotTakeIsMadeAnew) {
  const Case c(
      "graph main(%x: float32[4,8], %z: float32[4,8]) {\n  %a = Relu \"a\"(%x)\n  %b = Relu \"b\"(%z)\n  return %a, "
      "%b\n}");
  Tactic picky = tactic("picky", {"Relu"});
  picky.accepts = [](const Problem& p) { return p.node->name() == "a" ? accept() : refuse("its constant"); };
  const OwnTarget target({picky, tactic("other", {"Relu"})});
  TunerOptions options;
  options.level = 0;
  const std::vector<Choice> choices = Tuner(target, options).choose(c.problems);
  EXPECT_EQ(choices[0].tactic_name(), "picky");
  EXPECT_EQ(choices[1].tactic_name(), "other");
}

TEST(Tuner, AFailingCandidateIsLeftOut) {
  const Case c;
  Tactic bad = tactic("bad", {"Relu"}), good = tactic("good", {"Relu"});
  bad.emit = [](const Problem&, const Config&) -> Emitted { throw Error(Code::kUnsupported, "no"); };
  const OwnTarget target({bad, good});
  TunerOptions options;
  options.iterations = 1;
  const Choice choice = Tuner(target, options).choose(c.problems)[0];
  EXPECT_EQ(choice.tactic_name(), "good");
}

// By the timing cache, unless it was for lack of memory.
TEST(Tuner, WhatCannotBeMadeIsNotMadeAgain) {
  const Case c;
  for (const Code code : {Code::kUnsupported, Code::kExecution, Code::kOutOfMemory, Code::kIo, Code::kInternal}) {
    Tactic bad = tactic("bad", {"Relu"}), good = tactic("good", {"Relu"});
    std::atomic<int> tried = 0;
    bad.emit = [&](const Problem&, const Config&) -> Emitted {
      ++tried;
      throw Error(code, "no");
    };
    bad.compiles = 0.001;
    const OwnTarget target({bad, good});
    TimingCache cache(target.device().fingerprint());
    TunerOptions options;
    options.iterations = 1;
    options.cache = &cache;
    EXPECT_EQ(Tuner(target, options).choose(c.problems)[0].tactic_name(), "good");
    EXPECT_GT(tried, 0);
    tried = 0;
    TimingCache kept = TimingCache::parse(cache.serialize(), target.device().fingerprint());
    options.cache = &kept;
    const Choice choice = Tuner(target, options).choose(c.problems)[0];
    EXPECT_EQ(choice.tactic_name(), "good");
    EXPECT_EQ(choice.tried.size(), 1U);
    EXPECT_EQ(tried == 0, code == Code::kUnsupported || code == Code::kExecution);
    EXPECT_EQ(kept.fastest_of_tactics().size(), 1U);
  }
}

}  // namespace
}  // namespace kiln
