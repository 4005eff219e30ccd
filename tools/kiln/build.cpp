// kiln build: an engine from a model.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "samples.h"
#include "trtexec_options.h"

namespace kiln::tool {
namespace {

struct BuildCommand {
  BuildFlags build;
  TrtexecOptions trtexec;
  std::string save;
  bool report = false;
};

// Where the engine goes when nobody says: beside the model. A build for the graph's sake keeps none.
std::string place_of_engine(const BuildCommand& o) {
  if (!o.save.empty() || !o.build.dump.empty()) return o.save;
  return std::filesystem::path(o.build.onnx).replace_extension(".plan").string();
}

void run(BuildCommand& o) {
  set_loudness(o.build.verbose, o.build.quiet);
  choose_device(o.trtexec, o.build, "");
  leave_out_sources(o.trtexec, o.build);
  const std::string path = place_of_engine(o);
  if (path == o.build.onnx)
    throw api::Failure(
        "error[K1005] the engine would take the place of its model\n  remedy: give another path with -o");
  check_engine_place(path);
  check_folder(o.build.timing_cache);
  if (o.trtexec.dry_run) {
    static_cast<void>(make_profiles(o.build));
    say(api::Level::kInfo, "dry run: the options and the model are sound; nothing was built");
    return;
  }
  const api::Engine engine = build_engine(o.build);
  tell_without_effect(o.trtexec, engine);
  if (o.report) std::fputs(engine.build_report().c_str(), stdout);
  if (path.empty()) {
    log(api::Level::kInfo, "the engine is not kept (-o FILE keeps it)");
    return;
  }
  engine.save(path);
  say(api::Level::kInfo,
      fmt::format("saved {}: {} layer{}, weights {}, a context takes {}", path, engine.layers().size(),
                  engine.layers().size() == 1 ? "" : "s", bytes_text(static_cast<double>(engine.weight_bytes())),
                  bytes_text(static_cast<double>(engine.context_bytes()))));
}

}  // namespace

void add_build(CLI::App& app) {
  auto o = std::make_shared<BuildCommand>();
  app.add_option("model,--onnx", o->build.onnx, "ONNX model, or a graph that --dumpFile wrote (.kir)")->required();
  app.add_option("-o,--saveEngine", o->save,
                 "File of the engine (default: beside the model, ending in .plan; none with --dump)");
  app.add_flag("--report", o->report, "Print the passes and the rules that fired");
  add_build_flags(app, o->build);
  add_sample_flags(app, o->build.samples)->description(kBuildSamplesHelp);
  add_percentile_flag(app, o->build.samples);
  add_trtexec_options(app, o->trtexec, false);
  set_footer(
      app,
      "  kiln build resnet50.onnx -o resnet50.plan\n"
      "  kiln build bert.onnx --minShapes=ids:1x1 --optShapes=ids:1x128 --maxShapes=ids:8x512 -o bert.plan\n"
      "  kiln build net.onnx --profile=0 --shapes=x:1x8 --profile=1 --minShapes=x:2x8 --maxShapes=x:64x8 -o net.plan\n"
      "  kiln build resnet50.onnx --int8 --data=images.npz --errorBudget=0.02\n"
      "  kiln build llm.onnx --weights=int4:block=32\n"
      "  kiln build model.onnx --dump=fuse\n"
      "  kiln build model.onnx --dump=fuse --dumpFile=fused.kir && kiln build fused.kir -o model.plan\n");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
