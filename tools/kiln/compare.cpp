// kiln compare: an engine against the reference layer by layer, or against stored data.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <tuple>

#include "command.h"
#include "difference.h"
#include "onnxruntime.h"

namespace kiln::tool {
namespace {

namespace fs = std::filesystem;

struct CompareOptions {
  BuildFlags build;
  std::string model, data, inputs, engine, golden = "reference";
  double rtol = 1e-3, atol = 1e-5;
  size_t worst = 5;
  bool search = true;  // for the rule or tactic at fault
  bool asks_search = false;
  bool rebuild_kernels = false;
};

constexpr double kByteSteps = 127;  // of a quantised value from zero to its largest

// One step of the numbers at the outputs of a model that quantises: what a rounding that went the other way changes.
double output_quantum(const CompareOptions& o, const api::HostTensor& want) {
  static std::map<std::string, bool> known;
  const auto [it, added] = known.emplace(o.model, false);
  if (added && o.model.ends_with(".onnx"))
    for (const auto& [op, count] : api::model_info(o.model).operators)
      it->second = it->second || op.find("Quantize") != std::string::npos || op.starts_with("QLinear");
  return it->second
             ? std::max(largest_element(want) / kByteSteps, want.type.find("int") != std::string::npos ? 1.0 : 0.0)
             : 0;
}

struct DataSet {
  std::string folder;
  api::Values inputs, outputs;
};

struct CheckedLayer {
  size_t number;
  api::LayerInfo layer;
  std::string value;
  Difference difference;
};

struct CheckedOutputs {
  bool agree = true;
  double atol = 0;  // with which those that differ would agree
};

CheckedOutputs check_outputs(const std::vector<api::IoTensor>& outputs, const api::Values& got, const api::Values& want,
                             const CompareOptions& o, bool aloud = true) {
  CheckedOutputs checked;
  for (const api::IoTensor& io : outputs) {
    const Difference d =
        difference(got.at(io.name), want.at(io.name), {o.rtol, o.atol, 0, output_quantum(o, want.at(io.name))});
    if (aloud) say(d.agree ? api::Level::kInfo : api::Level::kError, "output '" + io.name + "' " + d.text());
    if (d.agree) continue;
    checked.agree = false;
    checked.atol = std::max(checked.atol, d.atol);
  }
  return checked;
}

// Two digits, not less than the number.
std::string rounded_up(double number) {
  const double step = std::pow(10, std::floor(std::log10(number)) - 1);
  return fmt::format("{:.2g}", std::ceil(number / step) * step);
}

// Which tolerance would do, and whether types of few bits account for it.
void tell_tolerance(const api::Engine& engine, double atol) {
  if (!std::isfinite(atol)) return;
  std::map<std::string, size_t> narrow;  // layers by the type that they compute in
  for (const api::LayerInfo& layer : engine.layers())
    if (const std::string& type = layer.computes; type == "int8" || type == "float16" || type == "bfloat16")
      ++narrow[type];
  std::vector<std::string> texts;
  for (const auto& [type, count] : narrow)
    texts.push_back(fmt::format("{} layer{} in {}", count, count == 1 ? "" : "s", type));
  say(api::Level::kInfo,
      fmt::format("all outputs agree with --atol={}, times the output's largest element{}", rounded_up(atol),
                  texts.empty() ? ""
                                : "; the engine computes " + join(texts, ", ") +
                                      ": differences of some hundredths in int8 and bfloat16, and thousandths in "
                                      "float16, are rounding"));
}

// ---- against stored data

api::Values read_files(const std::string& folder, const std::string& kind, const std::vector<api::IoTensor>& io) {
  api::Values values;
  for (size_t i = 0; i < io.size(); ++i)
    values[io[i].name] = api::load_tensor(fmt::format("{}/{}_{}.pb", folder, kind, i));
  if (const std::string more = fmt::format("{}/{}_{}.pb", folder, kind, io.size()); fs::exists(more))
    throw api::Failure(
        fmt::format("error[K1001] there is '{}', but the model has only {} {}s\n  remedy: check that the "
                    "data belong to this model",
                    more, io.size(), kind));
  return values;
}

// The folder itself, or its folders test_data_set_*.
std::vector<std::string> data_folders(const std::string& data) {
  if (!fs::is_directory(data))
    throw api::Failure("error[K1004] '" + data +
                       "' is not a folder\n  remedy: give a folder with input_K.pb and output_K.pb");
  std::vector<std::string> folders;
  for (const auto& entry : fs::directory_iterator(data))
    if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set_"))
      folders.push_back(entry.path().string());
  std::sort(folders.begin(), folders.end());
  if (folders.empty()) folders.push_back(data);
  return folders;
}

bool gives_shapes(const BuildFlags& flags) {
  return !flags.shapes.empty() || std::any_of(flags.profiles.begin(), flags.profiles.end(), [](const auto& p) {
    return !p.min.empty() || !p.opt.empty() || !p.max.empty();
  });
}

// One profile that takes the shapes of all sets, unless the user gave profiles: the engine is to be the one that is built with them.
void set_bounds(BuildFlags& flags, const std::vector<api::IoTensor>& inputs, const std::vector<DataSet>& sets) {
  if (gives_shapes(flags)) return;
  std::string min, opt, max;
  for (const api::IoTensor& io : inputs) {
    std::vector<int64_t> low = sets[0].inputs.at(io.name).dims, high = low;
    for (const DataSet& set : sets) {
      const auto& dims = set.inputs.at(io.name).dims;
      for (size_t i = 0; i < std::min(dims.size(), low.size()); ++i) {
        low[i] = std::min(low[i], dims[i]);
        high[i] = std::max(high[i], dims[i]);
      }
    }
    const std::string name = (min.empty() ? "" : ",") + io.name + ":";
    min += name + shape_text(low);
    opt += name + shape_text(sets[0].inputs.at(io.name).dims);
    max += name + shape_text(high);
  }
  flags.profiles[0] = {min, opt, max, ""};
}

// ---- against the reference

void report_layer(const CheckedLayer& l) {
  const auto line = [](const std::string& text) { say(api::Level::kError, text); };
  line(fmt::format("first layer that differs: {} '{}' ({})", l.number, l.layer.name, l.layer.op));
  line("  from: " + (l.layer.origins.empty() ? "-" : join(l.layer.origins, ", ")));
  line(fmt::format("  tactic: {}/{}, kernel {}", l.layer.backend, l.layer.tactic, l.layer.kernel));
  line("  inputs: " + join(l.layer.inputs, ", "));
  line("  outputs: " + join(l.layer.outputs, ", "));
  line("  value '" + l.value + "' " + l.difference.text());
  line("  remedy: --disable=" + l.layer.tactic + " leaves the tactic out; report it with the model");
}

void table(std::vector<CheckedLayer> checked, size_t rows) {
  std::stable_sort(checked.begin(), checked.end(),
                   [](const auto& a, const auto& b) { return a.difference.ratio > b.difference.ratio; });
  checked.resize(std::min(checked.size(), rows));
  if (checked.empty()) return;
  say(api::Level::kInfo, "layers with the largest differences, in units of what is allowed:");
  say(api::Level::kInfo, fmt::format("{:>5} {:>10} {:>10} {:>10}  {}", "layer", "of allowed", "absolute", "relative",
                                     "name, operator, tactic"));
  for (const CheckedLayer& c : checked)
    say(api::Level::kInfo, fmt::format("{:5} {:10.3g} {:10.3g} {:10.3g}  {} [{}] {}/{}", c.number, c.difference.ratio,
                                       c.difference.absolute, c.difference.relative, c.layer.name, c.layer.op,
                                       c.layer.backend, c.layer.tactic));
}

// ---- which layer

std::string name_in(const std::string& text) {  // of "name float32[1,2] channels-last"
  const size_t type = text.rfind(' ', text.rfind('['));
  return text.substr(0, type);
}

// Least distance of two elements: the step of a result that lies on a grid.
double smallest_gap(const api::HostTensor& tensor) {
  std::set<double> values;
  for (int64_t i = 0; i < api::element_count(tensor) && values.size() <= 512; ++i)
    values.insert(api::element(tensor, i));
  double gap = 0;
  for (auto it = values.begin(); it != values.end() && std::next(it) != values.end(); ++it)
    if (const double d = *std::next(it) - *it; std::isfinite(d) && d > 0 && (gap == 0 || d < gap)) gap = d;
  return values.size() <= 512 ? gap : 0;
}

double layer_quantum(const api::LayerInfo& layer, const api::HostTensor& want) {
  if (want.type == "int8" || want.type == "uint8" || want.type == "int4" || want.type == "uint4") return 1;
  const bool quantises =
      layer.op.find("Quantize") != std::string::npos || layer.name.find("uantize") != std::string::npos;
  return quantises ? smallest_gap(want) : 0;
}

// Each layer on what the engine's layer read. The network's outputs, and whether all layers agree.
std::pair<api::Values, bool> check_layers(const api::Engine& engine, const api::Values& inputs, int profile,
                                          const CompareOptions& o) {
  say(api::Level::kInfo, fmt::format("running {} layers, each also by the reference", engine.layers().size()));
  std::vector<CheckedLayer> checked;
  std::map<std::string, double> largest;  // element of each value that was seen
  for (const auto& [name, value] : inputs) largest[name] = largest_element(value);
  size_t number = 0;
  std::string last;
  api::Values got = engine.check_layers(
      inputs, profile,
      [&](const api::LayerInfo& layer, const std::string& value, const api::HostTensor& a, const api::HostTensor& b) {
        if (layer.name != last) ++number;
        last = layer.name;
        double scale = 0;  // of small results of larger inputs, as sums that nearly cancel
        for (const std::string& input : layer.inputs)
          if (const auto it = largest.find(name_in(input)); it != largest.end())
            scale = std::max(scale, std::min(1.0, it->second));
        largest[value] = largest_element(b);
        checked.push_back(
            {number - 1, layer, value, difference(a, b, {o.rtol, o.atol, scale, layer_quantum(layer, b)})});
      });
  const auto first = std::find_if(checked.begin(), checked.end(), [](const auto& c) { return !c.difference.agree; });
  const bool agree = first == checked.end();
  if (!agree) report_layer(*first);
  else say(api::Level::kInfo, fmt::format("all {} layers agree", engine.layers().size()));
  table(checked, o.worst);
  return {got, agree};
}

// Its outputs; the observer sees the results of all layers.
api::Values run_engine(const api::Engine& engine, const api::Values& inputs, int profile, int threads,
                       const api::ResultObserver& observer = nullptr) {
  api::Session session = engine.create_session(threads);
  session.set_profile(profile);
  for (const auto& [name, value] : inputs) session.set_input(name, value);
  if (observer) session.observe(observer);
  session.enqueue();
  api::Values got;
  for (const api::IoTensor& io : of_kind(engine.io(), false)) got[io.name] = session.output(io.name);
  return got;
}

// ---- a saved engine, which does not hold the graph that its layers could be checked by

// What the rounding of some layers to the type changes in numbers near 1.
double step_of(const std::string& type) {
  static const std::map<std::string, double> steps = {{"float16", 0x1p-10}, {"bfloat16", 0x1p-7}};
  const auto it = steps.find(type);
  return it == steps.end() ? 0 : it->second;
}

// The model's values beside the results of its layers that have their names.
class SavedLayers {
 public:
  explicit SavedLayers(const api::Engine& engine) {
    for (const api::LayerInfo& layer : engine.layers())
      for (const std::string& output : layer.outputs) names_.insert(name_in(output));
  }

