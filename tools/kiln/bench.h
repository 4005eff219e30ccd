// What the parts of `kiln bench` share: options, samples and their summaries.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "command.h"
#include "trtexec_options.h"

namespace kiln::tool {

struct BenchOptions {
  BuildFlags build;
  TrtexecOptions trtexec;
  std::string load_engine, save_engine, inputs, export_output, export_times, export_profile, export_layers,
      export_trace, percentiles = "90,95,99", profile_order = "graph", sweep_picture;
  int iterations = 10, average_runs = 0, streams = 1, profile = -1;
  double duration = 3, warm_up = 200, idle = 0, latency_bound = 0;
  bool rebuild_kernels = false, debug_sync = false, skip_inference = false, dump_profile = false, dump_layers = false,
       dump_output = false, sweep = false;
  bool as_trtexec = false;                           // the words and lines of that program
  std::map<std::string, int64_t> taken_before = {};  // of the devices' memory, by back end, before there was an engine
};

// Milliseconds; the points in time count from the start of all streams.
struct Sample {
  double start, queued, done;
  api::InferenceTimes times;
  int stream = 0;
  double enqueue() const { return queued - start; }
  double latency() const { return done - start; }
};

struct Summary {
  double min, max, mean, median, deviation;
  std::vector<double> percentiles;
};
Summary summarize(std::vector<double> values, const std::vector<double>& percents);

// What was measured, in numbers that the command line or the engine gave.
struct Setting {
  std::string network, shapes, types;
  int threads = 1, streams = 1;
  int64_t batch = 1;  // the first dimension of the first input
};

std::vector<double> parse_percentiles(const std::string& text);
double queries_per_second(const std::vector<Sample>& samples);
void report(const std::vector<Sample>& samples, const BenchOptions& o, const api::Engine& engine,
            const Setting& setting);

void write_json(const std::string& path, const nlohmann::ordered_json& json);
void show_layers(const api::Engine& engine);
void show_profile(api::Session& session, const api::Engine& engine, const BenchOptions& o);
void export_times(const std::vector<Sample>& samples, const std::string& path);
void outputs(api::Session& session, const api::Engine& engine, const BenchOptions& o);

// Chrome's trace format: the build's stages and layers, the inferences of every stream, and the layers of one more inference of each.
void export_trace(const std::vector<Sample>& samples, std::vector<api::Session>& sessions, const api::Engine& engine,
                  const BenchOptions& o);

}  // namespace kiln::tool
