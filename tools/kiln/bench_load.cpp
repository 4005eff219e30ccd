// Measuring under load.
#include "bench_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <thread>

namespace kiln::tool {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

double ms_between(Clock::time_point a, Clock::time_point b) { return Milliseconds(b - a).count(); }

Sample one(api::Session& session, Clock::time_point epoch, Clock::time_point due, bool copies) {
  const auto start = Clock::now();
  const api::InferenceTimes times = session.timed(copies);
  return {ms_between(epoch, due), ms_between(epoch, start) + times.queued, ms_between(epoch, Clock::now()), times};
}

// At least so many, and for the time that is asked for.
template <class Run> void warm_up(const BenchOptions& o, int least, const Run& run) {
  const auto start = Clock::now();
  for (int i = 0; i < least || ms_between(start, Clock::now()) < o.warm_up; ++i) run();
}

// Copies run beside the inferences before and behind.
std::vector<Sample> measure_overlapped(api::Session& session, const BenchOptions& o, Clock::time_point epoch) {
  constexpr int kWarmUps = 9;  // every set of memory has been captured
  api::Session::Overlap overlap(session);
  warm_up(o, kWarmUps, [&] {
    if (overlap.full()) overlap.wait();
    overlap.queue();
  });
  while (overlap.wait()) continue;
  std::vector<Sample> samples;
  std::deque<Clock::time_point> starts;
  const auto take = [&](const api::InferenceTimes& times) {
    const double start = ms_between(epoch, starts.front());
    samples.push_back({start, start + times.queued, start + times.whole, times});
    starts.pop_front();
  };
  const auto start = Clock::now();
  while (static_cast<int>(samples.size()) < o.iterations || ms_between(start, Clock::now()) < o.duration * 1e3) {
    if (overlap.full()) take(*overlap.wait());
    starts.push_back(Clock::now());
    overlap.queue();
  }
  while (const auto times = overlap.wait()) take(*times);
  return samples;
}

std::vector<Sample> measure(api::Session& session, const BenchOptions& o, Clock::time_point epoch, double interval) {
  if (o.trtexec.include_transfers && !o.trtexec.exposes_copies && interval <= 0 && o.idle <= 0)
    return measure_overlapped(session, o, epoch);
  warm_up(o, o.trtexec.use_graph ? 2 : 1, [&] {
    session.enqueue();
    session.synchronize();
  });
  std::vector<Sample> samples;
  const auto start = Clock::now();
  while (static_cast<int>(samples.size()) < o.iterations || ms_between(start, Clock::now()) < o.duration * 1e3) {
    auto due = Clock::now();
    if (interval > 0) {
      due = start +
            std::chrono::duration_cast<Clock::duration>(Milliseconds(interval * static_cast<double>(samples.size())));
      std::this_thread::sleep_until(due);
    }
    samples.push_back(one(session, epoch, due, o.trtexec.include_transfers));
    if (o.idle > 0) std::this_thread::sleep_for(Milliseconds(o.idle));
  }
  return samples;
}

double percentile99(const std::vector<Sample>& samples) {
  std::vector<double> latencies;
  for (const Sample& s : samples) latencies.push_back(s.latency());
  return summarize(latencies, {99}).percentiles[0];
}

std::string svg(const std::vector<SweepPoint>& points) {
  constexpr double kWidth = 640, kHeight = 400, kLeft = 80, kBottom = 360, kTop = 30, kRight = 600;
  std::map<int, std::vector<const SweepPoint*>> lines;
  double most = 1, largest = 1;
  for (const SweepPoint& p : points) {
    lines[p.streams].push_back(&p);
    most = std::max(most, p.items_per_second);
    largest = std::max(largest, static_cast<double>(p.batch));
  }
  std::string text = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{}' height='{}' font-family='sans-serif' "
      "font-size='12'><rect width='100%' height='100%' fill='white'/>",
      kWidth, kHeight);
  const auto x = [&](double batch) {
    return kLeft + (kRight - kLeft) * (largest > 1 ? std::log2(batch) / std::log2(largest) : 0.5);
  };
  const auto y = [&](double items) { return kBottom - (kBottom - kTop) * items / most; };
  for (int i = 0; i <= 4; ++i)
    text += fmt::format(
        "<line x1='{0}' x2='{1}' y1='{2}' y2='{2}' stroke='#ddd'/><text x='{3}' y='{2}' "
        "text-anchor='end'>{4:.4g}</text>",
        kLeft, kRight, y(most * i / 4), kLeft - 6, most * i / 4);
  const char* colours[] = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2"};
  size_t number = 0;
  for (const auto& [streams, line] : lines) {
    const char* colour = colours[number % std::size(colours)];
    std::string path;
    for (const SweepPoint* p : line) {
      const double px = x(static_cast<double>(std::max<int64_t>(p->batch, 1))), py = y(p->items_per_second);
      path += fmt::format("{:.1f},{:.1f} ", px, py);
      text += fmt::format(
          "<circle cx='{:.1f}' cy='{:.1f}' r='3' fill='{}'/><text x='{:.1f}' y='{}' text-anchor='middle'>{}</text>", px,
          py, colour, px, kBottom + 16, p->batch);
    }
    text += fmt::format(
        "<polyline points='{}' fill='none' stroke='{}' stroke-width='2'/><text x='{}' y='{}' fill='{}'>{} {}</text>",
        path, colour, kLeft + 10 + 100.0 * static_cast<double>(number), kTop - 10, colour, streams,
        streams == 1 ? "stream" : "streams");
    ++number;
  }
  return text +
         fmt::format("<text x='{}' y='{}' text-anchor='middle'>batch</text><text x='12' y='{}'>items/s</text></svg>\n",
                     (kLeft + kRight) / 2, kHeight - 6, kTop - 10);
}

}  // namespace