  // A value of the model, by the reference.
  void expect(const std::string& value, const api::HostTensor& result) {
    if (names_.contains(value)) wanted_[value] = result;
  }

  // A result of a layer, in order.
  void compare(const api::LayerInfo& layer, const std::string& value, const api::HostTensor& got,
               const CompareOptions& o) {
    if (layers_.empty() || layers_.back().name != layer.name) layers_.push_back(layer);
    const size_t number = layers_.size() - 1;
    const auto text = [&](const std::string& wanted) {
      return fmt::format("'{}' {}{} of '{}'", api::printable(value), got.type, wanted, api::printable(layer.name));
    };
    const auto it = wanted_.find(value);
    if (it == wanted_.end()) {
      strangers_.emplace(number, text(""));
      return;
    }
    const api::HostTensor& want = it->second;
    if (got.dims != want.dims || (got.type != want.type && !(is_float(got.type) && is_float(want.type)))) {
      others_.emplace(number,
                      text(fmt::format(" {}, not {} {},", shape_text(got.dims), want.type, shape_text(want.dims))));
      return;
    }
    const double step = std::max(step_of(got.type), step_of(want.type));
    const Tolerance allowed{std::max(o.rtol, step), std::max(o.atol, step), 0, layer_quantum(layer, want)};
    checked_.push_back({number, layer, value, difference_of_values(got, want, allowed)});
  }

