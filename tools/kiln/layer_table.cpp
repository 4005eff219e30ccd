// Profiles of layers, and the limits of the machine.
#include "layer_table.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "temporary.h"

namespace kiln::tool {
namespace {

// Milliseconds of one inference of a graph, the best of some.
double best_ms(const std::string& graph, int threads, const std::string& backend) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/limit.kir";
  write_text(path, graph);
  api::BuildOptions options;
  options.onnx = path;
  options.backend = backend;
  options.optimization_level = 2;
  options.max_threads = threads;
  const api::Engine engine = api::Engine::build(options);
  api::Session session = engine.create_session(threads);
  for (const api::IoTensor& io : of_kind(engine.io(), true))
    session.set_input(io.name, api::random_tensor(io.type, io.dims, 1));
  // Other work on the machine makes it slower, never faster.
  constexpr int kRuns = 200, kFewRuns = 8;
  constexpr double kEnoughMs = 400;
  double best = 0, spent = 0;
  for (int i = 0; i < kRuns && (i < kFewRuns || spent < kEnoughMs); ++i) {
    session.record_start();
    session.enqueue();
    const double ms = session.record_stop_ms();
    spent += ms;
    if (i == 1 || (i > 1 && ms < best)) best = ms;
  }
  return std::max(best, 1e-6);
}

}  // namespace

double Limits::least_ms(const api::LayerInfo& layer) const {
  const double compute = layer.flops > 0 && flops_per_s > 0 ? layer.flops / flops_per_s : 0;
  const double move = layer.bytes > 0 && bytes_per_s > 0 ? layer.bytes / bytes_per_s : 0;
  return 1e3 * std::max(compute, move);
}

Limits measure_limits(int threads, const std::string& backend) {
  constexpr double kSide = 1024, kLength = 1 << 24;
  const double product = best_ms(
      "graph main(%a: float32[1024,1024], %b: float32[1024,1024]) {\n"
      "  %y = MatMul \"product\"(%a, %b)\n  return %y\n}\n",
      threads, backend);
  const double sum = best_ms(
      "graph main(%a: float32[16777216], %b: float32[16777216]) {\n"
      "  %y = Add \"sum\"(%a, %b)\n  return %y\n}\n",
      threads, backend);
  return {2 * kSide * kSide * kSide / product * 1e3, 3 * 4 * kLength / sum * 1e3};
}

double LayerTimes::total() const { return std::accumulate(ms.begin(), ms.end(), 0.0); }

double LayerTimes::median() const {
  std::vector<double> sorted = ms;
  std::sort(sorted.begin(), sorted.end());
  return sorted.empty() ? 0 : sorted[sorted.size() / 2];
}

std::vector<LayerTimes> profile_layers(api::Session& session, const api::Engine& engine, int rounds) {
  std::vector<LayerTimes> layers;
  for (api::LayerInfo& layer : engine.layers()) layers.push_back({std::move(layer), {}});
  for (int i = 0; i < rounds; ++i) {
    const auto times = session.profile();
    for (size_t k = 0; k < std::min(times.size(), layers.size()); ++k) layers[k].ms.push_back(times[k].second);
  }
  return layers;
}

}  // namespace kiln::tool
