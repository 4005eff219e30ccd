// kiln run: outputs of a model or engine for given inputs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "command.h"
#include "progress.h"
#include "results.h"

namespace kiln::tool {
namespace {

constexpr int64_t kPrinted = 16;  // elements of an output that are printed whole

struct RunOptions {
  BuildFlags build;
  std::string model, inputs, outputs, format = "npy", dump_all;
  int profile = -1;
  double time_limit = 0;
  bool rebuild_kernels = false, debug_sync = false;
};

// A file for each output. Those that can have their own name do; of the others, those that meet get a number.
std::vector<std::string> file_names(const std::vector<api::IoTensor>& outputs) {
  std::set<std::string> taken;
  for (const api::IoTensor& output : outputs)
    if (path_part(output.name) == output.name) taken.insert(output.name);
  std::vector<std::string> names;
  for (const api::IoTensor& output : outputs) {
    const std::string wanted = path_part(output.name);
    std::string name = wanted;
    for (int number = 1; wanted != output.name && !taken.insert(name).second; ++number)
      name = wanted + "_" + std::to_string(number);
    names.push_back(name);
  }
  return names;
}

bool is_one_file(const std::string& path) { return path.ends_with(".npy") || path.ends_with(".pb"); }

// Before the build: a file that may be written, or a folder that is there or may be made.
void check_place_of_outputs(const std::string& path) {
  if (path.ends_with(".npz")) check_output(path, kNpzFiles);
  else if (is_one_file(path)) check_tensor_place(path);
  else if (path == "-") check_output(path);
  else if (std::filesystem::exists(path) && !std::filesystem::is_directory(path))
    throw api::Failure("error[K1005] '" + path +
                       "' is no folder\n  remedy: give a folder, or FILE.npz, FILE.npy or FILE.pb");
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error)
    throw api::Failure("error[K1005] cannot make the folder '" + path + "': " + error.message() +
                       "\n  remedy: give another folder, or FILE.npz");
}

using HostValues = std::map<std::string, api::HostValue>;

// The arrays of a value: itself, or its items as NAME.0, NAME.1 ….
void add_arrays(const std::string& name, const api::HostValue& value, HostValues& arrays) {
  const bool is_array = value.kind == api::HostValue::Kind::kNumbers || value.kind == api::HostValue::Kind::kStrings;
  if (is_array) arrays[name] = value;
  for (size_t i = 0; i < value.items.size(); ++i) add_arrays(name + "." + std::to_string(i), value.items[i], arrays);
}

void save_array(const std::string& path, const api::HostValue& value) {
  if (value.kind == api::HostValue::Kind::kNumbers) return api::save_tensor(path, value.tensor);
  if (path.ends_with(".pb"))
    throw api::Failure("error[K2003] '" + path + "' would hold text, which is written as .npy\n  remedy: --format=npy");
  api::save_bytes(path, api::npy_bytes(value), kNpyFiles);
}

void save(const RunOptions& o, const std::vector<api::IoTensor>& io, const HostValues& outputs) {
  HostValues arrays;
  if (o.outputs.ends_with(".npz")) {
    for (const auto& [name, value] : outputs) add_arrays(name, value, arrays);
    return save_npz(o.outputs, arrays);
  }
  if (is_one_file(o.outputs)) return save_array(o.outputs, outputs.at(io[0].name));
  make_folder(o.outputs);
  const std::vector<std::string> names = file_names(io);
  for (size_t i = 0; i < io.size(); ++i)
    add_arrays(o.format == "pb" ? "output_" + std::to_string(i) : names[i], outputs.at(io[i].name), arrays);
  for (const auto& [name, value] : arrays)
    save_array(o.outputs + "/" + name + (o.format == "pb" ? ".pb" : ".npy"), value);
}

// All elements when they are few, else what they range over.
std::string values_text(const api::HostTensor& tensor) {
  const int64_t count = api::element_count(tensor);
  if (count == 0) return "";
  std::string text;
  if (count <= kPrinted) {
    for (int64_t i = 0; i < count; ++i) text += fmt::format(" {:.6g}", api::element(tensor, i));
    return ":" + text;
  }
  double least = INFINITY, most = -INFINITY;
  int64_t odd = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double v = api::element(tensor, i);
    if (!std::isfinite(v)) ++odd;
    else least = std::min(least, v), most = std::max(most, v);
  }
  if (odd < count) text = fmt::format(", from {:.6g} to {:.6g}", least, most);
  return odd > 0 ? text + fmt::format(", {} NaN or infinite", odd) : text;
}

// The first of them, between quotes.
std::string words_text(const std::vector<std::string>& strings) {
  std::string text = strings.empty() ? "" : ":";
  for (size_t i = 0; i < strings.size() && i < static_cast<size_t>(kPrinted); ++i)
    text += " \"" + api::printable(strings[i]) + "\"";
  return strings.size() > static_cast<size_t>(kPrinted) ? text + " …" : text;
}

// One line for a tensor, and one for each item of a sequence or optional below its own.
void show(const std::string& name, const api::HostValue& value) {
  using Kind = api::HostValue::Kind;
  if (value.kind == Kind::kNumbers)
    return say(api::Level::kInfo,
               name + " " + value.tensor.type + " " + shape_text(value.tensor.dims) + values_text(value.tensor));
  if (value.kind == Kind::kStrings)
    return say(api::Level::kInfo, name + " string " + shape_text(value.dims) + words_text(value.strings));
  say(api::Level::kInfo, fmt::format("{} {} of {} {}", name, value.kind == Kind::kSequence ? "sequence" : "optional",
                                     value.items.size(), value.type));
  for (size_t i = 0; i < value.items.size(); ++i) show(name + "." + std::to_string(i), value.items[i]);
}

