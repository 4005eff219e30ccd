// What `kiln bench` prints and writes beside its report: layers, profiles, outputs, times, traces.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "bench.h"
#include "layer_table.h"

namespace kiln::tool {

using Json = nlohmann::ordered_json;

void write_json(const std::string& path, const Json& json) {
  write_text(path, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

void show_layers(const api::Engine& engine) {
  for (const auto& l : engine.layers())
    say(api::Level::kInfo, fmt::format("{} [{}] {}/{}: {} -> {}", l.name, l.op, l.backend, l.tactic,
                                       join(l.inputs, ", "), join(l.outputs, ", ")));
}

namespace {

// Left of trtexec's columns: operator, tactic, what they reach, and the share of what this machine can.
class WorkColumns {
 public:
  WorkColumns(const std::vector<LayerTimes>& layers, bool shown, int threads, const std::string& backend)
      : shown_(shown) {
    if (!shown) return;
    std::vector<api::LayerInfo> infos;
    for (const LayerTimes& l : layers) {
      infos.push_back(l.layer);
      op_ = std::max(op_, l.layer.op.size());
      tactic_ = std::max(tactic_, l.layer.tactic.size());
    }
    limits_ = measure_limits(threads, backend, infos);
    std::string others;
    for (const auto& [type, rate] : limits_.flops_in) others += fmt::format("{:.4g} in {}, ", rate / 1e9, type);
    say(api::Level::kInfo, fmt::format("This device: {:.4g} GFLOP/s in float32 products, {}{:.4g} GB/s in sums",
                                       limits_.flops_per_s / 1e9, others, limits_.bytes_per_s / 1e9));
  }
  std::string head() const {
    return shown_ ? fmt::format("{:<{}} {:<{}} {:>9} {:>7} {:>8}", "Operator", op_, "Tactic", tactic_, "GFLOP/s",
                                "GB/s", "of limit")
                  : "";
  }
  std::string row(const LayerTimes& l) const {
    if (!shown_) return "";
    const double ms = l.median(), least = limits_.least_ms(l.layer);
    const auto rate = [&](double amount) {
      return ms > 0 && amount >= 0 ? fmt::format("{:.1f}", amount / ms / 1e6) : "-";
    };
    return fmt::format("{:<{}} {:<{}} {:>9} {:>7} {:>8}", l.layer.op, op_, l.layer.tactic, tactic_, rate(l.layer.flops),
                       rate(l.layer.bytes), least > 0 && ms > 0 ? fmt::format("{:.0f} %", 100 * least / ms) : "-");
  }
  std::string blank() const { return std::string(head().size(), ' '); }

 private:
  bool shown_;
  Limits limits_;
  size_t op_ = 8, tactic_ = 6;
};

void print_profile(std::vector<LayerTimes> layers, const BenchOptions& o, const std::string& backend, double total) {
  const auto info = api::Level::kInfo;
  const auto share = [&](double ms) { return total > 0 ? 100 * ms / total : 0; };
  const WorkColumns work(layers, !o.as_trtexec, o.build.threads, backend);
  if (o.profile_order == "time")
    std::stable_sort(layers.begin(), layers.end(), [](const auto& a, const auto& b) { return a.total() > b.total(); });
  say(info, fmt::format("=== Profile ({} iterations) ===", o.iterations));
  say(info, work.head() + "   Time(ms)     Avg.(ms)   Median(ms)   Time(%)   Layer");
  for (const LayerTimes& l : layers)
    say(info, fmt::format("{}{:11.3f} {:12.5f} {:12.5f} {:9.1f}   {}", work.row(l), l.total(), l.average(), l.median(),
                          share(l.total()), l.layer.name));
  say(info,
      fmt::format("{}{:11.3f} {:12.5f} {:>12} {:9.1f}   Total", work.blank(), total, total / o.iterations, "", 100.0));
}

}  // namespace

void show_profile(api::Session& session, const api::Engine& engine, const BenchOptions& o) {
  const auto layers = profile_layers(session, engine, o.iterations);
  double total = 0;
  for (const LayerTimes& l : layers) total += l.total();
  if (o.dump_profile) print_profile(layers, o, engine.backend(), total);
  if (o.export_profile.empty()) return;
  Json json = {{{"count", o.iterations}}};
  for (const LayerTimes& l : layers)
    json.push_back({{"name", l.layer.name},
                    {"timeMs", l.total()},
                    {"averageMs", l.average()},
                    {"medianMs", l.median()},
                    {"percentage", total > 0 ? 100 * l.total() / total : 0}});
  write_json(o.export_profile, json);
}

void export_times(const std::vector<Sample>& samples, const std::string& path) {
  Json json = Json::array();
  for (const Sample& s : samples) {
    const api::InferenceTimes& t = s.times;
    const double uploaded = s.start + t.upload, computed = uploaded + t.compute, downloaded = computed + t.download;
    json.push_back({{"startEnqMs", s.start},
                    {"endEnqMs", s.queued},
                    {"startH2dMs", s.start},
                    {"endH2dMs", uploaded},
                    {"startComputeMs", uploaded},
                    {"endComputeMs", computed},
                    {"startD2hMs", computed},
                    {"endD2hMs", downloaded},
                    {"h2dMs", t.upload},
                    {"computeMs", t.compute},
                    {"d2hMs", t.download},
                    {"latencyMs", s.latency()}});
  }
  write_json(path, json);
}

void outputs(api::Session& session, const api::Engine& engine, const BenchOptions& o) {
  Json json = Json::array();
  for (const api::IoTensor& io : engine.io()) {
    if (io.is_input) continue;
    const api::HostTensor t = session.output(io.name);
    std::vector<double> values(static_cast<size_t>(api::element_count(t)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = api::element(t, static_cast<int64_t>(i));
    if (o.dump_output) {
      std::string text;
      for (double v : values) text += fmt::format(" {:g}", v);
      say(api::Level::kInfo, fmt::format("{} ({}):{}", io.name, shape_text(t.dims), text));
    }
    json.push_back({{"name", io.name}, {"dimensions", shape_text(t.dims)}, {"values", values}});
  }
  if (!o.export_output.empty()) write_json(o.export_output, json);
}

namespace {

constexpr int kBuildProcess = 1, kRunProcess = 2;

Json event(const std::string& name, int process, int thread, double begin_ms, double ms) {
  return {{"name", name}, {"ph", "X"}, {"pid", process}, {"tid", thread}, {"ts", 1e3 * begin_ms}, {"dur", 1e3 * ms}};
}

Json named(const char* what, const std::string& name, int process, int thread) {
  return {{"name", what}, {"ph", "M"}, {"pid", process}, {"tid", thread}, {"args", {{"name", name}}}};
}

// Milliseconds at which the profiled inference began, and its layers in order.
struct Profiled {
  double begin = 0;
  std::vector<std::pair<std::string, double>> layers;
  std::string failure;  // not empty: there are no layers
};

std::vector<Profiled> profile_all(std::vector<api::Session>& sessions, double begin) {
  std::vector<Profiled> all(sessions.size());
  std::vector<std::thread> threads;
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < sessions.size(); ++i)
    threads.emplace_back([&, i] {
      all[i].begin =
          begin + std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
      try {
        all[i].layers = sessions[i].profile();
      } catch (const std::exception& e) {
        all[i].failure = e.what();
      }
    });
  for (std::thread& t : threads) t.join();
  for (size_t i = 0; i < all.size(); ++i)
    if (!all[i].failure.empty())
      log(api::Level::kWarning, fmt::format("the trace has no layers of stream {}: {}", i, all[i].failure));
  return all;
}

}  // namespace

void export_trace(const std::vector<Sample>& samples, std::vector<api::Session>& sessions, const api::Engine& engine,
                  const BenchOptions& o) {
  Json events = Json::array();
  double run = 0, last = 0;
  if (o.build.events && !o.build.events->empty()) {
    events.push_back(named("process_name", "build", kBuildProcess, 0));
    for (const BuildFlags::Event& e : *o.build.events)
      events.push_back(event(e.name, kBuildProcess, 0, e.begin_ms, e.end_ms - e.begin_ms));
    run = o.build.events->back().end_ms;
  }
  events.push_back(named("process_name", "inference", kRunProcess, 0));
  for (size_t i = 0; i < sessions.size(); ++i)
    events.push_back(named("thread_name", fmt::format("stream {}", i), kRunProcess, static_cast<int>(i)));
  for (const Sample& s : samples) {
    events.push_back(event("inference", kRunProcess, s.stream, run + s.start, s.latency()));
    last = std::max(last, s.done);
  }
  const auto layers = engine.layers();
  const auto profiled = profile_all(sessions, run + last + 1);
  for (size_t i = 0; i < profiled.size(); ++i) {
    double at = profiled[i].begin;
    for (size_t k = 0; k < profiled[i].layers.size(); ++k) {
      const auto& [name, ms] = profiled[i].layers[k];
      Json e = event(name, kRunProcess, static_cast<int>(i), at, ms);
      if (k < layers.size())
        e["args"] = {
            {"operator", layers[k].op}, {"tactic", layers[k].tactic}, {"origins", join(layers[k].origins, ", ")}};
      events.push_back(std::move(e));
      at += ms;
    }
  }
  write_json(o.export_trace, {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}});
}

}  // namespace kiln::tool
