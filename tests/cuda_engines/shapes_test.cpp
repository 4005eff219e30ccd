// What the first inference of a new shape costs, beside those of the shape that follow: on a GPU, and on the pretend device, whose times are
// only shown.
#include <chrono>
#include <cmath>
#include <cstdio>

#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

class ShapesOfEngines : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    pretend::register_pretend();
    std::string reason;
    if (!try_open_device(GetParam(), reason)) GTEST_SKIP() << reason;
  }
  bool is_gpu() const { return std::string_view(GetParam()) == "cuda"; }
};
INSTANTIATE_TEST_SUITE_P(Devices, ShapesOfEngines, ::testing::Values("pretend", "cuda"),
                         [](const auto& device) { return std::string(device.param); });

double distance(const Tensor& got, const Tensor& want) {
  double difference = 0, norm = 0;
  for (int64_t k = 0; k < want.size(); ++k) {
    difference += std::pow(got.at(k) - want.at(k), 2);
    norm += std::pow(want.at(k), 2);
  }
  return std::sqrt(difference / norm);
}

// The first inference of each shape, and those of the shape that follow.
struct Visits {
  double first = 0, others = 0;                // milliseconds until the results are there, medians over all shapes
  double first_queued = 0, others_queued = 0;  // of the host, until all is queued
  double slowest = 0;                          // of the first, until its results are there
};

// In a context whose buffers are those of the largest shapes.
Visits visit(Context& context, Stream& stream, const std::vector<std::vector<Dims>>& shapes, int visits) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  const auto median = [](std::vector<double> times) {
    std::nth_element(times.begin(), times.begin() + std::ssize(times) / 2, times.end());
    return times[times.size() / 2];
  };
  std::vector<double> all[4];
  for (const std::vector<Dims>& dims : shapes) {
    std::vector<double> times[2];
    for (int i = 0; i < visits; ++i) {
      const auto start = Clock::now();
      for (size_t k = 0; k < dims.size() && i == 0; ++k)
        throw_if_error(context.set_input_dims(context.engine().main().inputs[k], dims[k]));
      throw_if_error(context.enqueue(stream));
      const double queued = since(start);
      throw_if_error(stream.synchronize());
      const double done = since(start);
      if (i == 0) all[0].push_back(done), all[2].push_back(queued);
      else times[0].push_back(done), times[1].push_back(queued);
    }
    all[1].push_back(median(times[0]));
    all[3].push_back(median(times[1]));
  }
  return {median(all[0]), median(all[1]), median(all[2]), median(all[3]),
          *std::max_element(all[0].begin(), all[0].end())};
}

// The stack of a BERT of that many layers, whose batch and length only running tells.
std::string encoder(int layers) {
  std::string text = "graph main(%x: float16[n,s,256], %mask: bool[n,1,1,s]) {\n  %c = constant float16[]:{0.05}\n";
  const std::vector<std::pair<std::string, std::string>> weights{
      {"q", "256,256"}, {"k", "256,256"}, {"v", "256,256"}, {"o", "256,256"}, {"u", "256,1024"}, {"d", "1024,256"}};
  int seed = 1;
  for (const auto& [name, dims] : weights) {
    text += "  %r" + name + " = random float16[" + dims + "] seed " + std::to_string(seed++) + "\n";
    text += "  %w" + name + " = Mul(%r" + name + ", %c)\n";
  }
  text +=
      "  %g = random float16[256] seed 20\n  %b = random float16[256] seed 21\n  %bu = random float16[1024] seed 22\n";
  std::string x = "%x";
  for (int i = 0; i < layers; ++i) {
    const std::string n = std::to_string(i);
    const auto line = [&](const std::string& to, const std::string& is) { text += "  %" + to + n + " = " + is + "\n"; };
    const auto at = [&](const std::string& name) { return "%" + name + n; };
    for (const std::string& name : {std::string("q"), std::string("k"), std::string("v")}) {
      line("p" + name, "MatMul(" + x + ", %w" + name + ")");
      line(name, "Add(" + at("p" + name) + ", %b)");
    }
    line("t", "Attention(" + at("q") + ", " + at("k") + ", " + at("v") + ", %mask) {q_num_heads=4,kv_num_heads=4}");
    line("po", "MatMul(" + at("t") + ", %wo)");
    line("so", "Add(" + at("po") + ", " + x + ")");
    line("no", "LayerNormalization(" + at("so") + ", %g, %b) {axis=-1}");
    line("pu", "MatMul(" + at("no") + ", %wu)");
    line("su", "Add(" + at("pu") + ", %bu)");
    line("eu", "Gelu(" + at("su") + ")");
    line("pd", "MatMul(" + at("eu") + ", %wd)");
    line("sd", "Add(" + at("pd") + ", " + at("no") + ")");
    line("nd", "LayerNormalization(" + at("sd") + ", %g, %b) {axis=-1}");
    x = at("nd");
  }
  return text + "  return " + x + "\n}";
}

