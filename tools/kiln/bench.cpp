// kiln bench: build or load an engine, run it, report times in trtexec's words.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "command.h"

namespace kiln::tool {
namespace {

using Clock = std::chrono::steady_clock;

double ms_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double, std::milli>(b - a).count();
}

struct Options {
  BuildFlags build;
  std::string load_engine, save_engine, inputs, export_output, export_times, export_profile, export_layers,
      percentiles = "90,95,99";
  std::string sparsity;
  int iterations = 10, average_runs = 0, streams = 1, profile = -1, device = 0;
  double duration = 3, warm_up = 200, idle = 0, workspace = 0;
  bool threads = false, spin = false, skip_inference = false, dump_profile = false, dump_layers = false,
       dump_output = false;
  // Permissions and settings of GPUs.
  bool fp16 = false, bf16 = false, fp8 = false, int8 = false, best = false, no_tf32 = false, graph = false,
       no_transfers = false, separate_profile = false, explicit_batch = false;
};

// Milliseconds; the points in time count from the start of all streams.
struct Sample {
  double start, queued, done, compute;
  double enqueue() const { return queued - start; }
  double latency() const { return done - start; }
};

struct Summary {
  double min, max, mean, median, deviation;
  std::vector<double> percentiles;
};

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

std::string line(const std::string& title, const Summary& s, const std::vector<double>& percents) {
  std::string text = fmt::format("{}: min = {:.6g} ms, max = {:.6g} ms, mean = {:.6g} ms, median = {:.6g} ms", title,
                                 s.min, s.max, s.mean, s.median);
  for (size_t i = 0; i < percents.size(); ++i)
    text += fmt::format(", percentile({:g}%) = {:.6g} ms", percents[i], s.percentiles[i]);
  return text;
}

// One stream's loop: warm-up, then until both iterations and duration are reached.
std::vector<Sample> measure(api::Session& session, const Options& o, Clock::time_point epoch) {
  const auto warm_start = Clock::now();
  do {
    session.enqueue();
    session.synchronize();
  } while (ms_between(warm_start, Clock::now()) < o.warm_up);
  std::vector<Sample> samples;
  const auto start = Clock::now();
  while (static_cast<int>(samples.size()) < o.iterations || ms_between(start, Clock::now()) < o.duration * 1e3) {
    const auto before = Clock::now();
    session.record_start();
    session.enqueue();
    const double compute = session.record_stop_ms();
    const auto queued = Clock::now();
    session.synchronize();
    const auto done = Clock::now();
    samples.push_back({ms_between(epoch, before), ms_between(epoch, queued), ms_between(epoch, done), compute});
    if (o.idle > 0) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(o.idle));
  }
  return samples;
}

std::vector<Sample> measure_all(std::vector<api::Session>& sessions, const Options& o) {
  const auto epoch = Clock::now();
  if (sessions.size() == 1) return measure(sessions[0], o, epoch);
  std::vector<std::vector<Sample>> results(sessions.size());
  std::vector<std::string> failures(sessions.size());
  std::vector<std::thread> workers;
  for (size_t i = 0; i < sessions.size(); ++i)
    workers.emplace_back([&, i] {
      try {
        results[i] = measure(sessions[i], o, epoch);
      } catch (const std::exception& e) {
        failures[i] = e.what();
      }
    });
  for (std::thread& w : workers) w.join();
  for (const std::string& failure : failures)
    if (!failure.empty()) throw api::Failure(failure);
  std::vector<Sample> samples;
  for (const auto& r : results) samples.insert(samples.end(), r.begin(), r.end());
  return samples;
}

