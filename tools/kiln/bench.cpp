// kiln bench: build or load an engine, run it, report times in trtexec's words.
#include "bench.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "bench_load.h"
#include "difference.h"
#include "results.h"
#include "samples.h"

namespace kiln::tool {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int threads_of(const BenchOptions& o, int streams) {
  if (o.build.threads > 0 || streams == 1) return o.build.threads;
  return std::max(1, processors() / streams);
}

// Types in which layers compute: those of their tensors but for shapes and conditions.
std::string types_of(const api::Engine& engine) {
  std::set<std::string> types;
  for (const api::LayerInfo& layer : engine.layers())
    for (const std::string& text : layer.outputs) {
      const size_t end = text.rfind('['), begin = text.rfind(' ', end);
      if (end != std::string::npos && begin != std::string::npos) types.insert(text.substr(begin + 1, end - begin - 1));
    }
  for (const char* other : {"int64", "int32", "bool"})
    if (types.size() > 1) types.erase(other);
  return join({types.begin(), types.end()}, ", ");
}

Setting setting_of(const api::Engine& engine, const api::Values& values, int streams, int threads) {
  Setting s{engine.name(), "", types_of(engine), threads > 0 ? threads : processors(), streams, 1};
  std::vector<std::string> shapes;
  for (const api::IoTensor& io : of_kind(engine.io(), true)) {
    const api::HostTensor& value = values.at(io.name);
    if (shapes.empty() && !value.dims.empty()) s.batch = value.dims[0];
    shapes.push_back(io.name + " " + value.type + " " + shape_text(value.dims));
  }
  s.shapes = join(shapes, ", ");
  return s;
}

void use_graphs(api::Session& session, const api::Engine& engine) {
  const std::string reason = session.use_graphs();
  if (!reason.empty())
    say(api::Level::kWarning,
        "--useCudaGraph: the engine runs without graphs on the back end '" + engine.backend() + "': " + reason);
}

// What only the first capture tells.
void tell_graph_failure(const std::vector<api::Session>& sessions) {
  for (const api::Session& session : sessions) {
    const std::string reason = session.graph_failure();
    if (reason.empty()) continue;
    return say(api::Level::kWarning, "--useCudaGraph: inferences were queued without graphs: " + reason);
  }
}

// Streams of an engine, each with the same inputs.
struct Team {
  std::vector<api::Session> sessions;
  Setting setting;
};

Team make_team(const api::Engine& engine, const BenchOptions& o, const api::Values& inputs, const Shapes& asked,
               int streams) {
  const int profile = choose_profile(engine, inputs, asked, o.profile), threads = threads_of(o, streams);
  Team team;
  api::Values values;
  for (int i = 0; i < streams; ++i) {
    team.sessions.push_back(engine.create_session(threads));
    team.sessions.back().set_debug_sync(o.debug_sync);
    if (o.trtexec.use_graph) use_graphs(team.sessions.back(), engine);
    values = set_inputs(team.sessions.back(), engine, inputs, asked, profile);
    set_others(team.sessions.back(), engine.io(), o.inputs);
  }
  team.setting = setting_of(engine, values, streams, threads);
  return team;
}

// ---- loads

void find_bound(const api::Engine& engine, BenchOptions& o, const api::Values& inputs, const Shapes& asked) {
  Team team = make_team(engine, o, inputs, asked, o.streams);
  const BoundedLoad found = highest_load(team.sessions, o);
  tell_graph_failure(team.sessions);
  if (found.rate <= 0) {
    say(api::Level::kWarning,
        fmt::format("even one inference at a time has a 99th percentile of {:.4g} ms, above the bound of {:g} ms "
                    "(remedy: a larger --latencyBound, or smaller shapes)",
                    found.percentile, o.latency_bound));
    return;
  }
  say(api::Level::kInfo,
      fmt::format("Highest load with percentile(99%) <= {:g} ms: {:.6g} qps, {:.6g} items per second "
                  "(percentile(99%) = {:.4g} ms; {} stream{} of {} thread{})",
                  o.latency_bound, found.rate, found.rate * static_cast<double>(team.setting.batch), found.percentile,
                  o.streams, o.streams == 1 ? "" : "s", team.setting.threads, team.setting.threads == 1 ? "" : "s"));
}

// Batches 1, 2, 4, … that the profile takes in place of every dynamic first dimension; -1 alone where there is none.
std::vector<int64_t> batches_of(const api::Engine& engine, int profile) {
  int64_t low = 1, high = INT64_MAX;
  for (const api::IoTensor& io : of_kind(engine.io(), true)) {
    const api::Bounds& b = io.profiles.at(static_cast<size_t>(std::max(profile, 0)));
    if (b.min.empty() || b.min[0] == b.max[0]) continue;
    low = std::max(low, b.min[0]);
    high = std::min(high, b.max[0]);
  }
  if (high == INT64_MAX || low > high) return {-1};
  std::vector<int64_t> batches;
  for (int64_t b = low; b <= high && b > 0; b *= 2) batches.push_back(b);
  return batches;
}

Shapes with_batch(const api::Engine& engine, Shapes shapes, int profile, int64_t batch) {
  for (const api::IoTensor& io : of_kind(engine.io(), true)) {
    const api::Bounds& b = io.profiles.at(static_cast<size_t>(std::max(profile, 0)));
    if (b.min.empty() || b.min[0] == b.max[0]) continue;
    auto& dims = shapes.try_emplace(io.name, b.opt).first->second;
    dims[0] = batch;
  }
  return shapes;
}

void sweep(const api::Engine& engine, BenchOptions& o, const api::Values& inputs, const Shapes& asked) {
  if (!inputs.empty())
    throw CLI::ValidationError("--sweep", "inputs from files have one batch only; leave --loadInputs out");
  std::vector<SweepPoint> points;
  for (const int64_t batch : batches_of(engine, o.profile))
    for (int streams = 1; streams <= std::max(processors(), 2); streams *= 2) {
      const Shapes shapes = batch < 0 ? asked : with_batch(engine, asked, o.profile, batch);
      Team team = make_team(engine, o, inputs, shapes, streams);
      const auto samples = measure_all(team.sessions, o);
      tell_graph_failure(team.sessions);
      std::vector<double> latencies;
      for (const Sample& s : samples) latencies.push_back(s.latency());
      const Summary latency = summarize(latencies, {99});
      points.push_back({team.setting.batch, streams, team.setting.threads,
                        queries_per_second(samples) * static_cast<double>(team.setting.batch), latency.median,
                        latency.percentiles[0]});
    }
  show_sweep(points, o.sweep_picture);
}

// ---- what is asked beside times

bool check_references(api::Session& session, const api::Engine& engine, const TrtexecOptions& o) {
  bool all = true;
  const auto io = of_kind(engine.io(), false);
  for (const auto& [name, path] : parse_pairs("--loadRefOutputs", o.references)) {
    if (std::none_of(io.begin(), io.end(), [&name = name](const auto& t) { return t.name == name; }))
      throw CLI::ValidationError("--loadRefOutputs",
                                 "the network has no output '" + name + "'" + api::name_hint(name, names_of(io)));
    const Difference d = difference(session.output(name), api::load_tensor(path), {o.rtol, o.atol});
    say(d.agree ? api::Level::kInfo : api::Level::kError, "output '" + name + "' " + d.text());
    all = all && d.agree;
  }
  return all;
}

void write_raw(api::Session& session, const api::Engine& engine, const api::Values& inputs) {
  for (const api::IoTensor& io : engine.io()) {
    const api::HostTensor tensor = io.is_input ? inputs.at(io.name) : session.output(io.name);
    const std::string path = fmt::format("{}.{}.{}.{}.raw", path_part(io.name), io.is_input ? "input" : "output",
                                         fmt::join(tensor.dims, "."), tensor.type);
    write_bytes(path, tensor.data);
  }
}

// Bytes, by back end, of devices with memory of their own.
std::map<std::string, int64_t> taken_memory() {
  std::map<std::string, int64_t> taken;
  for (const api::DeviceInfo& d : api::list_devices())
    if (d.missing.empty() && !d.host_memory && d.free_memory >= 0) taken[d.backend] += d.memory - d.free_memory;
  return taken;
}

void show_memory(const api::Engine& engine, const BenchOptions& o) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  say(api::Level::kInfo, "Peak memory of the process: " + bytes_text(static_cast<double>(usage.ru_maxrss) * 1024));
  if (engine.on_host()) return;
  const int64_t all = taken_memory()[engine.backend()] - o.taken_before.at(engine.backend());
  const auto known =
      static_cast<int64_t>(engine.weight_bytes() + static_cast<size_t>(o.streams) * engine.context_bytes());
  say(api::Level::kInfo,
      fmt::format("Memory of the device: {}, of which {} beside weights and contexts",
                  bytes_text(static_cast<double>(all)), bytes_text(static_cast<double>(all - known))));
}

