// kiln: one program, a subcommand per file; under the name trtexec it is `kiln bench`.
#include <iostream>

#include "command.h"

namespace {

int run(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const std::exception& e) {
    kiln::tool::say(kiln::api::Level::kError, e.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string program = argv[0];
  if (program.substr(program.rfind('/') + 1) == "trtexec") {
    CLI::App app("Builds engines and measures inference (kiln bench)", "trtexec");
    kiln::tool::add_bench(app);
    return run(app, argc, argv);
  }
  CLI::App app("Kiln " + kiln::api::version() + ": compiles trained networks to tuned engines and runs them", "kiln");
  app.require_subcommand(1);
  app.set_version_flag("--version", kiln::api::version());
  app.footer(
      "Exit codes: 0 success, 1 failure (error[K…] says which), 2 wrong usage.\nExamples:\n"
      "  kiln bench --onnx=resnet50.onnx --saveEngine=resnet50.plan\n"
      "  kiln run resnet50.plan --loadInputs=image:cat.npy --saveOutputs=out\n"
      "  kiln compare model.onnx --data=test_data_set_0");
  kiln::tool::add_bench(*app.add_subcommand("bench", "Build or load an engine and measure it (trtexec)"));
  kiln::tool::add_build(*app.add_subcommand("build", "Build an engine and save it"));
  kiln::tool::add_run(*app.add_subcommand("run", "Run a model or engine on given inputs"));
  kiln::tool::add_inspect(*app.add_subcommand("inspect", "Show the layers, tactics, layouts and memory of an engine"));
  kiln::tool::add_compare(*app.add_subcommand("compare", "Compare an engine with the reference or with stored data"));
  kiln::tool::add_list(*app.add_subcommand("list", "List back ends, operators, rules and tactics"));
  return run(app, argc, argv);
}