void warn(const Summary& enqueue, const Summary& compute, double host_ms, double total_compute_ms, bool queue_runs_work,
          bool idles) {
  if (!queue_runs_work && enqueue.median > compute.median)
    say(api::Level::kWarning,
        "Enqueue Time exceeds GPU Compute Time: the run is bound by the host. Remedy: --useCudaGraph.");
  if (compute.deviation > 0.1 * compute.mean)
    say(api::Level::kWarning,
        fmt::format("GPU compute time is unstable, with coefficient of variance = {:.3g}%. Remedy: close other "
                    "programs, lock the clock frequency, or raise --warmUp and --duration.",
                    100 * compute.deviation / compute.mean));
  if (!idles && total_compute_ms < 0.5 * host_ms)
    say(api::Level::kWarning,
        "Total Host Walltime is much longer than Total GPU Compute Time: most time passes outside the engine. Remedy: "
        "more streams (--streams) or larger batches.");
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

template <class F> std::vector<double> column(const std::vector<Sample>& samples, F&& value) {
  std::vector<double> values;
  for (const Sample& s : samples) values.push_back(value(s));
  return values;
}

void report_averages(const std::vector<Sample>& samples, const Options& o) {
  const auto runs = static_cast<size_t>(o.average_runs > 0 ? o.average_runs : 10);
  const auto level = o.average_runs > 0 ? api::Level::kInfo : api::Level::kVerbose;
  for (size_t i = 0; i + runs <= samples.size(); i += runs) {
    double compute = 0, latency = 0, enqueue = 0;
    for (size_t k = i; k < i + runs; ++k) {
      compute += samples[k].compute;
      latency += samples[k].latency();
      enqueue += samples[k].enqueue();
    }
    const auto n = static_cast<double>(runs);
    say(level, fmt::format("Average on {} runs - GPU latency: {:.6g} ms - Host latency: {:.6g} ms (enqueue {:.6g} ms)",
                           runs, compute / n, latency / n, enqueue / n));
  }
}

void report(const std::vector<Sample>& samples, const Options& o, const api::Engine& engine) {
  const std::vector<double> percents = parse_percentiles(o.percentiles);
  const auto computes = column(samples, [](const Sample& s) { return s.compute; });
  const Summary latency = summarize(column(samples, [](const Sample& s) { return s.latency(); }), percents),
                enqueue = summarize(column(samples, [](const Sample& s) { return s.enqueue(); }), percents),
                compute = summarize(computes, percents), none = summarize({0}, percents);
  report_averages(samples, o);
  double first = samples[0].start, last = 0;
  for (const Sample& s : samples) {
    first = std::min(first, s.start);
    last = std::max(last, s.done);
  }
  const double wall_ms = std::max(1e-6, last - first), total = std::accumulate(computes.begin(), computes.end(), 0.0);
  const auto info = api::Level::kInfo;
  say(info, "=== Performance summary ===");
  say(info, fmt::format("Throughput: {:.6g} qps", static_cast<double>(samples.size()) * 1e3 / wall_ms));
  say(info, line("Latency", latency, percents));
  say(info, line("Enqueue Time", enqueue, percents));
  say(info, line("H2D Latency", none, percents));
  say(info, line("GPU Compute Time", compute, percents));
  say(info, line("D2H Latency", none, percents));
  say(info, fmt::format("Total Host Walltime: {:.6g} s", wall_ms / 1e3));
  say(info, fmt::format("Total GPU Compute Time: {:.6g} s", total / 1e3));
  warn(enqueue, compute, wall_ms, total / o.streams, engine.backend() == "cpu" || engine.backend() == "ref",
       o.idle > 0);
}

void write_json(const std::string& path, const nlohmann::ordered_json& json) {
  std::ofstream file(path);
  file << json.dump(1) << "\n";
  if (!file) throw api::Failure("error[K1005] cannot write '" + path + "'");
}

void show_layers(const api::Engine& engine) {
  for (const auto& l : engine.layers()) {
    std::string inputs, outputs;
    for (const auto& t : l.inputs) inputs += (inputs.empty() ? "" : ", ") + t;
    for (const auto& t : l.outputs) outputs += (outputs.empty() ? "" : ", ") + t;
    say(api::Level::kInfo, fmt::format("{} [{}] {}/{}: {} -> {}", l.name, l.op, l.backend, l.tactic, inputs, outputs));
  }
}

struct LayerTimes {
  std::string name;
  std::vector<double> ms;
  double total() const { return std::accumulate(ms.begin(), ms.end(), 0.0); }
  double average() const { return total() / static_cast<double>(ms.size()); }
  double median() const { return summarize(ms, {}).median; }
};

std::vector<LayerTimes> profile_layers(api::Session& session, int rounds) {
  std::vector<LayerTimes> layers;
  for (int i = 0; i < rounds; ++i) {
    const auto times = session.profile();
    layers.resize(times.size());
    for (size_t k = 0; k < times.size(); ++k) {
      layers[k].name = times[k].first;
      layers[k].ms.push_back(times[k].second);
    }
  }
  return layers;
}

void show_profile(api::Session& session, const Options& o) {
  const auto layers = profile_layers(session, o.iterations);
  double total = 0;
  for (const LayerTimes& l : layers) total += l.total();
  auto share = [&](double ms) { return total > 0 ? 100 * ms / total : 0; };
  if (o.dump_profile) {
    const auto info = api::Level::kInfo;
    say(info, fmt::format("=== Profile ({} iterations) ===", o.iterations));
    say(info, "   Time(ms)     Avg.(ms)   Median(ms)   Time(%)   Layer");
    for (const LayerTimes& l : layers)
      say(info, fmt::format("{:11.3f} {:12.5f} {:12.5f} {:9.1f}   {}", l.total(), l.average(), l.median(),
                            share(l.total()), l.name));
    say(info, fmt::format("{:11.3f} {:12.5f} {:>12} {:9.1f}   Total", total, total / o.iterations, "", 100.0));
  }
  if (o.export_profile.empty()) return;
  nlohmann::ordered_json json = {{{"count", o.iterations}}};
  for (const LayerTimes& l : layers)
    json.push_back({{"name", l.name},
                    {"timeMs", l.total()},
                    {"averageMs", l.average()},
                    {"medianMs", l.median()},
                    {"percentage", share(l.total())}});
  write_json(o.export_profile, json);
}

void export_times(const std::vector<Sample>& samples, const std::string& path) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Sample& s : samples)
    json.push_back({{"startEnqMs", s.start},
                    {"endEnqMs", s.queued},
                    {"h2dMs", 0},
                    {"enqueueMs", s.enqueue()},
                    {"computeMs", s.compute},
                    {"d2hMs", 0},
                    {"latencyMs", s.latency()}});
  write_json(path, json);
}

