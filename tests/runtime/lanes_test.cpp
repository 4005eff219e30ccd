// Contexts whose steps run side by side: streams of the user, profilers, events, faults.
#include "plan/lanes.h"

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

constexpr const char* kBranches = R"(graph main(%x: float32[8,16]) {
  %w = random float32[16,16] seed 1
  %a = MatMul(%x, %w)
  %b0 = Softmax(%a)
  %b1 = MatMul(%b0, %w)
  %b2 = Softmax(%b1)
  %c0 = Tanh(%a)
  %c1 = MatMul(%c0, %w)
  %c2 = Softmax(%c1)
  %d0 = MatMul(%x, %w)
  %d1 = Softmax(%d0)
  %y = Concat(%b2, %c2, %d1) {axis=1}
  %z = Softmax(%y)
  return %z, %d1
})";

class LanesOfContexts : public ::testing::Test {
 protected:
  void SetUp() override {
    pretend::register_pretend();
    CompileOptions options = options_of("pretend", 0);
    options.max_aux_streams = 4;
    engine_ = reload(build(kBranches, options));
    ASSERT_GT(engine_->aux_streams(), 0u);
    pretend::watch_races(true);
  }
  void TearDown() override { pretend::watch_races(false); }
  void expect_right(Context& context) {
    const Tensor x = random_f32({8, 16}, 3);
    const std::vector<Tensor> actual = run(context, {x}), expected = reference(kBranches, {x});
    for (size_t i = 0; i < expected.size(); ++i) expect_close(actual[i], expected[i], std::to_string(i));
  }
  std::shared_ptr<Engine> engine_;
};

TEST_F(LanesOfContexts, StreamsOfTheUserAreUsedAsFarAsTheyGo) {
  const auto context = engine_->create_context();
  for (size_t count = 0; count <= engine_->aux_streams() + 1; ++count) {
    std::vector<std::unique_ptr<Stream>> streams;
    std::vector<Stream*> given;
    for (size_t i = 0; i < count; ++i) given.push_back(streams.emplace_back(engine_->device().create_stream()).get());
    context->set_aux_streams(given);
    const int64_t before = pretend::work_done();
    expect_right(*context);
    EXPECT_GT(pretend::work_done(), before);
    context->set_aux_streams({});
  }
  expect_right(*context);
}

TEST_F(LanesOfContexts, ManyInferencesBehindEachOther) {
  const auto context = engine_->create_context();
  const Tensor x = random_f32({8, 16}, 3);
  Bound bound = bind(*context, {x});
  const auto stream = engine_->device().create_stream();
  for (int i = 0; i < 20; ++i) throw_if_error(context->enqueue(*stream));
  throw_if_error(stream->synchronize());
  const std::vector<Tensor> expected = reference(kBranches, {x});
  for (size_t i = 0; i < expected.size(); ++i) expect_close(bound.results[i]->fetch(), expected[i], std::to_string(i));
}

// Layer times are those of layers that run alone.
TEST_F(LanesOfContexts, ProfiledStepsRunOneAfterAnother) {
  struct Times final : StepProfiler {
    void report(const plan::StepInfo&, double milliseconds) noexcept override { times.push_back(milliseconds); }
    std::vector<double> times;
  } times;
  const auto context = engine_->create_context();
  context->set_profiler(&times);
  expect_right(*context);
  EXPECT_EQ(times.times.size(), engine_->main().steps.size());
  for (double time : times.times) EXPECT_GE(time, 0);
  context->set_profiler(nullptr);
  expect_right(*context);
}

TEST_F(LanesOfContexts, ObserversSeeEveryResult) {
  const auto context = engine_->create_context();
  size_t seen = 0;
  context->set_observer([&](size_t, size_t, const Datum&) { ++seen; });
  expect_right(*context);
  EXPECT_GE(seen, engine_->main().steps.size());
}

