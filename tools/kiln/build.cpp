// kiln build: an engine from a model.
#include <fmt/format.h>

#include <cstdio>

#include "command.h"

namespace kiln::tool {

void add_build(CLI::App& app) {
  struct Options {
    BuildFlags build;
    std::string save;
    bool report = false;
  };
  auto o = std::make_shared<Options>();
  app.add_option("model,--onnx", o->build.onnx, "ONNX model")->required();
  app.add_option("-o,--saveEngine", o->save, "File of the engine");
  app.add_flag("--report", o->report, "Print the passes and the rules that fired");
  add_build_flags(app, o->build);
  set_footer(
      app,
      "  kiln build resnet50.onnx -o resnet50.plan\n"
      "  kiln build bert.onnx --minShapes=ids:1x1 --optShapes=ids:1x128 --maxShapes=ids:8x512 -o bert.plan\n"
      "  kiln build net.onnx --profile=0 --shapes=x:1x8 --profile=1 --minShapes=x:2x8 --maxShapes=x:64x8 -o net.plan\n"
      "  kiln build model.onnx --dump=fuse\n");
  app.callback([o] {
    const api::Engine engine = build_engine(o->build);
    if (o->report) std::fputs(engine.build_report().c_str(), stdout);
    if (!o->save.empty()) {
      engine.save(o->save);
      say(api::Level::kInfo, fmt::format("saved {}: {} layers, weights {:.1f} MiB, a context takes {:.1f} MiB", o->save,
                                         engine.layers().size(), static_cast<double>(engine.weight_bytes()) / 1048576,
                                         static_cast<double>(engine.context_bytes()) / 1048576));
    }
  });
}

}  // namespace kiln::tool
