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

constexpr double kSide = 1024;  // of the matrices that are multiplied

double product_flops(const std::string& type, const std::string& op, int threads, const std::string& backend) {
  const double ms = best_ms("graph main(%a: " + type + "[1024,1024], %b: " + type + "[1024,1024]) {\n  %y = " + op +
                                " \"product\"(%a, %b)\n  return %y\n}\n",
                            threads, backend);
  return 2 * kSide * kSide * kSide / ms * 1e3;
}

// Of what the layer reads first.
std::string type_read(const api::LayerInfo& layer) {
  return layer.inputs.empty() ? "" : type_told(layer.inputs.front());
}

std::map<std::string, double> rates_told(const std::string& backend) {
  for (const api::DeviceInfo& d : api::list_devices())
    if (d.backend == backend && d.missing.empty()) return d.operations_per_second;
  return {};
}

}  // namespace

std::string type_told(const std::string& operand) {
  const size_t end = operand.rfind('['), begin = operand.rfind(' ', end);
  return end == std::string::npos || begin == std::string::npos ? "" : operand.substr(begin + 1, end - begin - 1);
}

double Limits::least_ms(const api::LayerInfo& layer) const {
  const auto other = flops_in.find(type_read(layer));
  const double rate = other == flops_in.end() ? flops_per_s : other->second;
  const double compute = layer.flops > 0 && rate > 0 ? layer.flops / rate : 0;
  const double move = layer.bytes > 0 && bytes_per_s > 0 ? layer.bytes / bytes_per_s : 0;
  return 1e3 * std::max(compute, move);
}

Limits measure_limits(int threads, const std::string& backend, const std::vector<api::LayerInfo>& layers) {
  constexpr double kLength = 1 << 24;
  const double sum = best_ms(
      "graph main(%a: float32[16777216], %b: float32[16777216]) {\n"
      "  %y = Add \"sum\"(%a, %b)\n  return %y\n}\n",
      threads, backend);
  Limits limits{product_flops("float32", "MatMul", threads, backend), 3 * 4 * kLength / sum * 1e3};
  const std::map<std::string, double> told = rates_told(backend);
  for (const api::LayerInfo& layer : layers) {
    const std::string type = type_read(layer);
    if (layer.flops <= 0 || limits.flops_in.count(type)) continue;
    if (const auto rate = told.find(type); rate != told.end()) limits.flops_in[type] = rate->second;
    else if (type == "int8" || type == "uint8")
      limits.flops_in[type] = product_flops("int8", "MatMulInteger", threads, backend);  // the faster of both
  }
  return limits;
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