void show_profiles(const api::Engine& engine) {
  for (const api::IoTensor& io : of_kind(engine.io(), true))
    for (size_t p = 0; p < io.profiles.size(); ++p)
      say(api::Level::kInfo,
          fmt::format("profile {}: {} min {} opt {} max {}", p, io.name, shape_text(io.profiles[p].min),
                      shape_text(io.profiles[p].opt), shape_text(io.profiles[p].max)));
}

void measure_and_report(const api::Engine& engine, BenchOptions& o, const api::Values& inputs, const Shapes& asked) {
  Team team = make_team(engine, o, inputs, asked, o.streams);
  tell_random(engine.io(), inputs);
  const std::vector<Sample> samples = measure_all(team.sessions, o);
  tell_graph_failure(team.sessions);
  report(samples, o, engine, team.setting);
  api::Session& session = team.sessions[0];
  if (!o.export_times.empty()) export_times(samples, o.export_times);
  if (!o.export_trace.empty()) export_trace(samples, team.sessions, engine, o);
  if (o.dump_profile || !o.export_profile.empty()) show_profile(session, engine, o);
  if (o.dump_output || !o.export_output.empty()) outputs(session, engine, o);
  if (o.trtexec.raw_bindings) {
    api::Session again = engine.create_session(threads_of(o, o.streams));
    const int profile = choose_profile(engine, inputs, asked, o.profile);
    const api::Values values = set_inputs(again, engine, inputs, asked, profile);
    again.enqueue();
    write_raw(again, engine, values);
  }
  if (!o.trtexec.save_debug.empty() || !o.trtexec.save_all_debug.empty())
    save_debug_tensors(session, engine, o.trtexec);
  if (o.trtexec.monitor_memory) show_memory(engine, o);
  if (!o.trtexec.references.empty() && !check_references(session, engine, o.trtexec)) throw Exit{1};
}

