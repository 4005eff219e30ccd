// Which steps run side by side, and that what they compute is what they compute one after another.
#include "compiler/lanes.h"

#include <random>
#include <set>

#include "compiler/engine_testing.h"
#include "plan/lanes.h"

namespace kiln::testing {
namespace {

// A program of steps of the device, by what each reads: step i writes tensor i.
class Made {
 public:
  size_t step(const std::vector<size_t>& reads, double milliseconds = 1, double share = 0.1) {
    plan::StepInfo info;
    info.device = "gpu";
    info.kernel = "kernel";
    for (size_t t : reads) info.inputs.push_back(static_cast<int32_t>(t));
    info.outputs = {static_cast<int32_t>(program.tensors.size())};
    plan::TensorInfo made;
    made.dtype = DType::kF32;
    made.storage = plan::Storage::kArena;
    program.tensors.push_back(made);
    program.steps.push_back(info);
    details.push_back({.milliseconds = milliseconds, .share = share});
    return program.steps.size() - 1;
  }
  // Steps behind each other.
  size_t chain(size_t from, int length, double milliseconds = 1, double share = 0.1) {
    for (int i = 0; i < length; ++i) from = step({from}, milliseconds, share);
    return from;
  }
  std::set<uint32_t> lanes(LaneOptions options = {.most = 4, .edge = 0.1, .least_gain = 0.03}) {
    plan.device = "gpu";
    plan.device_memory = true;
    assign_lanes(program, details, {}, plan, options);
    std::set<uint32_t> used;
    for (const plan::StepInfo& s : program.steps) used.insert(s.lane);
    return used;
  }
  std::vector<uint32_t> after(size_t i) const { return program.steps[i].after; }

  plan::Program program;
  std::vector<StepDetail> details;
  plan::Plan plan;
};

using Used = std::set<uint32_t>;

TEST(AssignLanes, IndependentChainsRunSideBySide) {
  Made made;
  const size_t start = made.step({}), one = made.chain(start, 3), other = made.chain(start, 3),
               end = made.step({one, other});
  EXPECT_EQ(made.lanes(), Used({0, 1}));
  const auto lane = [&](size_t i) { return made.program.steps[i].lane; };
  EXPECT_EQ(lane(start), 0u);
  EXPECT_EQ(lane(end), 0u);
  EXPECT_NE(lane(one), lane(other));
  size_t waits = 0;
  for (size_t i = 0; i < made.program.steps.size(); ++i) waits += made.after(i).size();
  EXPECT_EQ(waits, 2u);  // the fork and the join
  EXPECT_EQ(made.after(end).size(), 1u);
}

TEST(AssignLanes, AChainStaysInOne) {
  Made made;
  made.chain(made.step({}), 10);
  EXPECT_EQ(made.lanes(), Used({0}));
}

TEST(AssignLanes, StepsThatTakeTheWholeDeviceStayInOne) {
  Made made;
  const size_t start = made.step({}), one = made.chain(start, 3, 1, 0.8), other = made.chain(start, 3, 1, 0.8);
  made.step({one, other});
  EXPECT_EQ(made.lanes(), Used({0}));
}

TEST(AssignLanes, SmallStepsRunBesideALargeOneAsFarAsThereIsRoom) {
  Made made;
  const size_t start = made.step({}), one = made.step({start}, 3, 0.7), other = made.chain(start, 3, 1, 0.3);
  made.step({one, other});
  EXPECT_EQ(made.lanes(), Used({0, 1}));
}

TEST(AssignLanes, StepsShorterThanAWaitStayInOne) {
  Made made;
  const size_t start = made.step({}), one = made.chain(start, 3, 0.01), other = made.chain(start, 3, 0.01);
  made.step({one, other});
  EXPECT_EQ(made.lanes(), Used({0}));
}

TEST(AssignLanes, AGainThatIsLostInTheWholeIsNone) {
  Made made;
  const size_t start = made.chain(made.step({}), 100), one = made.step({start}), other = made.step({start});
  made.step({one, other});
  EXPECT_EQ(made.lanes(), Used({0}));
  EXPECT_EQ(made.lanes({.most = 4, .edge = 0.1, .least_gain = 0}), Used({0, 1}));
}

TEST(AssignLanes, NoMoreThanAreAllowed) {
  for (const uint32_t most : {1u, 2u, 3u}) {
    Made made;
    const size_t start = made.step({});
    std::vector<size_t> ends;
    for (int i = 0; i < 6; ++i) ends.push_back(made.chain(start, 2));
    made.step(ends);
    EXPECT_EQ(made.lanes({.most = most, .edge = 0.1}).size(), most);
  }
}

TEST(AssignLanes, WhatTakesTheHostStaysInTheStreamOfTheUser) {
  for (int kind = 0; kind < 4; ++kind) {
    Made made;
    const size_t start = made.step({}), one = made.chain(start, 3), other = made.chain(start, 3);
    made.step({one, other});
    for (size_t i : {one, other}) {
      plan::StepInfo& step = made.program.steps[i];
      if (kind == 0) step.device = "", step.kernel = plan::kToHost;
      if (kind == 1) step.device = "host";
      if (kind == 2) step.waits = true;
      if (kind == 3) nth(made.program.tensors, step.outputs[0]).storage = plan::Storage::kSlot;
    }
    made.lanes();
    EXPECT_EQ(made.program.steps[one].lane, 0u) << kind;
    EXPECT_EQ(made.program.steps[other].lane, 0u) << kind;
  }
}

TEST(AssignLanes, NoneBesideBranchesAndLoops) {
  Made made;
  const size_t start = made.step({}), one = made.chain(start, 3), other = made.chain(start, 3);
  made.step({one, other});
  made.program.steps.back().bodies = {1};
  EXPECT_EQ(made.lanes(), Used({0}));
}

TEST(AssignLanes, NobodyWaitsForWhatIsKnownToHaveEnded) {
  Made made;
  const size_t start = made.step({}), one = made.chain(start, 2, 3), other = made.chain(start, 6),
               join = made.step({one, other});
  made.step({join, one, other, start});
  EXPECT_EQ(made.lanes(), Used({0, 1}));
  EXPECT_TRUE(made.after(join + 1).empty());
}

// Random graphs of small steps on the pretend device, whose streams run by themselves.
class RandomGraph {
 public:
  explicit RandomGraph(uint32_t seed) : rng_(seed) {
    text_ = "graph main(%x: float32[2,8,6]) {\n";
    values_ = {"%x"};
    const int count = 6 + draw(14);
    for (int i = 0; i < count; ++i) step(i);
    text_ += "  return %v" + std::to_string(count - 1);
    for (const std::string& v : values_)
      if (draw(6) == 0 && v != "%x" && v != "%v" + std::to_string(count - 1)) text_ += ", " + v;
    text_ += "\n}";
  }
  const std::string& text() const { return text_; }

