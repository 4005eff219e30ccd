// include/kiln/kiln.h over the rooms.
#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>

#include "api/host_tensor.h"
#include "api/kiln_api.h"
#include "base/error.h"
#include "compiler/compile.h"
#include "frontends/onnx/import.h"
#include "ir/text.h"
#include "passes/rule_lists.h"
#include "runtime/context.h"

namespace kiln::api {
namespace {

class FunctionLogger final : public Logger {
 public:
  explicit FunctionLogger(LogFunction f) : f_(std::move(f)) {}
  void log(Severity severity, std::string_view message) noexcept override {
    if (!f_) return;
    try {
      f_(static_cast<Level>(severity), std::string(message));
    } catch (...) {
      f_ = nullptr;  // a sink that throws is not called again
    }
  }

 private:
  LogFunction f_;
};

TimingCache read_cache(const BuildOptions& options, const std::string& fingerprint, Logger& logger) {
  if (options.timing_cache.empty() || !std::filesystem::exists(options.timing_cache)) return TimingCache(fingerprint);
  try {
    return TimingCache::parse(FileMap::open(options.timing_cache)->bytes(), fingerprint);
  } catch (const Error& e) {
    logger.log(Severity::kWarning, std::string("the timing cache is not used: ") + e.what());
    return TimingCache(fingerprint);
  }
}

std::string report_text(const CompileReport& report) {
  std::string text;
  for (const auto& p : report.passes.passes)
    text += fmt::format("pass {:<16} {:8.2f} ms  {:5} patches  {:5} nodes after\n", p.pass, p.seconds * 1e3, p.patches,
                        p.nodes_after);
  for (const auto& [rule, count] : report.passes.counts) text += fmt::format("rule {:<32} {:5}\n", rule, count);
  text += fmt::format("total {:.2f} s (passes {:.2f} s, tactics {:.2f} s)\n", report.seconds_total,
                      report.seconds_passes, report.seconds_choice);
  return text;
}

std::vector<int64_t> known_dims(const kiln::Engine& engine, const plan::TensorInfo& info) {
  std::vector<int64_t> dims;
  const Symbols unbound(engine.dims().symbol_count());
  for (uint32_t d : info.dims) dims.push_back(engine.dims().evaluate(d, unbound).value_or(-1));
  return dims;
}

// From row-major order to the layout, or back.
void move_elements(const Layout& layout, const Dims& dims, int size, const std::byte* from, std::byte* to, size_t bytes,
                   bool there) {
  if (bytes == 0) return;
  if (layout.is_row_major()) {
    std::memcpy(to, from, bytes);
    return;
  }
  const Dims steps = strides(layout, dims);
  Dims index(dims.size(), 0);
  const auto width = static_cast<size_t>(size);
  for (size_t i = 0; i * width < bytes; ++i) {
    int64_t at = 0;
    for (size_t d = 0; d < dims.size(); ++d) at += index[d] * steps[d];
    const size_t place = static_cast<size_t>(at) * width;
    std::memcpy(to + (there ? place : i * width), from + (there ? i * width : place), width);
    for (size_t d = dims.size(); d-- > 0 && ++index[d] == dims[d];) index[d] = 0;
  }
}

std::string describe(const kiln::Engine& engine, int32_t index) {
  if (index < 0) return "-";
  const plan::TensorInfo& info = tensor(engine, index);
  return info.name + " " + std::string(name(info.dtype)) + to_string(known_dims(engine, info)) +
         (info.layout.is_row_major() ? "" : " " + to_string(info.layout));
}

}  // namespace

Engine Engine::build(const BuildOptions& options) {
  return guarded([&] {
    FunctionLogger logger(options.log);
    auto graph = onnx::import_file(options.onnx, {.model_dir = "", .logger = &logger, .fixed_dims = {}});
    CompileOptions compile_options;
    compile_options.target = options.backend;
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
    const Target& target = options.backend.empty() ? *all_targets().front() : find_target(options.backend);
    TimingCache cache = read_cache(options, target.device().fingerprint(), logger);
    compile_options.tuner.level = options.optimization_level;
    compile_options.tuner.budget_seconds = options.time_budget_s;
    compile_options.tuner.iterations = options.average_iterations;
    compile_options.tuner.progress = options.progress;
    if (options.use_timing_cache) compile_options.tuner.cache = &cache;
    auto state = std::make_shared<State>();
    compile_options.after_stage = [&](const std::string& stage, const ir::Graph& g) {
      if (options.dump && stage == options.dump_stage) options.dump(ir::to_text(g));
      if (options.keep_graph && stage == kLastStage) state->graph = g.clone();
    };
    CompileReport report;
    plan::Plan plan = compile(std::move(graph), compile_options, &report);
    if (!options.timing_cache.empty() && options.use_timing_cache) write_file(options.timing_cache, cache.serialize());
    state->engine = kiln::Engine::from_plan(std::move(plan));
    state->report = report_text(report);
    for (const LayerReport& layer : report.layers) state->built_ms[layer.name] = layer.milliseconds;
    return Engine(std::move(state));
  });
}

Engine Engine::load(const std::string& path) {
  return guarded([&] {
    auto state = std::make_shared<State>();
    state->engine = kiln::Engine::load_file(path);
    return Engine(std::move(state));
  });
}

void Engine::save(const std::string& path) const {
  guarded([&] { plan::write_file(state_->engine->plan(), path); });
}

std::string Engine::name() const { return state_->engine->plan().name; }
std::string Engine::backend() const { return state_->engine->plan().device; }
size_t Engine::context_bytes() const { return state_->engine->context_memory(); }
size_t Engine::weight_bytes() const { return state_->engine->plan().constants.size(); }
std::string Engine::build_report() const { return state_->report; }

std::vector<IoTensor> Engine::io() const {
  const kiln::Engine& engine = *state_->engine;
  std::vector<IoTensor> list;
  for (size_t i = 0; i < engine.main().inputs.size(); ++i) {
    const plan::TensorInfo& info = tensor(engine, engine.main().inputs[i]);
    std::vector<Bounds> profiles;
    for (const plan::Profile& p : engine.plan().profiles)
      profiles.push_back({p.inputs[i].min, p.inputs[i].opt, p.inputs[i].max});
    list.push_back({info.name, std::string(kiln::name(info.dtype)), known_dims(engine, info), profiles, true});
  }
  for (int32_t t : engine.main().outputs) {
    const plan::TensorInfo& info = tensor(engine, t);
    list.push_back({info.name, std::string(kiln::name(info.dtype)), known_dims(engine, info), {}, false});
  }
  return list;
}

std::vector<LayerInfo> Engine::layers() const {
  const kiln::Engine& engine = *state_->engine;
  std::vector<LayerInfo> list;
  for (const plan::StepInfo& step : engine.main().steps) {
    LayerInfo layer{step.name, step.op, step.device, step.kernel, step.tactic, step.origins, {}, {}, -1};
    for (int32_t t : step.inputs) layer.inputs.push_back(describe(engine, t));
    for (int32_t t : step.outputs) layer.outputs.push_back(describe(engine, t));
    if (auto it = state_->built_ms.find(step.name); it != state_->built_ms.end()) layer.built_ms = it->second;
    list.push_back(std::move(layer));
  }
  return list;
}

std::string Engine::description() const {
  nlohmann::ordered_json json;
  json["name"] = name();
  json["backend"] = backend();
  json["built_by"] = state_->engine->plan().built_by;
  json["fingerprint"] = state_->engine->plan().fingerprint;
  json["context_bytes"] = context_bytes();
  json["weight_bytes"] = weight_bytes();
  for (const IoTensor& t : io())
    json[t.is_input ? "inputs" : "outputs"].push_back({{"name", t.name}, {"type", t.type}, {"dims", t.dims}});
  for (const LayerInfo& l : layers())
    json["layers"].push_back({{"name", l.name},
                              {"op", l.op},
                              {"backend", l.backend},
                              {"kernel", l.kernel},
                              {"tactic", l.tactic},
                              {"origins", l.origins},
                              {"inputs", l.inputs},
                              {"outputs", l.outputs}});
  return json.dump(2);
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session Engine::create_session() const {
  return guarded([&] {
    auto state = std::make_unique<Session::State>();
    state->engine = state_->engine;
    state->context = state->engine->create_context();
    state->stream = state->engine->device().create_stream();
    state->start = state->engine->device().create_event();
    state->stop = state->engine->device().create_event();
    auto* outputs = &state->sized_outputs;
    state->context->set_output_allocate([outputs](std::string_view name, size_t size) -> void* {
      auto& bytes = (*outputs)[std::string(name)];
      bytes.resize(size);
      return bytes.data();
    });
    return Session(std::move(state));
  });
}

void Session::set_profile(int profile) {
  guarded([&] { state_->check(state_->context->set_profile(profile)); });
  state_->shapes_changed = true;
}

void Session::set_shape(const std::string& input, const std::vector<int64_t>& dims) {
  guarded([&] {
    const int32_t t = state_->index(input);
    state_->check(state_->context->set_input_dims(t, dims));
    state_->buffer(t, dims);
    state_->shapes_changed = true;
  });
}

void Session::set_input(const std::string& input, const HostTensor& host) {
  set_shape(input, host.dims);
  guarded([&] {
    Tensor& held = state_->buffers.at(state_->index(input));
    if (host.type != name(held.dtype()))
      throw Error(Code::kTypeMismatch,
                  "input '" + input + "' is " + std::string(name(held.dtype())) + ", the given tensor is " + host.type);
    if (host.data.size() != static_cast<size_t>(held.bytes()))
      throw Error(Code::kShapeMismatch,
                  "the tensor given for '" + input + "' has " + std::to_string(host.data.size()) + " bytes");
    move_elements(tensor(*state_->engine, state_->index(input)).layout, held.dims(), bits(held.dtype()) / 8,
                  host.data.data(), static_cast<std::byte*>(held.mutable_data()), host.data.size(), true);
  });
}

void Session::enqueue() {
  if (state_->shapes_changed) {
    guarded([&] {
      state_->check(state_->context->prepare());
      for (int32_t t : state_->engine->main().outputs)
        if (tensor(*state_->engine, t).storage != plan::Storage::kSlot) state_->buffer(t, *state_->context->dims(t));
    });
    state_->shapes_changed = false;
  }
  if (Status s = state_->context->enqueue(*state_->stream); !s.ok()) guarded([&] { state_->check(s); });
}

void Session::synchronize() {
  guarded([&] { throw_if_error(state_->stream->synchronize()); });
}

std::vector<int64_t> Session::shape(const std::string& name) {
  return guarded([&] {
    const auto* dims = state_->context->dims(state_->index(name));
    if (!dims) throw Error(Code::kShapeNotSet, "the shape of '" + name + "' is not known yet");
    return *dims;
  });
}

HostTensor Session::output(const std::string& name) {
  return guarded([&] {
    synchronize();
    const int32_t t = state_->index(name);
    if (tensor(*state_->engine, t).storage != plan::Storage::kSlot) {
      const Tensor& held = state_->buffers.at(t);
      HostTensor host = to_host(held);
      move_elements(tensor(*state_->engine, t).layout, held.dims(), bits(held.dtype()) / 8,
                    static_cast<const std::byte*>(held.data()), host.data.data(), host.data.size(), false);
      return host;
    }
    return HostTensor{std::string(kiln::name(tensor(*state_->engine, t).dtype)), shape(name),
                      state_->sized_outputs[name]};
  });
}

void Session::record_start() {
  guarded([&] { throw_if_error(state_->start->record(*state_->stream)); });
}

double Session::record_stop_ms() {
  return guarded([&] {
    throw_if_error(state_->stop->record(*state_->stream));
    return state_->stop->milliseconds_since(*state_->start);
  });
}

std::vector<std::pair<std::string, double>> Session::profile() {
  struct Collect final : StepProfiler {
    std::vector<std::pair<std::string, double>> times;
    void report(const plan::StepInfo& step, double ms) noexcept override { times.emplace_back(step.name, ms); }
  } collect;
  state_->context->set_profiler(&collect);
  enqueue();
  state_->context->set_profiler(nullptr);
  return std::move(collect.times);
}

Values evaluate_model(const std::string& path, const Values& inputs) {
  return guarded([&] {
    auto graph = onnx::import_file(path);
    const std::vector<Datum> results = ir::evaluate(*graph, arguments_of(*graph, inputs));
    Values outputs;
    for (size_t i = 0; i < results.size(); ++i) outputs[graph->outputs()[i]->name()] = to_host(results[i].tensor);
    return outputs;
  });
}

std::vector<IoTensor> model_io(const std::string& path) {
  return guarded([&] {
    auto graph = onnx::import_file(path);
    std::vector<IoTensor> list;
    auto add = [&](const ir::Value* v, bool input) {
      IoTensor t{v->name(), std::string(name(v->dtype())), {}, {}, input};
      for (const Dim& d : v->shape()) t.dims.push_back(d.constant().value_or(-1));
      list.push_back(std::move(t));
    };
    for (const ir::Value* v : graph->inputs()) add(v, true);
    for (const ir::Value* v : graph->outputs()) add(v, false);
    return list;
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
  std::vector<std::string> names;
  for (const auto* rule : passes::canonical_rules()) names.push_back(rule->name);
  for (const auto* rule : passes::fusion_rules()) names.push_back(rule->name);
  for (const auto* rule : passes::precision_rules()) names.push_back(rule->name);
  for (const auto* rule : passes::narrow_rules()) names.push_back(rule->name);
  return names;
}

std::vector<std::string> list_tactics(const std::string& backend) {
  return guarded([&] {
    std::vector<std::string> names;
    for (const Tactic* t : find_target(backend).all_tactics()) names.push_back(t->name);
    return names;
  });
}

std::string version() { return "0.1.0"; }

}  // namespace kiln::api
