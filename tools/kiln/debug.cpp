// kiln debug: a failing model made small, and the rewrite that makes a check fail.
#include <fmt/format.h>

#include "command.h"
#include "kiln/debug.h"
#include "program.h"
#include "temporary.h"

namespace kiln::tool {
namespace {

struct DebugOptions {
  BuildFlags build;
  std::string model, check, output;
};

// Whether the command, in which {} stands for the file, ends with another code than 0. Without {} the file is its last word.
bool fails(const std::string& command, const std::string& file) {
  std::string quoted = "'";
  for (char c : file) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  quoted += "'";
  std::string line = command;
  size_t at = line.find("{}");
  if (at == std::string::npos) line += " " + quoted;
  for (; at != std::string::npos; at = line.find("{}", at + quoted.size())) line.replace(at, 2, quoted);
  const int code = run_program({"sh", "-c", line});
  if (code == 126 || code == 127)
    throw api::Failure("error[K1004] the check cannot be run: " + command +
                       "\n  remedy: --check='kiln compare {} --shapes=…'");
  return code != 0;
}

void reduce(const DebugOptions& o) {
  check_output(o.output);
  size_t tries = 0;
  const api::Reduction r = api::reduce_model(o.model, o.output, [&](const std::string& path) {
    const bool still = fails(o.check, path);
    log(api::Level::kInfo, fmt::format("candidate {}: {}", ++tries, still ? "fails" : "passes"));
    return still;
  });
  say(api::Level::kInfo, fmt::format("{} of {} nodes are left in {} after {} candidates", r.nodes_after, r.nodes_before,
                                     o.output, r.tries));
}

// Engines with the first N patches only, as --stop-after=N builds them.
class Bisection {
 public:
  explicit Bisection(DebugOptions o) : o_(std::move(o)) {
    o_.build.onnx = o_.model;
    o_.build.brief = true;
  }

  void run() {
    const api::Engine whole = build(-1);
    const std::vector<std::string> patches = whole.patch_list();
    if (!check(whole)) {
      say(api::Level::kInfo, "the check passes on the engine with all patches: there is nothing to find");
      return;
    }
    if (check(build(0))) {
      say(api::Level::kWarning,
          "the check fails without any patch, too: no rule is at fault (remedy: --disable=TACTIC, or kiln compare)");
      return;
    }
    size_t good = 0, bad = patches.size();
    while (bad - good > 1) {
      const size_t middle = (good + bad) / 2;
      (check(build(static_cast<int64_t>(middle))) ? bad : good) = middle;
      log(api::Level::kInfo, fmt::format("between patch {} and {}", good + 1, bad));
    }
    say(api::Level::kError,
        fmt::format("the check fails from patch {} of {} on: {}", bad, patches.size(), patches[bad - 1]));
    throw Exit{1};
  }

 private:
  api::Engine build(int64_t patches) {
    BuildFlags flags = o_.build;
    flags.stop_after = patches;
    return build_engine(flags);
  }
  bool check(const api::Engine& engine) {
    const std::string path = folder_.path() + "/engine.plan";
    engine.save(path);
    return fails(o_.check, path);
  }
  DebugOptions o_;
  TemporaryFolder folder_;
};

}  // namespace

void add_debug(CLI::App& app) {
  auto o = std::make_shared<DebugOptions>();
  app.require_subcommand(1);
  CLI::App& small = *app.add_subcommand("reduce", "Cut a model to the smallest that still fails a check");
  small.add_option("model", o->model, "Model (.onnx, .kir)")->required();
  small
      .add_option("--check", o->check,
                  "Command that ends with 0 where there is no fault; {} stands for the model's path")
      ->required();
  small.add_option("-o,--output", o->output, "The small model (.kir)")->required();
  small.callback([o] { reduce(*o); });
  CLI::App& bisect = *app.add_subcommand("bisect", "Find the rewrite from which on an engine fails a check");
  bisect.add_option("model", o->model, "Model (.onnx, .kir)")->required();
  bisect
      .add_option("--check", o->check,
                  "Command that ends with 0 where there is no fault; {} stands for the engine's path")
      ->required();
  add_build_flags(bisect, o->build);
  bisect.callback([o] {
    set_loudness(o->build.verbose, o->build.quiet);
    Bisection(*o).run();
  });
  set_footer(app,
             "  kiln debug reduce model.onnx --check='kiln compare {}' -o small.kir\n"
             "  kiln debug bisect model.onnx --check='./right.sh {}'\n",
             "Exit codes: 0 success, 1 failure or a rewrite found, 2 wrong usage.");
}

}  // namespace kiln::tool