// Whether the engine is only to be looked at, for which its device need not be here.
bool only_looks(const BenchOptions& o) {
  const TrtexecOptions& t = o.trtexec;
  const bool shows = o.dump_layers || t.dump_profiles || !o.export_layers.empty();
  const bool loads = t.time_deserialize || o.rebuild_kernels || !o.save_engine.empty();
  return !o.load_engine.empty() && !loads && (t.plan_version_only || (o.skip_inference && shows));
}

// What is of one measurement goes neither with many nor with none.
void check_single(const BenchOptions& o) {
  const char* many = o.sweep ? "--sweep" : o.latency_bound > 0 ? "--latencyBound" : nullptr;
  if (o.sweep && o.latency_bound > 0)
    throw CLI::ValidationError("--sweep", "does not go with --latencyBound (remedy: one after the other)");
  if (!o.sweep && !o.sweep_picture.empty()) throw CLI::ValidationError("--sweepPicture", "draws what --sweep measures");
  if (!many && !o.skip_inference) return;
  const TrtexecOptions& t = o.trtexec;
  std::vector<std::string> given;
  for (const auto& [is_given, name] : {std::pair{!o.export_times.empty(), "--exportTimes"},
                                       {!o.export_trace.empty(), "--exportTrace"},
                                       {!o.export_profile.empty(), "--exportProfile"},
                                       {!o.export_output.empty(), "--exportOutput"},
                                       {o.dump_profile, "--dumpProfile"},
                                       {o.dump_output, "--dumpOutput"},
                                       {t.raw_bindings, "--dumpRawBindingsToFile"},
                                       {!t.save_debug.empty(), "--saveDebugTensors"},
                                       {!t.save_all_debug.empty(), "--saveAllDebugTensors"},
                                       {!t.references.empty(), "--loadRefOutputs"}})
    if (is_given) given.push_back(name);
  if (given.empty()) return;
  const std::string names = join(given, ", ");
  if (many)
    throw CLI::ValidationError(
        names, std::string("of one measurement, and ") + many + " makes many (remedy: another run without it)");
  log(api::Level::kWarning, names + ": no effect, because --skipInference measures nothing");
}