// The event comes when lanes have read the input too: what is written over it then is not seen.
TEST_F(LanesOfContexts, InputsAreConsumedWhenAllLanesHaveReadThem) {
  const auto context = engine_->create_context();
  const Tensor x = random_f32({8, 16}, 3);
  Bound bound = bind(*context, {x});
  const auto stream = engine_->device().create_stream(), writer = engine_->device().create_stream();
  const auto consumed = engine_->device().create_event(false);
  context->set_input_consumed_event(consumed.get());
  throw_if_error(context->enqueue(*stream));
  throw_if_error(writer->wait(*consumed));
  throw_if_error(engine_->device().fill(*writer, bound.places[0]->address(), std::byte{0x7f}, 8 * 16 * 4));
  throw_if_error(writer->synchronize());
  throw_if_error(stream->synchronize());
  const std::vector<Tensor> expected = reference(kBranches, {x});
  for (size_t i = 0; i < expected.size(); ++i) expect_close(bound.results[i]->fetch(), expected[i], std::to_string(i));
}

TEST_F(LanesOfContexts, AfterAFaultTheNextInferenceIsRight) {
  const auto context = engine_->create_context();
  const Tensor x = random_f32({8, 16}, 3);
  Bound bound = bind(*context, {x});
  const auto stream = engine_->device().create_stream();
  pretend::lose_device(true);
  EXPECT_FALSE(context->enqueue(*stream).ok());
  pretend::lose_device(false);
  static_cast<void>(stream->synchronize());
  expect_right(*context);
}

// A capture that failed half way holds no stream back.
TEST_F(LanesOfContexts, CapturesEnd) {
  const auto context = engine_->create_context();
  const Tensor x = random_f32({8, 16}, 3);
  Bound bound = bind(*context, {x});
  const auto stream = engine_->device().create_stream();
  std::unique_ptr<Graph> graph;
  throw_if_error(stream->begin_capture());
  pretend::lose_device(true);
  EXPECT_FALSE(context->enqueue(*stream).ok());
  pretend::lose_device(false);
  static_cast<void>(stream->end_capture(graph));
  throw_if_error(stream->begin_capture());
  throw_if_error(context->enqueue(*stream));
  throw_if_error(stream->end_capture(graph));
  throw_if_error(graph->launch(*stream));
  throw_if_error(stream->synchronize());
  const std::vector<Tensor> expected = reference(kBranches, {x});
  for (size_t i = 0; i < expected.size(); ++i) expect_close(bound.results[i]->fetch(), expected[i], std::to_string(i));
  expect_right(*context);
}

// Where the host cannot keep several streams busy, what is queued runs in one, and what is captured in all.
TEST_F(LanesOfContexts, LanesOfCapturesAreNotForWhatIsQueued) {
  plan::Plan plan = engine_->plan();
  plan.lanes_in_captures = true;
  const auto engine = reload(plan);
  ASSERT_TRUE(engine->plan().lanes_in_captures);
  const auto context = engine->create_context();
  const Tensor x = random_f32({8, 16}, 3);
  Bound bound = bind(*context, {x});
  const auto stream = engine->device().create_stream();
  const auto pieces = [&](auto run) {
    const int64_t before = pretend::work_done();
    run();
    throw_if_error(stream->synchronize());
    return pretend::work_done() - before;
  };
  EXPECT_EQ(pieces([&] { throw_if_error(context->enqueue(*stream)); }),
            static_cast<int64_t>(engine->main().steps.size()));
  std::unique_ptr<Graph> graph;
  throw_if_error(stream->begin_capture());
  throw_if_error(context->enqueue(*stream));
  throw_if_error(stream->end_capture(graph));
  EXPECT_GT(graph->size(), engine->main().steps.size());  // events of lanes
  throw_if_error(graph->launch(*stream));
  throw_if_error(stream->synchronize());
  const std::vector<Tensor> expected = reference(kBranches, {x});
  for (size_t i = 0; i < expected.size(); ++i) expect_close(bound.results[i]->fetch(), expected[i], std::to_string(i));
}

TEST_F(LanesOfContexts, EngineWithOneLaneTakesNoStreams) {
  const auto engine = reload(build(kBranches, options_of("pretend", 0)));
  EXPECT_EQ(engine->aux_streams(), 0u);
  const auto context = engine->create_context();
  const auto stream = engine->device().create_stream();
  Stream* const given[] = {stream.get()};
  context->set_aux_streams(given);
  expect_right(*context);
}

}  // namespace
}  // namespace kiln::testing
