// Engines whose layers run side by side, on a GPU and on the pretend device: in plain streams and replayed, with what others leave behind.
#include "plan/lanes.h"
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// A block of Inception: four branches into one result, twice.
constexpr const char* kBlocks = R"(graph main(%x: float32[n,32,5,5]) {
  %w11 = random float32[16,32,1,1] seed 1
  %w33 = random float32[16,16,3,3] seed 2
  %w15 = random float32[32,64,1,1] seed 3
  %a0 = Conv(%x, %w11)
  %a1 = Relu(%a0)
  %b0 = Conv(%x, %w11)
  %b1 = Relu(%b0)
  %b2 = Conv(%b1, %w33) {pads=[1,1,1,1]}
  %b3 = Relu(%b2)
  %c0 = Conv(%x, %w11)
  %c1 = Relu(%c0)
  %c2 = Conv(%c1, %w33) {pads=[1,1,1,1]}
  %c3 = Relu(%c2)
  %c4 = Conv(%c3, %w33) {pads=[1,1,1,1]}
  %c5 = Relu(%c4)
  %d0 = MaxPool(%x) {kernel_shape=[3,3],pads=[1,1,1,1]}
  %d1 = Conv(%d0, %w11)
  %d2 = Relu(%d1)
  %j = Concat(%a1, %b3, %c5, %d2) {axis=1}
  %k0 = Conv(%j, %w15)
  %k1 = Relu(%k0)
  %e0 = Conv(%k1, %w11)
  %e1 = Softmax(%e0) {axis=1}
  %f0 = Conv(%k1, %w11)
  %f1 = Conv(%f0, %w33) {pads=[1,1,1,1]}
  %y = Concat(%e1, %f1) {axis=1}
  return %y, %d0
})";

class LanesOfEngines : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    pretend::register_pretend();
    std::string reason;
    if (!try_open_device(GetParam(), reason)) GTEST_SKIP() << reason;
  }
  std::shared_ptr<Engine> engine_with(int aux_streams) const {
    CompileOptions options = options_of(GetParam(), 0, {{{"x", {{1, 32, 5, 5}, {2, 32, 5, 5}, {3, 32, 5, 5}}}}});
    options.max_aux_streams = aux_streams;
    return reload(build(kBlocks, options));
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, LanesOfEngines, ::testing::Values("pretend", "cuda"),
                         [](const auto& device) { return std::string(device.param); });

// By the same kernels: bit for bit.
void expect_same(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected, const std::string& where) {
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(actual[i].identical(expected[i])) << where << " result " << i;
}

TEST_P(LanesOfEngines, ComputeTheSameQueuedAndReplayed) {
  const auto alone = engine_with(0), beside = engine_with(4);
  EXPECT_EQ(alone->aux_streams(), 0u);
  ASSERT_GT(beside->aux_streams(), 0u);
  const auto one = alone->create_context(), many = beside->create_context();
  for (int64_t n : {1, 3, 2}) {
    const Tensor x = random_f32({n, 32, 5, 5}, static_cast<uint64_t>(n));
    const std::vector<Tensor> expected = run(*one, {x});
    const std::string where = "batch " + std::to_string(n);
    for (int i = 0; i < 10; ++i) expect_same(run(*many, {x}), expected, where + " queued");
    Bound bound = bind(*many, {x});
    const auto stream = beside->device().create_stream();
    throw_if_error(many->enqueue(*stream));
    throw_if_error(stream->synchronize());
    std::unique_ptr<Graph> graph;
    throw_if_error(stream->begin_capture());
    for (int i = 0; i < 3; ++i) throw_if_error(many->enqueue(*stream));
    throw_if_error(stream->end_capture(graph));
    for (int i = 0; i < 10; ++i) {
      for (Placed* place : bound.results)
        throw_if_error(beside->device().fill(*stream, place->address(), std::byte{0x7f}, 64));
      throw_if_error(graph->launch(*stream));
      throw_if_error(stream->synchronize());
      expect_same({bound.results[0]->fetch(), bound.results[1]->fetch()}, expected, where + " replayed");
    }
  }
}

// Contexts have streams of their own, and those that are given are as good.
TEST_P(LanesOfEngines, ContextsAtOnce) {
  const auto beside = engine_with(4);
  const Tensor x = random_f32({2, 32, 5, 5}, 5);
  const std::vector<Tensor> expected = run(*engine_with(0)->create_context(), {x});
  struct Each {
    std::unique_ptr<Context> context;
    Bound bound;
    std::unique_ptr<Stream> stream;
    std::vector<std::unique_ptr<Stream>> own;
  };
  std::vector<Each> all(3);
  for (Each& each : all) {
    each.context = beside->create_context();
    each.bound = bind(*each.context, {x});
    each.stream = beside->device().create_stream();
    std::vector<Stream*> given;
    for (size_t i = 0; &each != &all[0] && i < 2; ++i)
      given.push_back(each.own.emplace_back(beside->device().create_stream()).get());
    each.context->set_aux_streams(given);
  }
  for (int i = 0; i < 20; ++i)
    for (Each& each : all) throw_if_error(each.context->enqueue(*each.stream));
  for (Each& each : all) {
    throw_if_error(each.stream->synchronize());
    expect_same({each.bound.results[0]->fetch(), each.bound.results[1]->fetch()}, expected, "a context");
  }
}

}  // namespace
}  // namespace kiln::testing