  void tell(size_t rows) const {
    std::set<size_t> compared;
    for (const CheckedLayer& c : checked_) compared.insert(c.number);
    say(api::Level::kInfo,
        fmt::format("{} of {} layers have a result that the model has, too, and are compared with it; differences add "
                    "up along the network",
                    compared.size(), layers_.size()));
    if (!others_.empty()) say(api::Level::kInfo, "of another type or shape than in the model: " + first_of(others_));
    if (!strangers_.empty())
      say(api::Level::kInfo, "not in the model, for passes made or changed them: " + first_of(strangers_));
    table(checked_, rows);
  }

 private:
  using Texts = std::map<size_t, std::string>;  // of one result of each layer

  static std::string first_of(const Texts& texts) {
    constexpr size_t kNamed = 4;
    std::vector<std::string> named;
    for (const auto& [layer, text] : texts)
      if (named.size() < kNamed) named.push_back(text);
    return join(named, ", ") + (texts.size() > named.size() ? ", …" : "");
  }

  std::set<std::string> names_;                    // of the layers' results
  std::map<std::string, api::HostTensor> wanted_;  // the model's values of these names
  std::vector<api::LayerInfo> layers_;
  Texts strangers_, others_;
  std::vector<CheckedLayer> checked_;
};

// The outputs of a saved engine, and those of the model by the reference.
std::pair<api::Values, api::Values> compare_saved_layers(const api::Engine& engine, const api::Values& inputs,
                                                         int profile, const CompareOptions& o) {
  SavedLayers layers(engine);
  say(api::Level::kInfo, "evaluating the model as it was given by the reference");
  api::Values want = api::evaluate_model(
      o.model, inputs, [&](const std::string& value, const api::HostTensor& result) { layers.expect(value, result); });
  api::Values got = run_engine(engine, inputs, profile, o.build.threads,
                               [&](const api::LayerInfo& layer, const std::string& value,
                                   const api::HostTensor& result) { layers.compare(layer, value, result, o); });
  layers.tell(o.worst);
  return {std::move(got), std::move(want)};
}

// ---- which rule or tactic

// A build whose outputs are compared once more: by the first tactics that fit, without a word.
class Search {
 public:
  Search(const CompareOptions& o, api::Values inputs, api::Values want)
      : o_(o), inputs_(std::move(inputs)), want_(std::move(want)) {
    o_.build.keep_graph = false;
    o_.build.timing_cache.clear();
    o_.build.silent = true;
  }