bool holds_odd(const api::HostValue& value) {
  return (value.kind == api::HostValue::Kind::kNumbers && has_odd(value.tensor)) ||
         std::any_of(value.items.begin(), value.items.end(), holds_odd);
}

// Writes each layer's results, and names the first that holds NaN or an infinity.
class Dump {
 public:
  explicit Dump(std::string folder) : folder_(std::move(folder)) { make_folder(folder_); }
  void take(const api::LayerInfo& layer, const std::string& value, const api::HostTensor& tensor) {
    const std::string path = fmt::format("{}/{:04}.{}.npy", folder_, count_++, path_part(value));
    try {
      api::save_tensor(path, tensor);
    } catch (const api::Failure&) {  // a type that .npy lacks
      api::save_tensor(path.substr(0, path.size() - 3) + "pb", tensor);
    }
    odd_.take(layer, value, tensor);
  }
  void tell() const {
    say(api::Level::kInfo, fmt::format("{} results of layers are in {}", count_, folder_));
    odd_.tell();
  }

 private:
  std::string folder_;
  FirstOdd odd_;
  size_t count_ = 0;
};

// Runs once more and looks at each layer.
void name_first_odd(api::Session& session) {
  FirstOdd odd;
  session.observe([&](const api::LayerInfo& layer, const std::string& value, const api::HostTensor& tensor) {
    odd.take(layer, value, tensor);
  });
  session.enqueue();
  session.observe(nullptr);
  odd.tell();
}

void run(RunOptions& o) {
  set_loudness(o.build.verbose, o.build.quiet);
  o.build.onnx = o.model;
  o.build.brief = true;
  const bool is_model = o.model.ends_with(".onnx") || o.model.ends_with(".kir");
  const Shapes asked = parse_shapes("--shapes", o.build.shapes);
  if (is_model && o.rebuild_kernels) throw CLI::ValidationError("--rebuildKernels", "needs a saved engine");
  if (is_model) check_runs_here(o.build);
  check_place_of_outputs(o.outputs);
  api::Values inputs;
  if (is_model) inputs = load_inputs_for_build(o.inputs, o.build);
  const api::Engine engine =
      is_model ? build_engine(o.build) : api::Engine::load(o.model, {.trusts_kernels = !o.rebuild_kernels});
  if (!is_model) {
    check_unbuilt(o.build, engine);
    inputs = load_inputs(o.inputs, engine.io(), asked);
  }
  const auto io = of_kind(engine.io(), false);
  if (is_one_file(o.outputs) && io.size() != 1)
    throw CLI::ValidationError("--saveOutputs",
                               fmt::format("'{}' is one file, and there are {} outputs: {} (remedy: give a folder or "
                                           "FILE.npz)",
                                           o.outputs, io.size(), join(names_of(io), ", ")));
  api::Session session = engine.create_session(o.build.threads);
  set_inputs(session, engine, inputs, asked, choose_profile(engine, inputs, asked, o.profile));
  set_others(session, engine.io(), o.inputs);
  tell_random(engine.io(), inputs);
  session.set_time_limit(o.time_limit);
  session.set_debug_sync(o.debug_sync);
  const StopOnInterrupt stopper(session);
  if (!o.dump_all.empty()) {
    Dump dump(o.dump_all);
    session.observe([&](const api::LayerInfo& layer, const std::string& value, const api::HostTensor& tensor) {
      dump.take(layer, value, tensor);
    });
    stopper.guard([&] { session.enqueue(); });
    session.observe(nullptr);
    dump.tell();
  } else {
    stopper.guard([&] { session.enqueue(); });
  }
  HostValues outputs;
  bool odd = false;
  for (const api::IoTensor& t : io) {
    const api::HostValue& value = outputs[t.name] = session.value(t.name);
    show(t.name, value);
    odd = odd || holds_odd(value);
  }
  if (odd && o.dump_all.empty()) name_first_odd(session);
  if (!o.outputs.empty()) save(o, io, outputs);
}

}  // namespace

void add_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  app.add_option("model", o->model, "Model (.onnx, .kir) or saved engine")->required();
  app.add_option(
      "--loadInputs,--inputs", o->inputs,
      "Input values: name:file,… (.npy, .npz, .pb or raw bytes), or one .npz with all; random where not given");
  app.add_option("--saveOutputs", o->outputs,
                 "FILE.npz; FILE.npy or FILE.pb of the only output; or a folder that receives a file for each output");
  app.add_option("--format", o->format, "Files in the folder: NAME.npy, or output_K.pb as in the ONNX test sets")
      ->check(CLI::IsMember({"npy", "pb"}))
      ->capture_default_str();
  app.add_option("--dump-all", o->dump_all,
                 "Folder that receives each layer's results in order; the first NaN or infinity is named");
  app.add_option("--useOptimizationProfile", o->profile,
                 "Profile of the engine to use (default: the first that takes the shapes)")
      ->check(not_negative());
  add_rebuild_flag(app, o->rebuild_kernels);
  add_debug_sync_flag(app, o->debug_sync);
  app.add_option("--timeLimit", o->time_limit, "Seconds that the inference may take; 0: no limit")
      ->check(not_negative())
      ->capture_default_str();
  add_build_flags(app, o->build);
  set_footer(app,
             "  kiln run resnet50.plan --loadInputs=image:cat.npy --saveOutputs=out\n"
             "  kiln run model.onnx --loadInputs=inputs.npz --saveOutputs=outputs.npz\n"
             "  kiln run resnet50.plan --dump-all=layers\n");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