 private:
  int draw(int n) { return static_cast<int>(rng_() % static_cast<uint32_t>(n)); }
  // Mostly an early one: branches, not a chain.
  const std::string& any() {
    return values_[static_cast<size_t>(draw(2) ? draw(static_cast<int>(values_.size()))
                                               : static_cast<int>(values_.size()) / 2)];
  }
  void step(int i) {
    const std::string to = "%v" + std::to_string(i), n = std::to_string(i);
    switch (draw(7)) {
      case 0: text_ += "  " + to + " = Add(" + any() + ", " + any() + ")\n"; break;
      case 1: text_ += "  " + to + " = Tanh(" + any() + ")\n"; break;
      case 2:
        text_ +=
            "  %w" + n + " = random float32[6,6] seed " + n + "\n  " + to + " = MatMul(" + any() + ", %w" + n + ")\n";
        break;
      case 3:
        text_ += "  %s" + n + " = constant int64[2]:{4,4}\n  %p" + n + ", %q" + n + " = Split(" + any() + ", %s" + n +
                 ") {axis=1}\n  %r" + n + " = Softmax(%q" + n + ")\n  " + to + " = Concat(%r" + n + ", %p" + n +
                 ") {axis=1}\n";
        break;
      case 4:
        text_ +=
            "  %k" + n + " = constant int64[]:{1}\n  " + to + " = CumSum(" + any() + ", %k" + n + ")\n";  // on the host
        break;
      case 5:
        text_ += "  %a" + n + " = constant int64[1]:{1}\n  %c" + n + " = Concat(" + any() + ", " + any() +
                 ") {axis=1}\n  %t" + n + " = ReduceMean(%c" + n + ", %a" + n + ") {keepdims=1}\n  " + to + " = Sub(" +
                 any() + ", %t" + n + ")\n";
        break;
      default: text_ += "  " + to + " = Softmax(" + any() + ")\n";
    }
    values_.push_back(to);
  }