  void tell(const api::Engine& engine) {
    say(api::Level::kInfo, "looking for the rule or tactic at fault");
    if (agrees(0, "")) return tell_rule(engine);
    std::set<std::string> tactics;
    for (const api::LayerInfo& layer : engine.layers()) tactics.insert(layer.tactic);
    tactics.erase("reference");
    for (const std::string& tactic : tactics)
      if (agrees(-1, tactic)) {
        say(api::Level::kError, "the outputs agree without tactic '" + tactic + "' (remedy: --disable=" + tactic + ")");
        return;
      }
    say(api::Level::kWarning,
        "no single rule or tactic is at fault: small differences add up along the network (remedy: larger --rtol, "
        "--atol)");
  }

 private:
  void tell_rule(const api::Engine& engine) {
    const std::vector<std::string> patches = engine.patch_list();
    size_t good = 0, bad = patches.size();
    if (bad == 0 || agrees(static_cast<int64_t>(bad), "")) {
      say(api::Level::kWarning,
          "with tactics by their order the outputs agree: a measured choice is at fault, or differences "
          "near the tolerance add up (remedy: --builderOptimizationLevel=0, larger --rtol, --atol)");
      return;
    }
    while (bad - good > 1) {
      const size_t middle = (good + bad) / 2;
      (agrees(static_cast<int64_t>(middle), "") ? good : bad) = middle;
    }
    const std::string& patch = patches[bad - 1];
    const std::string rule = split(patch, ':').at(1).substr(1);
    say(api::Level::kError,
        fmt::format("the outputs differ from patch {} of {} on: {} (remedy: --disable={}, or --stop-after={})", bad,
                    patches.size(), patch, rule, good));
  }

  bool agrees(int64_t patches, const std::string& disabled) {
    CompareOptions o = o_;
    o.build.level = 0;
    o.build.stop_after = patches;
    if (!disabled.empty()) o.build.disable += (o.build.disable.empty() ? "" : ",") + disabled;
    const api::Engine engine = build_engine(o.build);
    api::Session session = engine.create_session(o.build.threads);
    session.set_profile(choose_profile(engine, inputs_, {}, -1));
    for (const auto& [name, value] : inputs_) session.set_input(name, value);
    session.enqueue();
    const auto outputs = of_kind(engine.io(), false);
    api::Values got;
    for (const api::IoTensor& io : outputs) got[io.name] = session.output(io.name);
    return check_outputs(outputs, got, want_, o, false).agree;
  }