// New shapes cost at most as much again, by our kernels, and by a library's, whose algorithms are those of the build.
TEST_P(ShapesOfEngines, NewOnesCostAtMostTwiceAsMuch) {
  constexpr int64_t kMostRows = 4, kMostTokens = 128;
  const std::string text = encoder(is_gpu() ? 12 : 1);
  for (const bool by_library : {false, true}) {
    if (by_library && !is_gpu()) return;
    CompileOptions options = options_of(GetParam(), 0,
                                        {{{"x", {{1, 8, 256}, {2, 64, 256}, {kMostRows, kMostTokens, 256}}},
                                          {"mask", {{1, 1, 1, 8}, {2, 1, 1, 64}, {kMostRows, 1, 1, kMostTokens}}}}});
    if (by_library)
      options.tuner.disabled = {"skinny",   "product_wgmma", "conv_wgmma",   "conv_stream",
                                "conv_mma", "product_any",   "product_plain"};
    const plan::Plan plan = build(text, options);
    const auto is_library = [](const plan::StepInfo& s) { return s.kernel == "cublaslt"; };
    const auto steps = std::span(plan.programs[0].steps);
    if (by_library && std::none_of(steps.begin(), steps.end(), is_library)) {
      std::printf("%s: left out: no product is by the library\n", GetParam());
      return;
    }
    const auto engine = reload(plan);
    const auto context = engine->create_context();
    const auto inputs = [](int64_t n, int64_t s) {
      Tensor mask = Tensor::allocate(DType::kBool, {n, 1, 1, s});
      std::fill_n(static_cast<bool*>(mask.mutable_data()), n * s, true);
      return std::vector<Tensor>{random_f32({n, s, 256}, 5).cast(DType::kF16), mask};
    };
    const Bound bound = bind(*context, inputs(kMostRows, kMostTokens));
    const auto stream = engine->device().create_stream();
    for (int i = 0; i < (is_gpu() ? 10 : 1); ++i) throw_if_error(context->enqueue(*stream));
    throw_if_error(stream->synchronize());
    std::vector<std::vector<Dims>> shapes;
    for (int64_t i = 0; i < (is_gpu() ? 20 : 2); ++i) {
      const int64_t n = 1 + i % kMostRows, s = 9 + 6 * i - i % 3;
      shapes.push_back({{n, s, 256}, {n, 1, 1, s}});
    }
    const Visits v = visit(*context, *stream, shapes, is_gpu() ? 10 : 2);
    std::printf(
        "%s, %zu steps%s: new shapes %.3f ms (queued in %.3f, the slowest %.3f), then %.3f ms (%.3f): %.2f times "
        "(%.2f)\n",
        GetParam(), steps.size(), by_library ? " by the library" : "", v.first, v.first_queued, v.slowest, v.others,
        v.others_queued, v.first / v.others, v.first_queued / v.others_queued);
    if (is_gpu()) {
      EXPECT_LE(v.first, 2 * v.others);
    }
    const std::vector<Tensor> in = inputs(3, 21);
    EXPECT_LE(distance(run(*context, in)[0], reference(text, in)[0]), 3e-2);
  }
}

}  // namespace
}  // namespace kiln::testing
