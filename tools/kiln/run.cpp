// kiln run: outputs of a model or engine for given inputs.
#include <filesystem>

#include "command.h"

namespace kiln::tool {

void add_run(CLI::App& app) {
  struct Options {
    BuildFlags build;
    std::string model, inputs, outputs;
  };
  auto o = std::make_shared<Options>();
  app.add_option("model", o->model, "ONNX model or saved engine")->required();
  app.add_option("--loadInputs", o->inputs,
                 "Input values, name:file.npy,… (also .pb, or raw bytes); random where not given");
  app.add_option("--saveOutputs", o->outputs, "Folder that receives NAME.npy for each output");
  add_build_flags(app, o->build);
  app.footer("Example:\n  kiln run resnet50.plan --loadInputs=image:cat.npy --saveOutputs=out");
  app.callback([o] {
    o->build.onnx = o->model;
    const api::Engine engine = o->model.ends_with(".onnx") ? build_engine(o->build) : api::Engine::load(o->model);
    api::Session session = engine.create_session();
    const Shapes shapes = parse_shapes(o->build.shapes);
    const auto files = parse_pairs(o->inputs);
    for (const api::IoTensor& io : engine.io())
      if (io.is_input) session.set_input(io.name, input_tensor(io, input_shape(io, shapes), files));
    session.enqueue();
    if (!o->outputs.empty()) std::filesystem::create_directories(o->outputs);
    for (const api::IoTensor& io : engine.io()) {
      if (io.is_input) continue;
      const api::HostTensor t = session.output(io.name);
      say(api::Level::kInfo, io.name + " " + t.type + " " + shape_text(t.dims));
      std::string file = io.name;
      for (char& c : file)
        if (c == '/') c = '_';
      if (!o->outputs.empty()) api::save_tensor(o->outputs + "/" + file + ".npy", t);
    }
  });
}

}  // namespace kiln::tool