  CompareOptions o_;
  api::Values inputs_, want_;
};

// ---- the comparisons

api::Values golden_outputs(const CompareOptions& o, const api::Values& inputs,
                           const std::vector<api::IoTensor>& outputs) {
  if (o.golden == "onnxruntime") {
    say(api::Level::kInfo, "running the model by ONNX Runtime");
    return run_onnxruntime(o.model, inputs, outputs);
  }
  say(api::Level::kInfo, "evaluating the model as it was given by the reference");
  return api::evaluate_model(o.model, inputs);
}

std::string text_of(const std::vector<api::IoTensor>& list) {
  std::vector<std::string> texts;
  for (const api::IoTensor& io : list) texts.push_back(io.name + " " + io.type + " " + shape_text(io.dims));
  return join(texts, ", ");
}

// Whether values of one network may be those of another: dimensions that either leaves open are any.
bool are_alike(const std::vector<api::IoTensor>& a, const std::vector<api::IoTensor>& b) {
  const auto same_dim = [](int64_t x, int64_t y) { return x == y || x < 0 || y < 0; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](const api::IoTensor& x, const api::IoTensor& y) {
    return x.name == y.name && x.type == y.type && x.collection == y.collection &&
           std::equal(x.dims.begin(), x.dims.end(), y.dims.begin(), y.dims.end(), same_dim);
  });
}

api::Engine engine_for(const CompareOptions& o) {
  if (o.engine.empty()) return build_engine(o.build);
  const api::Engine engine = api::Engine::load(o.engine, {.trusts_kernels = !o.rebuild_kernels});
  check_unbuilt(o.build, engine);
  const auto model = api::model_io(o.model), own = engine.io();
  for (const bool inputs : {true, false})
    if (const auto given = of_kind(own, inputs), wanted = of_kind(model, inputs); !are_alike(given, wanted))
      throw api::Failure(
          fmt::format("error[K1001] '{0}' is no engine of '{1}'\n  cause: the {2} of the engine are {3}, "
                      "those of the model {4}\n  remedy: kiln build {1}",
                      o.engine, o.model, inputs ? "inputs" : "outputs", text_of(given), text_of(wanted)));
  return engine;
}

// Where stored outputs differ from the engine's.
void tell_layers(const api::Engine& engine, const DataSet& set, int profile, const CompareOptions& o) {
  if (!o.engine.empty()) {
    compare_saved_layers(engine, set.inputs, profile, o);
    return;
  }
  const bool layers_agree = check_layers(engine, set.inputs, profile, o).second;
  if (layers_agree && o.search) Search(o, set.inputs, set.outputs).tell(engine);
}

bool compare_with_data(CompareOptions& o) {
  const auto model = api::model_io(o.model);
  const auto inputs = of_kind(model, true), outputs = of_kind(model, false);
  std::vector<DataSet> sets;
  for (const std::string& folder : data_folders(o.data))
    sets.push_back({folder, read_files(folder, "input", inputs), read_files(folder, "output", outputs)});
  set_bounds(o.build, inputs, sets);
  o.build.keep_graph = true;
  const api::Engine engine = engine_for(o);
  bool all = true;
  double atol = 0;
  for (const DataSet& set : sets) {
    say(api::Level::kInfo, "data of " + set.folder);
    const int profile = choose_profile(engine, set.inputs, {}, -1);
    const api::Values got = run_engine(engine, set.inputs, profile, o.build.threads);
    const CheckedOutputs checked = check_outputs(outputs, got, set.outputs, o);
    if (!checked.agree && all) tell_layers(engine, set, profile, o);  // the first set that differs
    all = all && checked.agree;
    atol = std::max(atol, checked.atol);
  }
  if (!all) tell_tolerance(engine, atol);
  return all;
}

bool compare_with_golden(CompareOptions& o) {
  api::Values inputs = load_inputs_for_build(o.inputs, o.build);
  const Shapes asked = parse_shapes("--shapes", o.build.shapes);
  o.build.keep_graph = true;
  const api::Engine engine = engine_for(o);
  const int profile = choose_profile(engine, inputs, asked, -1);
  tell_random(engine.io(), inputs);
  {
    api::Session shapes = engine.create_session();
    for (auto& [name, value] : set_inputs(shapes, engine, inputs, asked, profile)) inputs[name] = value;
  }
  const auto outputs = of_kind(engine.io(), false);
  api::Values got, want;
  const bool by_reference = o.golden == "reference";
  bool layers_agree = true;
  if (o.engine.empty()) std::tie(got, layers_agree) = check_layers(engine, inputs, profile, o);
  else if (by_reference) std::tie(got, want) = compare_saved_layers(engine, inputs, profile, o);
  else got = run_engine(engine, inputs, profile, o.build.threads);
  if (o.engine.empty() || !by_reference) want = golden_outputs(o, inputs, outputs);
  const auto [agree, atol] = check_outputs(outputs, got, want, o);
  if (!agree) tell_tolerance(engine, atol);
  if (!agree && o.engine.empty() && o.search) Search(o, inputs, want).tell(engine);
  if (!agree && !o.engine.empty() && !by_reference) compare_saved_layers(engine, inputs, profile, o);
  return agree && layers_agree;
}

// What would have no effect is refused.
void check_options(const CompareOptions& o) {
  if (!o.data.empty() && !o.inputs.empty())
    throw CLI::ValidationError("--loadInputs", "does not go with --data, which holds the inputs");
  if (!o.data.empty() && o.golden != "reference")
    throw CLI::ValidationError("--golden", "does not go with --data, which holds the right outputs");
  if (o.engine.empty()) return;
  if (o.asks_search)
    throw CLI::ValidationError("--search",
                               "it builds again and again, and --loadEngine gives an engine that is built already "
                               "(remedy: leave out one of them)");
  if (!o.data.empty() && !o.build.shapes.empty())
    throw CLI::ValidationError("--shapes", "does not go with --loadEngine and --data, which has shapes of its own");
}

void run(CompareOptions& o) {
  set_loudness(o.build.verbose, o.build.quiet);
  o.build.onnx = o.model;
  o.build.brief = true;
  check_options(o);
  bool agree = false;
  try {
    if (o.engine.empty()) check_runs_here(o.build);
    if (o.golden == "onnxruntime") check_onnxruntime();
    agree = o.data.empty() ? compare_with_golden(o) : compare_with_data(o);
  } catch (const CLI::Error&) {
    throw;
  } catch (const Exit&) {
    throw;
  } catch (const std::exception& e) {
    say(api::Level::kError, e.what());
    throw Exit{2};
  }
  if (!agree) throw Exit{1};
}

}  // namespace

