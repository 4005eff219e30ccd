// include/kiln/kiln.h over the rooms.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "api/graph_file.h"
#include "api/host_tensor.h"
#include "api/int8_choice.h"
#include "api/io_formats.h"
#include "api/kiln_api.h"
#include "backends/lent_devices.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/names.h"
#include "base/printable.h"
#include "base/version.h"
#include "base/work.h"
#include "compiler/compile.h"
#include "compiler/extents.h"
#include "device/load_back_end.h"
#include "ir/text.h"
#include "passes/rule_lists.h"
#include "runtime/context.h"
#include "target/device_facts.h"
#include "target/workload.h"
#include "tensor/number_text.h"

namespace kiln::api {
namespace {

class FunctionLogger final : public Logger {
 public:
  explicit FunctionLogger(LogFunction f) : f_(std::move(f)) {}
  void log(Severity severity, std::string_view message) noexcept override {
    if (!f_) return;
    try {
      f_(static_cast<Level>(severity), kiln::printable(message));
    } catch (...) {
      f_ = nullptr;  // a sink that throws is not called again
    }
  }

 private:
  LogFunction f_;
};

TimingCache read_cache(const BuildOptions& options, const std::string& fingerprint, Logger& logger) {
  if (options.timing_cache.empty()) return TimingCache(fingerprint);
  try {
    return TimingCache::load(options.timing_cache, fingerprint);
  } catch (const Error& e) {
    if (e.code() == Code::kNotFound) return TimingCache(fingerprint);
    logger.log(Severity::kWarning, std::string("the timing cache is not used: ") + e.what());
    return TimingCache(fingerprint);
  }
}

// The times that a file holds now; none when it is damaged, and those of this build take its place. Throws when they are another device's: they
// stay.
TimingCache times_in(std::span<const std::byte> bytes, const std::string& fingerprint, Logger& logger) {
  if (bytes.empty()) return TimingCache(fingerprint);
  try {
    return TimingCache::parse(bytes, fingerprint);
  } catch (const Error& e) {
    const std::string_view device = TimingCache::device_of(bytes);
    if (!device.empty() && device != fingerprint) throw;
    logger.log(Severity::kVerbose, std::string("the timing cache begins anew: ") + e.what());
    return TimingCache(fingerprint);
  }
}

// Adds times and code to what other builds wrote meanwhile. The engine is worth more than its cache: a failure is a warning.
void keep_times(const BuildOptions& options, const TimingCache& cache, const std::string& fingerprint, Logger& logger,
                bool failed) {
  if (options.timing_cache.empty() || !options.use_timing_cache || (failed && cache.is_empty())) return;
  const auto join = [&](std::span<const std::byte> bytes) {
    TimingCache joined = cache;
    const TimingCache old = times_in(bytes, fingerprint, logger);
    joined.combine(old, false);
    const size_t kept = joined.code().all().size(), fresh = kept - std::min(kept, old.code().all().size());
    logger.log(Severity::kVerbose, "the timing cache has the code of " + std::to_string(kept) + " kernels, " +
                                       std::to_string(fresh) + " of them new");
    return joined.serialize();
  };
  try {
    update_file(options.timing_cache, join, {TimingCache::kFileKind});
  } catch (const Error& e) {
    logger.log(Severity::kWarning, std::string("the timing cache is not written: ") + e.what());
  }
}

std::map<std::string, Workload> workloads_of(const ir::Graph& graph, const std::vector<ProfileBounds>& profiles) {
  const Extents extents(graph, profiles);
  std::map<std::string, Workload> work;
  for (const auto& node : graph.nodes())
    work[node->name()] = workload_of(*node, [&](const Shape& shape) { return extents.guess(shape, 1); });
  return work;
}

// Refuses names that are no rule, no tactic, and no device or library of tactics.
void check_disabled(const std::vector<std::string>& disabled) {
  std::vector<std::string> known = list_rules();
  std::set<std::string> owners(lent_devices().begin(), lent_devices().end());
  for (const Target* target : all_targets())
    for (const Tactic* t : target->tactics().all()) {
      known.push_back(t->name);
      for (const std::string& owner : {t->device, t->library})
        if (!owner.empty()) owners.insert(owner);
    }
  known.insert(known.end(), owners.begin(), owners.end());
  for (const std::string& name : disabled)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw Error(Code::kNotFound,
                  "nothing is called '" + name + "' that could be disabled" + kiln::name_hint(name, known))
          .remedy("kiln list rules; kiln list tactics");
}

constexpr std::string_view kBothTypes = "float16+bfloat16";

DType precision_of(const std::string& text) {
  const auto type = dtype_from_name(text);
  if (type == DType::kF32 || type == DType::kF16 || type == DType::kBF16) return *type;
  throw Error(Code::kInvalidArgument, "a network does not compute in '" + text + "'")
      .remedy("choose float32, float16, bfloat16 or float16+bfloat16");
}

// Makes the values outputs that are only watched.
void mark_debug(ir::Graph& graph, const std::vector<std::string>& names, CompileOptions& options) {
  if (names.empty()) return;
  std::vector<ir::Value*> outputs = graph.outputs();
  options.returned = outputs.size();
  for (const std::string& name : std::set<std::string>(names.begin(), names.end())) {
    ir::Value* value = graph.find_value(name);
    if (!value || value->is_input() || value->constant()) {
      std::vector<std::string> known;
      for (const auto& node : graph.nodes())
        for (const ir::Value* result : node->outputs()) known.push_back(result->name());
      throw Error(Code::kNotFound, "the model computes no value '" + name + "'" + kiln::name_hint(name, known))
          .remedy("mark results of nodes as debug tensors");
    }
    const auto at = std::find(outputs.begin(), outputs.end(), value);
    options.watched.push_back({static_cast<size_t>(at - outputs.begin()), plan::Watch::kShown, "", ""});
    if (at == outputs.end()) outputs.push_back(value);
  }
  graph.set_outputs(std::move(outputs));
}

// What the engine is built for: a back end, and the times that are known of its device.
struct Goal {
  std::string back_end;
  std::map<std::string, double> times;
};

// Makes the device of the profile known when there is one.
Goal goal_of(const BuildOptions& options) {
  if (options.device_profile.empty()) return {options.backend, {}};
  DeviceProfile profile = parse_device_profile(FileMap::open(options.device_profile)->bytes(), options.device_profile);
  if (!options.backend.empty() && options.backend != profile.back_end)
    throw Error(Code::kInvalidArgument, "the profile '" + options.device_profile + "' is of the back end '" +
                                            profile.back_end + "', not of '" + options.backend + "'")
        .remedy("leave out the back end, or give the profile of one of its devices");
  static std::mutex mutex;
  static std::map<std::string, std::string> described;  // back end: text of the profile
  std::lock_guard lock(mutex);
  Goal goal{profile.back_end, std::exchange(profile.times, {})};
  const std::string text = device_profile_text(profile);
  if (const auto known = described.find(profile.back_end); known == described.end() || known->second != text)
    describe_device(profile.back_end, profile.facts);
  described[profile.back_end] = text;
  return goal;
}

void put_few_bits(const BuildOptions& options, CompileOptions& to) {
  to.ranges = options.ranges;
  to.range_options.slower.insert(options.slower_in_int8.begin(), options.slower_in_int8.end());
  to.range_options.corrects_bias = options.corrects_bias;
  to.range_options.smoothing = options.smoothing;
  if (!(options.smoothing >= 0 && options.smoothing <= 1))
    throw Error(Code::kInvalidArgument, "channels are smoothed by " + std::to_string(options.smoothing))
        .remedy("give a number from 0, not at all, to 1");
  for (const auto& [name, channels] : options.channels)
    to.range_options.channels[name] = {channels.mean, channels.most};
  to.equalizes = options.equalizes;
  if (options.weight_bits == 0 && options.weight_block == 0) return;
  if ((options.weight_bits != 4 && options.weight_bits != 8) || options.weight_block < 0)
    throw Error(Code::kInvalidArgument, "weights of " + std::to_string(options.weight_bits) + " bits in blocks of " +
                                            std::to_string(options.weight_block))
        .remedy("choose 4 or 8 bits");
  to.weights = {options.weight_bits == 4 ? DType::kI4 : DType::kI8, options.weight_block};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// What takes time beside compile().
struct Beside {
  double read = 0, loaded = 0;  // seconds
};

std::string report_text(const CompileReport& report, const Beside& beside) {
  std::string text;
  for (const auto& p : report.passes.passes)
    text += fmt::format("pass {:<16} {:8.2f} ms  {:5} patches  {:5} nodes after\n", p.pass, p.seconds * 1e3, p.patches,
                        p.nodes_after);
  for (const auto& [rule, count] : report.passes.counts) text += fmt::format("rule {:<32} {:5}\n", rule, count);
  text += fmt::format("total {:.2f} s (passes {:.2f} s, tactics {:.2f} s), and {:.2f} s to read, {:.2f} s to load\n",
                      report.seconds_total, report.seconds_passes, report.seconds_choice, beside.read, beside.loaded);
  return text;
}

// A build for a device that is not here knows only the times that it was given.
void warn_of_guesses(const BuildOptions& options, const std::vector<LayerReport>& layers, Logger& logger) {
  if (options.device_profile.empty()) return;
  const auto guessed = std::count_if(layers.begin(), layers.end(), [](const LayerReport& l) { return l.guessed; });
  if (guessed == 0) return;
  logger.log(Severity::kWarning,
             fmt::format(
                 "{} of {} layers {} untuned: '{}'{} no times of them, so that they have tactics by their order "
                 "(remedy: build with --timingCacheFile=FILE where the device is, and take FILE to this build; "
                 "`kiln list devices --saveProfile=PROFILE --timingCacheFile=FILE` there keeps its times in a profile)",
                 guessed, layers.size(), guessed == 1 ? "is" : "are", options.device_profile,
                 options.timing_cache.empty() ? " has" : " and '" + options.timing_cache + "' have"));
}

// Starting a device takes as long as reading a model. What fails is told to who wants the device.
std::future<void> start_device(const Target& target) {
  load_back_end(std::string(target.name()));
  return std::async(std::launch::async, [&target] {
    try {
      static_cast<void>(target.device());
    } catch (const Error&) {
      return;
    }
  });
}

// What holds for the whole of a build.
WorkLimits limits_of(const BuildOptions& options) {
  if (!(options.time_limit_s > 0) || options.memory_limit < 0)
    throw Error(Code::kInvalidArgument, "a build within " + real_text(options.time_limit_s) + " s and " +
                                            std::to_string(options.memory_limit) + " bytes")
        .remedy("give a positive limit of time, and one of memory that is not negative");
  WorkLimits limits{.name = "the build", .stopped = options.stop};
  limits.seconds = options.time_limit_s;
  limits.deadline = deadline_after(options.time_limit_s);
  limits.most_bytes = options.memory_limit > 0 ? options.memory_limit : machine_bytes();
  return limits;
}

}  // namespace

Engine Engine::build(const BuildOptions& options) {
  // Without a device nothing can be compared.
  const bool compares = options.compares_int8 && options.optimization_level > 0 && options.device_profile.empty();
  if (compares && (!options.ranges.empty() || guarded([&] { return is_quantized_network(options.onnx); })))
    return build_by_time(options);
  BuildMemory memory;
  return Engine(build_once(options, memory));
}

std::shared_ptr<Engine::State> build_once(const BuildOptions& options, BuildMemory& memory) {
  return guarded([&] {
    const WorkScope scope(limits_of(options));
    FunctionLogger logger(options.log);
    const Goal goal = goal_of(options);
    const std::string& backend = goal.back_end;
    const Target& target = backend.empty() ? default_target() : find_target(backend);
    check_disabled(options.disabled);
    const std::future<void> starts = start_device(target);
    Beside beside;
    const auto start = std::chrono::steady_clock::now();
    auto graph = load_model(options.onnx, &logger);
    beside.read = seconds_since(start);
    CompileOptions compile_options;
    compile_options.target = backend;
    compile_options.name = std::filesystem::path(options.onnx).stem().string();
    compile_options.logger = &logger;
    for (const Profile& profile : options.profiles) {
      ProfileBounds bounds;
      for (const auto& [input, b] : profile) bounds[input] = {b.min, b.opt, b.max};
      compile_options.profiles.push_back(std::move(bounds));
    }
    compile_options.passes.disabled.insert(options.disabled.begin(), options.disabled.end());
    compile_options.passes.stop_after = options.stop_after;
    compile_options.passes.logger = &logger;
    TimingCache cache = read_cache(options, target.device().fingerprint(), logger);
    if (memory.times) cache.combine(*memory.times, true);
    cache.put_times(goal.times);
    const bool both = options.precision == kBothTypes;
    compile_options.precisions = {.compute = both ? DType::kF16 : precision_of(options.precision),
                                  .second = both ? DType::kBF16 : DType::kF32,
                                  .tf32 = options.tf32};
    for (const auto& [layer, type] : options.layer_precisions)
      compile_options.precisions.layers.push_back({layer, precision_of(type), true});
    compile_options.precisions.obey = options.obey_precisions;
    if (options.workspace >= 0) compile_options.tuner.workspace = static_cast<size_t>(options.workspace);
    put_few_bits(options, compile_options);
    compile_options.tuner.level = options.optimization_level;
    compile_options.tuner.budget_seconds = options.time_budget_s;
    compile_options.tuner.iterations = options.average_iterations;
    compile_options.tuner.keeps_code = options.use_compilation_cache;
    compile_options.tuner.cache_only = options.timing_cache_only && options.use_timing_cache;
    compile_options.tuner.max_candidates = options.max_candidates;
    compile_options.tuner.max_threads = options.max_threads;
    compile_options.max_aux_streams = options.max_aux_streams;
    compile_options.tuner.progress = options.progress;
    compile_options.tuner.enough = options.enough;
    compile_options.shows_results = options.debug_all;
    put_io_formats(options, *graph, compile_options);
    mark_debug(*graph, options.debug_tensors, compile_options);
    if (options.use_timing_cache) compile_options.tuner.cache = &cache;
    auto state = std::make_shared<Engine::State>();
    std::map<std::string, Workload> work;
    compile_options.after_stage = [&](const std::string& stage, const ir::Graph& g) {
      if (stage == kLastStage) work = workloads_of(g, compile_options.profiles);
      if (options.dump && stage == options.dump_stage) options.dump(ir::to_text(g));
      if (!options.dump_file.empty() && stage == options.dump_stage) save_graph(g, options.dump_file);
      if (options.keep_graph && stage == kLastStage) state->graph = g.clone();
    };
    CompileReport report;
    plan::Plan plan;
    try {
      plan = compile(std::move(graph), compile_options, &report);
    } catch (const Error&) {
      keep_times(options, cache, target.device().fingerprint(), logger, true);  // of a build that was stopped, too
      throw;
    }
    warn_of_guesses(options, report.layers, logger);
    std::vector<std::string> remarks = report.passes.remarks;
    for (const std::vector<std::string>& more : {options.remarks, memory.remarks})
      remarks.insert(remarks.end(), more.begin(), more.end());
    plan.build_info = notes_text(options_text(options), remarks, report.layers, work);
    memory.times = cache;
    keep_times(options, cache, target.device().fingerprint(), logger, false);
    const auto load_start = std::chrono::steady_clock::now();
    state->engine = kiln::Engine::from_plan(std::move(plan));
    beside.loaded = seconds_since(load_start);
    state->report = report_text(report, beside);
    for (const auto& fired : report.passes.fired)
      state->patches.push_back(fired.pass + ": " + fired.rule + ": " + fired.name);
    state->notes = parse_notes(state->engine->plan().build_info);
    return state;
  });
}

std::shared_ptr<Engine::State> Engine::State::open(const std::string& path, const kiln::LoadOptions& options) {
  auto state = std::make_shared<State>();
  state->engine = kiln::Engine::load_file(path, options);
  state->notes = parse_notes(state->engine->plan().build_info);
  return state;
}

Engine Engine::load(const std::string& path, const LoadOptions& options) {
  return guarded([&] {
    return Engine(
        State::open(path, {.allocator = nullptr, .copies = options.copies, .trusts_kernels = options.trusts_kernels}));
  });
}

Engine Engine::look(const std::string& path) {
  return guarded(
      [&] { return Engine(State::open(path, {.allocator = nullptr, .copies = false, .looks_only = true})); });
}

void Engine::save(const std::string& path) const {
  guarded([&] { plan::write_file(state_->engine->plan(), path); });
}

void Engine::check_place(const std::string& path) {
  guarded([&] { plan::check_writable(path); });
}

std::string Engine::name() const { return state_->engine->plan().name; }
std::string Engine::backend() const { return state_->engine->plan().device; }
bool Engine::on_host() const { return !state_->engine->plan().device_memory; }
size_t Engine::context_bytes() const { return state_->engine->context_memory(); }
double Engine::device_seconds() const { return state_->engine->device_seconds(); }
size_t Engine::weight_bytes() const { return state_->engine->plan().constants.size(); }
std::string Engine::built_by() const { return state_->engine->plan().built_by; }
std::string Engine::device() const { return state_->engine->plan().fingerprint; }
std::string Engine::build_options() const { return state_->notes.options; }
std::vector<std::string> Engine::remarks() const { return state_->notes.remarks; }
std::string Engine::build_report() const { return state_->report; }
size_t Engine::patches() const { return state_->patches.size(); }
std::vector<std::string> Engine::patch_list() const { return state_->patches; }

Values evaluate_model(const std::string& path, const Values& inputs, const ValueObserver& observer) {
  return guarded([&] {
    auto graph = load_model(path);
    ir::Observer show;
    if (observer)
      show = [&](const ir::Value& value, const Datum& result) {
        if (has_host_form(result)) observer(value.name(), to_host(result.tensor));
      };
    const std::vector<Datum> results = ir::evaluate(*graph, arguments_of(*graph, inputs), show);
    Values outputs;
    for (size_t i = 0; i < results.size(); ++i) outputs[graph->outputs()[i]->name()] = to_host(results[i].tensor);
    return outputs;
  });
}

std::vector<std::string> list_backends() {
  std::vector<std::string> names;
  for (const Target* t : all_targets()) names.emplace_back(t->name());
  return names;
}

std::vector<std::string> list_operators() {
  std::vector<std::string> names;
  for (const OpDef* op : all_ops()) names.push_back(op->name());
  return names;
}

std::vector<std::string> list_rules() {
  std::vector<std::string> names = passes::rule_names();
  for (const Target* target : all_targets())
    for (const passes::Rule* rule : target->rules()) names.push_back(rule->name);
  return names;
}

std::vector<std::string> list_tactics(const std::string& backend) {
  return guarded([&] {
    std::vector<std::string> names;
    for (const Tactic* t : find_target(backend).tactics().all()) names.push_back(t->name);
    return names;
  });
}

std::string version() { return std::string(kiln::version()); }

}  // namespace kiln::api