void outputs(api::Session& session, const api::Engine& engine, const Options& o) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
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

// Says which of the given permissions and settings of GPUs the engine does not use.
void tell_unused(const Options& o, const api::Engine& engine) {
  if (engine.backend() != "cpu" && engine.backend() != "ref") return;
  std::string types;
  for (const auto& [given, name] :
       {std::pair{o.fp16, "--fp16"}, {o.bf16, "--bf16"}, {o.fp8, "--fp8"}, {o.int8, "--int8"}, {o.best, "--best"}})
    if (given) types += (types.empty() ? "" : " ") + std::string(name);
  const std::string where = "on the back end '" + engine.backend() + "'";
  if (!types.empty())
    say(api::Level::kInfo, types + ": permitted; " + where + " each layer computes in the types of the model");
  if (o.graph)
    say(api::Level::kInfo,
        "--useCudaGraph: " + where + " launches cost nothing that a graph would save; running plainly");
  if (o.sparsity == "enable")
    say(api::Level::kInfo, "--sparsity=enable: permitted; " + where + " no tactic uses sparse weights");
}

void run(Options& o) {
  set_verbose(o.build.verbose);
  if (o.build.onnx.empty() == o.load_engine.empty())
    throw CLI::ValidationError("model", "give either --onnx or --loadEngine");
  static_cast<void>(parse_percentiles(o.percentiles));
  const bool builds = o.load_engine.empty();
  const Shapes asked = parse_shapes(o.build.shapes);
  api::Values inputs;
  if (builds) inputs = load_inputs_for_build(o.inputs, o.build);
  const auto start = Clock::now();
  if (builds) say(api::Level::kInfo, "Building an engine from " + o.build.onnx);
  const api::Engine engine = builds ? build_engine(o.build) : api::Engine::load(o.load_engine);
  say(api::Level::kInfo, fmt::format("Engine {} in {:.3f} s: {} layers, weights {:.1f} MiB, context {:.1f} MiB",
                                     builds ? "built" : "loaded", ms_between(start, Clock::now()) / 1e3,
                                     engine.layers().size(), static_cast<double>(engine.weight_bytes()) / 1048576,
                                     static_cast<double>(engine.context_bytes()) / 1048576));
  tell_unused(o, engine);
  if (!o.save_engine.empty()) engine.save(o.save_engine);
  if (o.dump_layers) show_layers(engine);
  if (!o.export_layers.empty()) write_json(o.export_layers, nlohmann::ordered_json::parse(engine.description()));
  if (o.skip_inference) return;
  if (!builds) inputs = load_inputs(o.inputs, engine.io(), asked);
  const int profile = choose_profile(engine, inputs, asked, o.profile);
  std::vector<api::Session> sessions;
  for (int i = 0; i < o.streams; ++i) {
    sessions.push_back(engine.create_session());
    set_inputs(sessions.back(), engine, inputs, asked, profile);
  }
  const std::vector<Sample> samples = measure_all(sessions, o);
  report(samples, o, engine);
  if (!o.export_times.empty()) export_times(samples, o.export_times);
  if (o.dump_profile || !o.export_profile.empty()) show_profile(sessions[0], o);
  if (o.dump_output || !o.export_output.empty()) outputs(sessions[0], engine, o);
}