void check_options(const BenchOptions& o) {
  if (o.build.onnx.empty() == o.load_engine.empty())
    throw CLI::ValidationError("model", "give either --onnx or --loadEngine");
  static_cast<void>(parse_percentiles(o.percentiles));
  check_single(o);
  const auto debug_files = parse_pairs("--saveDebugTensors", o.trtexec.save_debug);
  static_cast<void>(parse_pairs("--loadRefOutputs", o.trtexec.references));
  for (const auto& [given, name] :
       {std::pair{o.trtexec.plan_version_only, "--getPlanVersionOnly"},
        std::pair{o.trtexec.time_deserialize, "--timeDeserialize"}, std::pair{o.rebuild_kernels, "--rebuildKernels"}})
    if (given && o.load_engine.empty()) throw CLI::ValidationError(name, "needs a saved engine: --loadEngine=FILE");
  for (const std::string& path : {o.export_output, o.export_times, o.export_profile, o.export_layers, o.export_trace})
    check_output(path, kJsonFiles);
  check_output(o.sweep_picture, kMarkupFiles);
  check_engine_place(o.save_engine);
  check_folder(o.build.timing_cache);
  for (const auto& [tensor, path] : debug_files) check_tensor_place(path);
  if (o.load_engine.empty() && !o.skip_inference && !o.trtexec.dry_run) check_runs_here(o.build);
}

api::Engine obtain(BenchOptions& o) {
  const bool builds = o.load_engine.empty(), looks = only_looks(o);
  const bool is_here = o.build.device_profile.empty(), tells_first = builds && o.as_trtexec;
  if (tells_first && is_here) tell_device(o.build.backend, api::Level::kWarning);
  const auto start = Clock::now();
  if (builds) log(api::Level::kInfo, "Building an engine from " + o.build.onnx);
  const api::Engine engine = builds  ? build_engine(o.build)
                             : looks ? api::Engine::look(o.load_engine)
                                     : api::Engine::load(o.load_engine, {.trusts_kernels = !o.rebuild_kernels});
  const std::string opened =
      builds || looks ? "" : fmt::format(", of which {:.3f} s went into opening the device", engine.device_seconds());
  say(api::Level::kInfo, fmt::format("Engine {} in {:.{}f} s{}: {} layers, weights {:.1f} MiB, context {:.1f} MiB",
                                     builds  ? "built"
                                     : looks ? "read"
                                             : "loaded",
                                     seconds_since(start), builds ? 3 : 6, opened, engine.layers().size(),
                                     static_cast<double>(engine.weight_bytes()) / 1048576,
                                     static_cast<double>(engine.context_bytes()) / 1048576));
  if (!builds && !o.build.samples.data.empty()) o.build.given.push_back("--data");
  if (!builds) check_unbuilt(o.build, engine);
  if (!looks && !tells_first && is_here) tell_device(engine.backend(), api::Level::kInfo);
  return engine;
}

void run(BenchOptions& o) {
  set_loudness(o.build.verbose, o.build.quiet);
  check_options(o);
  const bool builds = o.load_engine.empty();
  const Shapes asked = parse_shapes("--shapes", o.build.shapes);
  choose_device(o.trtexec, o.build, o.load_engine, only_looks(o));
  leave_out_sources(o.trtexec, o.build);
  api::Values inputs;
  if (builds) inputs = load_inputs_for_build(o.inputs, o.build);
  if (o.trtexec.dry_run && builds) {
    static_cast<void>(make_profiles(o.build));
    say(api::Level::kInfo, "dry run: the options and the model are sound; nothing was built");
    return;
  }
  o.build.threads = threads_of(o, o.streams);
  if (!o.export_trace.empty()) o.build.events = std::make_shared<std::vector<BuildFlags::Event>>();
  if (o.trtexec.monitor_memory) o.taken_before = taken_memory();
  const api::Engine engine = obtain(o);
  if (o.trtexec.plan_version_only) {
    say(api::Level::kInfo, "built by Kiln " + engine.built_by());
    return;
  }
  if (o.trtexec.time_deserialize || o.trtexec.dry_run) return;
  tell_without_effect(o.trtexec, engine);
  if (!o.save_engine.empty()) engine.save(o.save_engine);
  if (o.dump_layers) show_layers(engine);
  if (o.trtexec.dump_profiles) show_profiles(engine);
  if (!o.export_layers.empty()) write_text(o.export_layers, engine.layer_information() + "\n");
  if (o.skip_inference) return;
  if (!builds) inputs = load_inputs(o.inputs, engine.io(), asked);
  if (o.latency_bound > 0) return find_bound(engine, o, inputs, asked);
  if (o.sweep) return sweep(engine, o, inputs, asked);
  measure_and_report(engine, o, inputs, asked);
}

}  // namespace

