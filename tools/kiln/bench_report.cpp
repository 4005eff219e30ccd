// The report of `kiln bench`: trtexec's lines, in words that fit the device.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bench.h"

namespace kiln::tool {
namespace {

std::string line(const std::string& title, const Summary& s, const std::vector<double>& percents) {
  std::string text = fmt::format("{}: min = {:.6g} ms, max = {:.6g} ms, mean = {:.6g} ms, median = {:.6g} ms", title,
                                 s.min, s.max, s.mean, s.median);
  for (size_t i = 0; i < percents.size(); ++i)
    text += fmt::format(", percentile({:g}%) = {:.6g} ms", percents[i], s.percentiles[i]);
  return text;
}

// How the times are called: on a host's processor nothing is a GPU's.
struct Words {
  bool host, all_lines;
  std::string compute() const { return host && !all_lines ? "Compute" : "GPU Compute"; }
};

Words words_for(const api::Engine& engine, const BenchOptions& o) { return {engine.on_host(), o.as_trtexec}; }

void warn(const Summary& enqueue, const Summary& compute, double host_ms, double total_compute_ms, const Words& words,
          bool idles) {
  const std::string title = words.compute();
  if (!words.host && enqueue.median > compute.median)
    say(api::Level::kWarning,
        "Enqueue Time exceeds " + title + " Time: the run is bound by the host. Remedy: --useCudaGraph.");
  if (compute.deviation > 0.1 * compute.mean)
    say(api::Level::kWarning,
        fmt::format("{} time is unstable, with coefficient of variance = {:.3g}%. Remedy: close other "
                    "programs, lock the clock frequency, or raise --warmUp and --duration.",
                    title, 100 * compute.deviation / compute.mean));
  if (!idles && total_compute_ms < 0.5 * host_ms)
    say(api::Level::kWarning, "Total Host Walltime is much longer than Total " + title +
                                  " Time: most time passes outside the engine. Remedy: "
                                  "more streams (--streams) or larger batches.");
}

template <class F> std::vector<double> column(const std::vector<Sample>& samples, F&& value) {
  std::vector<double> values;
  for (const Sample& s : samples) values.push_back(value(s));
  return values;
}

void report_averages(const std::vector<Sample>& samples, const BenchOptions& o, const Words& words) {
  const auto runs = static_cast<size_t>(o.average_runs > 0 ? o.average_runs : 10);
  const auto level = o.average_runs > 0 ? api::Level::kInfo : api::Level::kVerbose;
  for (size_t i = 0; i + runs <= samples.size(); i += runs) {
    double compute = 0, latency = 0, enqueue = 0;
    for (size_t k = i; k < i + runs; ++k) {
      compute += samples[k].times.compute;
      latency += samples[k].latency();
      enqueue += samples[k].enqueue();
    }
    const auto n = static_cast<double>(runs);
    say(level,
        fmt::format("Average on {} runs - {} latency: {:.6g} ms - Host latency: {:.6g} ms (enqueue {:.6g} ms)", runs,
                    words.host && !words.all_lines ? "compute" : "GPU", compute / n, latency / n, enqueue / n));
  }
}

std::pair<double, double> span_of(const std::vector<Sample>& samples) {
  double first = samples[0].start, last = 0;
  for (const Sample& s : samples) {
    first = std::min(first, s.start);
    last = std::max(last, s.done);
  }
  return {first, last};
}

double wall_ms(const std::vector<Sample>& samples) {
  const auto [first, last] = span_of(samples);
  return std::max(1e-6, last - first);
}

std::string counted(int number, const char* word) {
  return fmt::format("{} {}{}", number, word, number == 1 ? "" : "s");
}

}  // namespace

Summary summarize(std::vector<double> values, const std::vector<double>& percents) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (double v : values) squares += (v - mean) * (v - mean);
  Summary s{values.front(), values.back(), mean, values[values.size() / 2], std::sqrt(squares / n), {}};
  for (double p : percents)
    s.percentiles.push_back(values[std::min(values.size() - 1, static_cast<size_t>(p / 100 * n))]);
  return s;
}

std::vector<double> parse_percentiles(const std::string& text) {
  std::vector<double> percents;
  for (const std::string& part : split(text, ',')) {
    double value = 0;
    if (!CLI::detail::lexical_cast(part, value) || !(value >= 0 && value <= 100))
      throw CLI::ValidationError("--percentile", "'" + part + "' is not a number from 0 to 100");
    percents.push_back(value);
  }
  return percents;
}

double queries_per_second(const std::vector<Sample>& samples) {
  return static_cast<double>(samples.size()) * 1e3 / wall_ms(samples);
}

void report(const std::vector<Sample>& samples, const BenchOptions& o, const api::Engine& engine,
            const Setting& setting) {
  const std::vector<double> percents = parse_percentiles(o.percentiles);
  const Words words = words_for(engine, o);
  const auto computes = column(samples, [](const Sample& s) { return s.times.compute; });
  const Summary latency = summarize(column(samples, [](const Sample& s) { return s.latency(); }), percents),
                enqueue = summarize(column(samples, [](const Sample& s) { return s.enqueue(); }), percents),
                compute = summarize(computes, percents),
                upload = summarize(column(samples, [](const Sample& s) { return s.times.upload; }), percents),
                download = summarize(column(samples, [](const Sample& s) { return s.times.download; }), percents);
  report_averages(samples, o, words);
  const double wall = wall_ms(samples), total = std::accumulate(computes.begin(), computes.end(), 0.0),
               throughput = queries_per_second(samples);
  const bool copies = (o.trtexec.include_transfers && !words.host) || words.all_lines;
  const auto info = api::Level::kInfo;
  say(info, "=== Performance summary ===");
  say(info, fmt::format("Measured: {}, {}; computing in {}, {}, {}", setting.network, setting.shapes, setting.types,
                        counted(setting.streams, "stream"),
                        counted(setting.threads, "thread") + (setting.streams > 1 ? " each" : "")));
  say(info, fmt::format("Throughput: {:.6g} qps", throughput));
  say(info, fmt::format("Items per second: {:.6g} (batch {})", throughput * static_cast<double>(setting.batch),
                        setting.batch));
  say(info, line("Latency", latency, percents));
  say(info, line("Enqueue Time", enqueue, percents));
  if (copies) say(info, line("H2D Latency", upload, percents));
  say(info, line(words.compute() + " Time", compute, percents));
  if (copies) say(info, line("D2H Latency", download, percents));
  say(info, fmt::format("Total Host Walltime: {:.6g} s", wall / 1e3));
  say(info, fmt::format("Total {} Time: {:.6g} s", words.compute(), total / 1e3));
  warn(enqueue, compute, wall, total / o.streams, words, o.idle > 0);
}

}  // namespace kiln::tool