// What scripts written for trtexec pass; the log says where one has no effect.
void add_gpu_options(CLI::App& app, Options& o) {
  std::vector<CLI::Option*> options;
  auto flag = [&](const char* names, bool& value, const char* help) {
    options.push_back(app.add_flag(names, value, help));
  };
  flag("--fp16", o.fp16, "Permit 16-bit floats where they are faster");
  flag("--bf16", o.bf16, "Permit bfloat16 where it is faster");
  flag("--fp8", o.fp8, "Permit 8-bit floats where they are faster");
  flag("--int8", o.int8, "Permit 8-bit integers where they are faster");
  flag("--best", o.best, "Permit every type");
  flag("--noTF32", o.no_tf32, "Forbid TF32; the CPU never uses it");
  flag("--useCudaGraph", o.graph, "Replay a captured graph where launches cost time");
  flag("--noDataTransfers", o.no_transfers, "Leave copies out of the times; the CPU copies nothing");
  flag("--separateProfileRun", o.separate_profile, "Profile in runs of their own; always so");
  flag("--explicitBatch", o.explicit_batch, "Always so");
  options.push_back(app.add_option("--sparsity", o.sparsity, "Permit tactics for 2:4 sparse weights: disable or enable")
                        ->check(CLI::IsMember({"disable", "enable"})));
  options.push_back(
      app.add_option("--device", o.device, "Number of the device; the CPU is 0")->check(CLI::Range(0, 0)));
  options.push_back(app.add_option("--workspace", o.workspace, "Accepted for compatibility, as --memPoolSize"));
  for (CLI::Option* option : options) option->group("trtexec");
}

}  // namespace

void add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("--onnx", o->build.onnx, "ONNX model to build from");
  app.add_option("--loadEngine", o->load_engine, "Saved engine to load instead");
  app.add_option("--saveEngine", o->save_engine, "Save the engine to this file");
  add_build_flags(app, o->build);
  app.add_option("--iterations", o->iterations, "Inferences at least")
      ->check(CLI::Range(1, 1000000000))
      ->capture_default_str();
  app.add_option("--duration", o->duration, "Seconds at least")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--warmUp", o->warm_up, "Milliseconds of warm-up")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--avgRuns", o->average_runs, "Print averages over this many runs (default: of 10, when verbose)")
      ->check(CLI::Range(1, 1000000000));
  app.add_option("--idleTime", o->idle, "Milliseconds to sleep between inferences")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--streams,--infStreams", o->streams, "Contexts that run side by side, a thread each")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_flag("--threads", o->threads, "A thread per stream; always so");
  app.add_option(
      "--loadInputs,--inputs", o->inputs,
      "Input values: name:file,… (.npy, .npz, .pb or raw bytes), or one .npz with all; random where not given");
  app.add_option("--useOptimizationProfile", o->profile,
                 "Profile of the engine to use (default: the first that takes the shapes)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--exportOutput", o->export_output, "Write the outputs as JSON");
  app.add_option("--exportTimes", o->export_times, "Write the time of each inference as JSON");
  app.add_option("--exportProfile", o->export_profile, "Write the time per layer as JSON");
  app.add_option("--exportLayerInfo", o->export_layers, "Write the layers as JSON");
  app.add_flag("--dumpProfile", o->dump_profile, "Print the time per layer");
  app.add_flag("--dumpLayerInfo", o->dump_layers, "Print the layers");
  app.add_flag("--dumpOutput", o->dump_output, "Print the outputs");
  app.add_flag("--skipInference,--buildOnly", o->skip_inference, "Build only");
  app.add_flag("--useSpinWait", o->spin, "Poll instead of sleeping when waiting; always so on the CPU");
  app.add_option("--percentile", o->percentiles, "Percentiles to report")->capture_default_str();
  add_gpu_options(app, *o);
  set_footer(app,
             "  kiln bench --onnx=resnet50.onnx --shapes=image:8x3x224x224 --saveEngine=resnet50.plan\n"
             "  kiln bench --loadEngine=resnet50.plan --dumpProfile\n");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