void add_bench(CLI::App& app, bool as_trtexec) {
  auto o = std::make_shared<BenchOptions>();
  o->as_trtexec = as_trtexec;
  app.add_option("--onnx", o->build.onnx, "ONNX model to build from");
  app.add_option("--loadEngine", o->load_engine, "Saved engine to load instead");
  add_rebuild_flag(app, o->rebuild_kernels);
  add_debug_sync_flag(app, o->debug_sync);
  app.add_option("--saveEngine", o->save_engine, "Save the engine to this file");
  add_build_flags(app, o->build);
  add_sample_flags(app, o->build.samples)->description(kBuildSamplesHelp);
  app.add_option("--iterations", o->iterations, "Inferences at least")
      ->check(CLI::Range(1, 1000000000))
      ->capture_default_str();
  app.add_option("--duration", o->duration, "Seconds at least")->check(not_negative())->capture_default_str();
  app.add_option("--warmUp", o->warm_up, "Milliseconds of warm-up")->check(not_negative())->capture_default_str();
  app.add_option("--avgRuns", o->average_runs, "Print averages over this many runs (default: of 10, when verbose)")
      ->check(CLI::Range(1, 1000000000));
  app.add_option("--idleTime", o->idle, "Milliseconds to sleep between inferences")
      ->check(not_negative())
      ->capture_default_str();
  app.add_option("--streams,--infStreams", o->streams, "Contexts that run side by side, a thread each")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--latencyBound", o->latency_bound,
                 "Find the highest load whose 99th percentile of latency is at most so many milliseconds")
      ->check(positive());
  app.add_flag("--sweep", o->sweep,
               "Measure throughput over numbers of streams and the batches that the profile takes");
  app.add_option("--sweepPicture", o->sweep_picture, "Draw what --sweep measured (.svg)");
  app.add_option(
      "--loadInputs,--inputs", o->inputs,
      "Input values: name:file,… (.npy, .npz, .pb or raw bytes), or one .npz with all; random where not given");
  app.add_option("--useOptimizationProfile,--useProfile", o->profile,
                 "Profile of the engine to use (default: the first that takes the shapes)")
      ->check(not_negative());
  app.add_option("--exportOutput", o->export_output, "Write the outputs as JSON");
  app.add_option("--exportTimes", o->export_times, "Write the time of each inference as JSON");
  app.add_option("--exportProfile", o->export_profile, "Write the time per layer as JSON");
  app.add_option("--exportLayerInfo", o->export_layers, "Write the layers as JSON");
  app.add_option("--exportTrace", o->export_trace,
                 "Write inferences and layers over time for Perfetto and chrome://tracing");
  app.add_flag("--dumpProfile", o->dump_profile, "Print the time per layer");
  app.add_option("--profileOrder", o->profile_order, "Order of --dumpProfile: as in the engine, or the slowest first")
      ->check(CLI::IsMember({"graph", "time"}))
      ->capture_default_str();
  app.add_flag("--dumpLayerInfo", o->dump_layers, "Print the layers");
  app.add_flag("--dumpOutput", o->dump_output, "Print the outputs");
  app.add_flag("--skipInference,--buildOnly", o->skip_inference, "Build only");
  app.add_option("--percentile", o->percentiles, "Percentiles to report")->capture_default_str();
  add_trtexec_options(app, o->trtexec, true);
  set_footer(app,
             "  kiln bench --onnx=resnet50.onnx --shapes=image:8x3x224x224 --saveEngine=resnet50.plan\n"
             "  kiln bench --loadEngine=resnet50.plan --dumpProfile --profileOrder=time\n"
             "  kiln bench --loadEngine=resnet50.plan --streams=2 --latencyBound=20\n");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