  std::mt19937 rng_;
  std::string text_;
  std::vector<std::string> values_;
};

CompileOptions lanes_of(int most) {
  CompileOptions options = options_of("pretend", 0);
  options.max_aux_streams = most;
  return options;
}

// What a program queues again and again, replayed.
std::vector<Tensor> replay(Context& context, std::vector<Tensor> inputs) {
  Bound bound = bind(context, std::move(inputs));
  const auto stream = context.engine().device().create_stream();
  throw_if_error(stream->begin_capture());
  const Status queued = context.enqueue(*stream);
  std::unique_ptr<Graph> graph;
  throw_if_error(stream->end_capture(graph));
  throw_if_error(queued);
  for (int i = 0; i < 2; ++i) throw_if_error(graph->launch(*stream));
  throw_if_error(stream->synchronize());
  for (size_t i = 0; i < bound.outputs.size(); ++i) bound.outputs[i] = bound.results[i]->fetch();
  return bound.outputs;
}

struct WatchRaces {
  WatchRaces() { pretend::watch_races(true); }
  ~WatchRaces() { pretend::watch_races(false); }
};

TEST(Lanes, RandomGraphsComputeTheSame) {
  pretend::register_pretend();
  size_t with_lanes = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const std::string text = RandomGraph(seed).text();
    const Tensor x = random_f32({2, 8, 6}, seed);
    const std::vector<Tensor> expected = reference(text, {x});
    const auto engine = reload(build(text, lanes_of(1 + static_cast<int>(seed % 7))));
    with_lanes += engine->aux_streams() > 0;
    const auto context = engine->create_context();
    const WatchRaces watch;
    for (int round = 0; round < 5; ++round) {
      context->set_side_by_side(round != 3);
      std::vector<Tensor> actual;
      const bool replays = round == 4 && !engine->capture_blocker();
      ASSERT_NO_THROW(actual = replays ? replay(*context, {x}) : run(*context, {x})) << seed << "\n" << text;
      for (size_t i = 0; i < expected.size(); ++i)
        expect_close(actual[i], expected[i], "seed " + std::to_string(seed) + " round " + std::to_string(round));
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(with_lanes, 30u);
}

constexpr const char* kBranches = R"(graph main(%x: float32[n,16,12]) {
  %w = random float32[12,12] seed 1
  %a = MatMul(%x, %w)
  %b0 = Softmax(%a)
  %b1 = MatMul(%b0, %w)
  %b2 = Softmax(%b1)
  %c0 = Tanh(%a)
  %c1 = MatMul(%c0, %w)
  %c2 = Softmax(%c1)
  %d0 = MatMul(%a, %w)
  %y = Concat(%b2, %c2, %d0) {axis=1}
  %z = Softmax(%y)
  return %z, %d0
})";

TEST(Lanes, ShapesChange) {
  pretend::register_pretend();
  CompileOptions options = lanes_of(4);
  options.profiles = {{{"x", {{1, 16, 12}, {2, 16, 12}, {4, 16, 12}}}}};
  const auto engine = reload(build(kBranches, options));
  ASSERT_GT(engine->aux_streams(), 0u);
  const auto context = engine->create_context();
  const WatchRaces watch;
  for (int64_t n : {1, 4, 2, 4, 3}) {
    const Tensor x = random_f32({n, 16, 12}, 7);
    const std::vector<Tensor> actual = run(*context, {x}), expected = reference(kBranches, {x});
    for (size_t i = 0; i < expected.size(); ++i) expect_close(actual[i], expected[i], std::to_string(n));
  }
}

TEST(Lanes, WatchedRacesAreFound) {
  pretend::register_pretend();
  CompileOptions options = lanes_of(4);
  options.profiles = {{{"x", {{1, 16, 12}, {2, 16, 12}, {4, 16, 12}}}}};
  const plan::Plan plan = build(kBranches, options);
  size_t waits = 0;
  for (size_t i = 0; i < plan.programs[0].steps.size(); ++i) {
    if (plan.programs[0].steps[i].after.empty()) continue;
    ++waits;
    plan::Plan damaged = plan;
    damaged.programs[0].steps[i].after.clear();
    EXPECT_THROW(plan::verify(damaged), Error) << i;
  }
  EXPECT_GT(waits, 1u);
}

TEST(Lanes, NoneWhereNobodyAskedAndNothingIsMeasured) {
  pretend::register_pretend();
  CompileOptions options = lanes_of(-1);
  options.profiles = {{{"x", {{1, 16, 12}, {2, 16, 12}, {4, 16, 12}}}}};
  EXPECT_EQ(plan::lane_count(build(kBranches, options).programs[0].steps), 1u);
  options.max_aux_streams = 0;
  options.tuner.level = 3;
  EXPECT_EQ(plan::lane_count(build(kBranches, options).programs[0].steps), 1u);
  options.target = "cpu";
  options.max_aux_streams = 4;
  EXPECT_EQ(plan::lane_count(build(kBranches, options).programs[0].steps), 1u);
}

}  // namespace
}  // namespace kiln::testing
