// kiln compare: an engine against the reference layer by layer, or against stored data.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "command.h"
#include "difference.h"

namespace kiln::tool {
namespace {

namespace fs = std::filesystem;

struct CompareOptions {
  BuildFlags build;
  std::string model, data, inputs;
  double rtol = 1e-3, atol = 1e-5;
  size_t worst = 5;
};

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

std::string join(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

bool check_outputs(const std::vector<api::IoTensor>& outputs, const api::Values& got, const api::Values& want,
                   const CompareOptions& o) {
  bool all = true;
  for (const api::IoTensor& io : outputs) {
    const Difference d = difference(got.at(io.name), want.at(io.name), {o.rtol, o.atol, false});
    say(d.agree ? api::Level::kInfo : api::Level::kError, "output '" + io.name + "' " + d.text());
    all = all && d.agree;
  }
  return all;
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

// One profile that takes the shapes of all sets.
void set_bounds(BuildFlags& flags, const std::vector<api::IoTensor>& inputs, const std::vector<DataSet>& sets) {
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
  flags.profiles[0] = {min, opt, max};
}

bool compare_with_data(CompareOptions& o) {
  const auto model = api::model_io(o.model);
  const auto inputs = of_kind(model, true), outputs = of_kind(model, false);
  std::vector<DataSet> sets;
  for (const std::string& folder : data_folders(o.data))
    sets.push_back({folder, read_files(folder, "input", inputs), read_files(folder, "output", outputs)});
  set_bounds(o.build, inputs, sets);
  const api::Engine engine = build_engine(o.build);
  api::Session session = engine.create_session();
  bool all = true;
  for (const DataSet& set : sets) {
    say(api::Level::kInfo, "data of " + set.folder);
    for (const auto& [name, value] : set.inputs) session.set_input(name, value);
    session.enqueue();
    api::Values got;
    for (const api::IoTensor& io : outputs) got[io.name] = session.output(io.name);
    all = check_outputs(outputs, got, set.outputs, o) && all;
  }
  return all;
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

bool compare_with_reference(CompareOptions& o) {
  api::Values inputs = load_inputs_for_build(o.inputs, o.build);
  const Shapes asked = parse_shapes(o.build.shapes);
  o.build.keep_graph = true;
  const api::Engine engine = build_engine(o.build);
  const int profile = choose_profile(engine, inputs, asked, -1);
  {
    api::Session shapes = engine.create_session();
    for (auto& [name, value] : set_inputs(shapes, engine, inputs, asked, profile)) inputs[name] = value;
  }
  say(api::Level::kInfo, fmt::format("running {} layers, each also by the reference", engine.layers().size()));
  std::vector<CheckedLayer> checked;
  size_t number = 0;
  std::string last;
  const api::Values got = engine.check_layers(
      inputs, profile,
      [&](const api::LayerInfo& layer, const std::string& value, const api::HostTensor& a, const api::HostTensor& b) {
        if (layer.name != last) ++number;
        last = layer.name;
        checked.push_back({number - 1, layer, value, difference(a, b, {o.rtol, o.atol, true})});
      });
  const auto first = std::find_if(checked.begin(), checked.end(), [](const auto& c) { return !c.difference.agree; });
  if (first != checked.end()) report_layer(*first);
  else say(api::Level::kInfo, fmt::format("all {} layers agree", engine.layers().size()));
  table(checked, o.worst);
  say(api::Level::kInfo, "evaluating the model as it was given by the reference");
  const bool agree = check_outputs(of_kind(engine.io(), false), got, api::evaluate_model(o.model, inputs), o);
  if (!agree && first == checked.end())
    say(api::Level::kWarning,
        "every layer is right by itself: small differences add up along the network (remedy: larger --rtol, --atol), "
        "or "
        "a rewrite changed what it computes (remedy: --stop-after=N finds which)");
  return agree && first == checked.end();
}

void run(CompareOptions& o) {
  set_verbose(o.build.verbose);
  o.build.onnx = o.model;
  o.build.quiet = true;
  bool agree = false;
  try {
    agree = o.data.empty() ? compare_with_reference(o) : compare_with_data(o);
  } catch (const CLI::Error&) {
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
  app.add_option("--rtol", o->rtol, "Relative tolerance")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--atol", o->atol, "Absolute tolerance; for layers times their largest element where that is above 1")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--worst", o->worst, "Rows of the table of layers")->capture_default_str();
  add_build_flags(app, o->build);
  set_footer(app,
             "  kiln compare model.onnx\n"
             "  kiln compare model.onnx --data=test_data_set_0 --rtol=1e-3 --atol=1e-5\n",
             "Exit codes: 0 all agree, 1 something differs, 2 an error, or wrong usage.");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
