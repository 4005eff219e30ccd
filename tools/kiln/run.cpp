// kiln run: outputs of a model or engine for given inputs.
#include <filesystem>

#include "command.h"

namespace kiln::tool {
namespace {

struct RunOptions {
  BuildFlags build;
  std::string model, inputs, outputs, format = "npy";
  int profile = -1;
};

std::string file_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

void save(const RunOptions& o, const std::vector<api::IoTensor>& io, const api::Values& outputs) {
  if (o.outputs.ends_with(".npz")) return save_npz(o.outputs, outputs);
  std::error_code error;
  std::filesystem::create_directories(o.outputs, error);
  if (error)
    throw api::Failure("error[K1005] cannot make the folder '" + o.outputs + "': " + error.message() +
                       "\n  remedy: give another folder, or FILE.npz");
  for (size_t i = 0; i < io.size(); ++i)
    api::save_tensor(
        o.outputs + "/" + (o.format == "pb" ? "output_" + std::to_string(i) + ".pb" : file_name(io[i].name) + ".npy"),
        outputs.at(io[i].name));
}

void run(RunOptions& o) {
  set_verbose(o.build.verbose);
  o.build.onnx = o.model;
  o.build.quiet = true;
  const bool is_model = o.model.ends_with(".onnx");
  const Shapes asked = parse_shapes(o.build.shapes);
  api::Values inputs;
  if (is_model) inputs = load_inputs_for_build(o.inputs, o.build);
  const api::Engine engine = is_model ? build_engine(o.build) : api::Engine::load(o.model);
  if (!is_model) inputs = load_inputs(o.inputs, engine.io(), asked);
  api::Session session = engine.create_session();
  set_inputs(session, engine, inputs, asked, choose_profile(engine, inputs, asked, o.profile));
  session.enqueue();
  const auto io = of_kind(engine.io(), false);
  api::Values outputs;
  for (const api::IoTensor& t : io) {
    api::HostTensor& value = outputs[t.name] = session.output(t.name);
    say(api::Level::kInfo, t.name + " " + value.type + " " + shape_text(value.dims));
  }
  if (!o.outputs.empty()) save(o, io, outputs);
}

}  // namespace

void add_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  app.add_option("model", o->model, "ONNX model (.onnx) or saved engine")->required();
  app.add_option(
      "--loadInputs,--inputs", o->inputs,
      "Input values: name:file,… (.npy, .npz, .pb or raw bytes), or one .npz with all; random where not given");
  app.add_option("--saveOutputs", o->outputs, "FILE.npz, or a folder that receives a file for each output");
  app.add_option("--format", o->format, "Files in the folder: NAME.npy, or output_K.pb as in the ONNX test sets")
      ->check(CLI::IsMember({"npy", "pb"}))
      ->capture_default_str();
  app.add_option("--useOptimizationProfile", o->profile,
                 "Profile of the engine to use (default: the first that takes the shapes)")
      ->check(CLI::NonNegativeNumber);
  add_build_flags(app, o->build);
  set_footer(app,
             "  kiln run resnet50.plan --loadInputs=image:cat.npy --saveOutputs=out\n"
             "  kiln run model.onnx --loadInputs=inputs.npz --saveOutputs=outputs.npz\n");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