std::vector<Sample> measure_all(std::vector<api::Session>& sessions, const BenchOptions& o, double interval) {
  const auto epoch = Clock::now();
  std::vector<std::vector<Sample>> results(sessions.size());
  std::vector<std::string> failures(sessions.size());
  std::vector<std::thread> workers;
  for (size_t i = 1; i < sessions.size(); ++i)
    workers.emplace_back([&, i] {
      try {
        results[i] = measure(sessions[i], o, epoch, interval);
      } catch (const std::exception& e) {
        failures[i] = e.what();
      }
    });
  try {
    results[0] = measure(sessions[0], o, epoch, interval);
  } catch (const std::exception& e) {
    failures[0] = e.what();
  }
  for (std::thread& w : workers) w.join();
  for (const std::string& failure : failures)
    if (!failure.empty()) throw api::Failure(failure);
  std::vector<Sample> samples;
  for (size_t i = 0; i < results.size(); ++i)
    for (Sample& s : results[i]) {
      s.stream = static_cast<int>(i);
      samples.push_back(s);
    }
  return samples;
}

// Bisection between nothing and what the streams do when they never rest.
BoundedLoad highest_load(std::vector<api::Session>& sessions, const BenchOptions& o) {
  constexpr int kSteps = 7;
  const auto all = measure_all(sessions, o);
  const auto count = static_cast<double>(sessions.size());
  double low = 0, high = queries_per_second(all);
  BoundedLoad best;
  BenchOptions warm = o;
  warm.warm_up = 0;
  // At the full load first: it may keep the bound already.
  for (int step = 0; step <= kSteps; ++step) {
    const double rate = step == 0 ? 0.98 * high : (low + high) / 2;
    const double found = percentile99(measure_all(sessions, warm, 1e3 * count / rate));
    log(api::Level::kInfo, fmt::format("{:.5g} qps: percentile(99%) = {:.4g} ms", rate, found));
    if (found <= o.latency_bound) {
      best = {rate, found};
      if (step == 0) break;
      low = rate;
    } else {
      if (best.rate == 0) best.percentile = found;
      high = rate;
    }
  }
  return best;
}

void show_sweep(const std::vector<SweepPoint>& points, const std::string& path) {
  say(api::Level::kInfo, fmt::format("{:>6} {:>8} {:>8} {:>12} {:>12} {:>12}", "batch", "streams", "threads", "items/s",
                                     "median ms", "p99 ms"));
  for (const SweepPoint& p : points)
    say(api::Level::kInfo, fmt::format("{:>6} {:>8} {:>8} {:>12.5g} {:>12.5g} {:>12.5g}", p.batch, p.streams, p.threads,
                                       p.items_per_second, p.median, p.percentile));
  if (!path.empty()) write_text(path, svg(points));
}

}  // namespace kiln::tool