void add_compare(CLI::App& app) {
  auto o = std::make_shared<CompareOptions>();
  app.add_option("model", o->model, "ONNX model")->required();
  app.add_option("--data", o->data,
                 "Folder with input_K.pb and output_K.pb, or with folders test_data_set_* of them, as in the ONNX test "
                 "sets; without it every layer is compared with the reference on the same inputs");
  app.add_option("--loadInputs,--inputs", o->inputs, "Input values as for kiln run; random where not given");
  app.add_option("--rtol", o->rtol, "Relative tolerance")->check(not_negative())->capture_default_str();
  app.add_option("--atol", o->atol, "Absolute tolerance, times the largest element of the output or layer")
      ->check(not_negative())
      ->capture_default_str();
  app.add_option("--loadEngine", o->engine,
                 "Saved engine of this model to check instead of a new one; its layers are compared with the model's "
                 "values of the same names, in which differences add up (with ONNX Runtime: where outputs differ)");
  add_rebuild_flag(app, o->rebuild_kernels)->needs("--loadEngine");
  app.add_option("--golden", o->golden,
                 "Who says what is right: the reference, or ONNX Runtime of the python3 on the path")
      ->check(CLI::IsMember({"reference", "onnxruntime"}))
      ->capture_default_str();
  const CLI::Option* search = app.add_flag("--search,!--no-search", o->search,
                                           "When outputs differ, build again and again to find the rule or tactic at "
                                           "fault (default; not with --loadEngine)");
  app.add_option("--worst", o->worst, "Rows of the table of layers")->capture_default_str();
  add_build_flags(app, o->build);
  set_footer(app,
             "  kiln compare model.onnx\n"
             "  kiln compare model.onnx --golden=onnxruntime\n"
             "  kiln compare model.onnx --loadEngine=model.plan\n"
             "  kiln compare model.onnx --data=test_data_set_0 --rtol=1e-3 --atol=1e-5\n",
             "Exit codes: 0 all agree, 1 something differs, 2 an error, or wrong usage.");
  app.callback([o, search] {
    o->asks_search = search->count() > 0 && o->search;
    run(*o);
  });
}

}  // namespace kiln::tool
