// kiln inspect: what an engine holds.
#include <fmt/format.h>

#include <cstdio>

#include "command.h"

namespace kiln::tool {

void add_inspect(CLI::App& app) {
  struct Options {
    std::string engine;
    bool json = false;
  };
  auto o = std::make_shared<Options>();
  app.add_option("engine", o->engine, "Saved engine")->required();
  app.add_flag("--json", o->json, "As JSON");
  set_footer(app, "  kiln inspect resnet50.plan\n  kiln inspect resnet50.plan --json | jq '.layers[].tactic'\n");
  app.callback([o] {
    const api::Engine engine = api::Engine::load(o->engine);
    if (o->json) {
      std::puts(engine.description().c_str());
      return;
    }
    fmt::print("engine {} for {}: weights {:.2f} MiB, a context takes {:.2f} MiB\n", engine.name(), engine.backend(),
               static_cast<double>(engine.weight_bytes()) / 1048576,
               static_cast<double>(engine.context_bytes()) / 1048576);
    for (const api::IoTensor& io : engine.io()) {
      fmt::print("{:7} {} {} {}\n", io.is_input ? "input" : "output", io.name, io.type, shape_text(io.dims));
      for (size_t p = 0; p < io.profiles.size(); ++p)
        if (const api::Bounds& b = io.profiles[p]; b.min != b.max)
          fmt::print("        profile {}: min {} opt {} max {}\n", p, shape_text(b.min), shape_text(b.opt),
                     shape_text(b.max));
    }
    size_t number = 0;
    for (const api::LayerInfo& l : engine.layers()) {
      fmt::print("{:4} {:<44.44} {:<20} {}/{}\n", number++, l.name, l.op, l.backend, l.tactic);
      for (const std::string& t : l.inputs) fmt::print("       <- {}\n", t);
      for (const std::string& t : l.outputs) fmt::print("       -> {}\n", t);
    }
  });
}

}  // namespace kiln::tool
