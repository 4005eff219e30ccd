// Loads of `kiln bench`: as fast as it goes, at a rate, and the highest rate that keeps a bound.
#pragma once
#include <vector>

#include "bench.h"

namespace kiln::tool {

// Each session in a thread of its own: warm-up, then until both iterations and duration are reached. `interval` > 0: an inference of
// each session is due every so many milliseconds, and its latency counts from when it was due.
std::vector<Sample> measure_all(std::vector<api::Session>& sessions, const BenchOptions& o, double interval = 0);

struct BoundedLoad {
  double rate = 0;        // inferences per second of all sessions; 0: none keeps the bound
  double percentile = 0;  // 99th of the latency there, in milliseconds
};
BoundedLoad highest_load(std::vector<api::Session>& sessions, const BenchOptions& o);

struct SweepPoint {
  int64_t batch;
  int streams, threads;
  double items_per_second, median, percentile;  // of the latency, in milliseconds
};
// A table, and a picture when `path` is not empty.
void show_sweep(const std::vector<SweepPoint>& points, const std::string& path);

}  // namespace kiln::tool
