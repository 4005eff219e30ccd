// kiln: one program, a subcommand per file; under the name trtexec it is `kiln bench`.
#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <new>

#include "command.h"

namespace {

using kiln::tool::did_you_mean;

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// The first word of the command line that is no command or no option of its command, and what may have been meant.
std::string unknown_word(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* command = &root;
  for (const std::string& word : words) {
    const auto commands = command->get_subcommands([](const CLI::App*) { return true; });
    if (commands.empty() || word.find('-') == 0) break;
    std::vector<std::string> names;
    command = nullptr;
    for (const CLI::App* c : commands) {
      names.push_back(c->get_name());
      if (names.back() == word) command = c;
    }
    if (!command) return "'" + word + "' is no command" + did_you_mean(word, names);
  }
  const auto known = option_names(*command);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (name.size() < 3 || name.find("--") != 0 || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return "'" + name + "' is no option of " + command->get_name() + did_you_mean(name, known);
  }
  return "";
}

// An option that is given twice has its last value.
void let_last_win(CLI::App& app) { app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast); }

int run(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    const std::string unknown = unknown_word(app, {argv + 1, argv + argc});
    kiln::tool::say(kiln::api::Level::kError, unknown.empty() ? e.what() : unknown);
    std::cerr << "Run with --help for more information.\n";
    return 2;
  } catch (const kiln::tool::Exit& e) {
    return e.code;
  } catch (const kiln::api::Failure& e) {
    kiln::tool::say(kiln::api::Level::kError, e.what());
  } catch (const std::bad_alloc&) {
    kiln::tool::say(kiln::api::Level::kError,
                    "error[K1003] there is not enough memory\n  remedy: use smaller shapes, or a smaller model");
  } catch (const std::exception& e) {
    kiln::tool::say(kiln::api::Level::kError,
                    std::string("error[K1000] ") + e.what() + "\n  remedy: report it with the command and the model");
  }
  return 1;
}

// What was printed may still wait in a buffer, and the disk may be full.
int run_and_flush(CLI::App& app, int argc, char** argv) {
  const int code = run(app, argc, argv);
  std::cout.flush();
  if (std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout) return code;
  kiln::tool::say(
      kiln::api::Level::kError,
      "error[K1005] cannot write to the standard output\n  remedy: check the disk or the program that reads it");
  return code ? code : 1;
}

}  // namespace

int main(int argc, char** argv) {
  // Weights go back to the system when they are freed; by default the threshold grows with what is freed, and they stay.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  std::signal(SIGXFSZ, SIG_IGN);  // files that grow beyond a limit are errors of writing
  const std::string program = argc > 0 ? argv[0] : "kiln";
  if (program.substr(program.rfind('/') + 1) == "trtexec") {
    CLI::App app("Builds engines and measures inference (kiln bench)", "trtexec");
    let_last_win(app);
    kiln::tool::add_bench(app, true);
    return run_and_flush(app, argc, argv);
  }
  CLI::App app("Kiln " + kiln::api::version() + ": compiles trained networks to tuned engines and runs them", "kiln");
  let_last_win(app);
  app.require_subcommand(1);
  app.set_version_flag("--version", kiln::api::version());
  kiln::tool::set_footer(app,
                         "  kiln bench --onnx=resnet50.onnx --saveEngine=resnet50.plan\n"
                         "  kiln run resnet50.plan --loadInputs=image:cat.npy --saveOutputs=out\n"
                         "  kiln compare model.onnx --data=test_data_set_0\n",
                         std::string("Environment:\n") + kiln::tool::kEnvironment + kiln::tool::kExitCodes +
                             " `kiln compare` has its own.");
  kiln::tool::add_bench(*app.add_subcommand("bench", "Build or load an engine and measure it (trtexec)"));
  kiln::tool::add_build(*app.add_subcommand("build", "Build an engine and save it"));
  kiln::tool::add_calibrate(
      *app.add_subcommand("calibrate", "Find the ranges of a model's tensors, for an engine in int8"));
  kiln::tool::add_run(*app.add_subcommand("run", "Run a model or engine on given inputs"));
  kiln::tool::add_inspect(*app.add_subcommand("inspect", "Show the layers, tactics, layouts and memory of an engine"));
  kiln::tool::add_compare(*app.add_subcommand("compare", "Compare an engine with the reference or with stored data"));
  kiln::tool::add_debug(
      *app.add_subcommand("debug", "Cut a failing model to a small one, or find the rewrite at fault"));
  kiln::tool::add_report(*app.add_subcommand("report", "Draw an engine, its times and its memory as one page"));
  kiln::tool::add_list(*app.add_subcommand("list", "List back ends, operators, rules, tactics and knobs"));
  kiln::tool::add_completion(
      *app.add_subcommand("completion", "Print a completion script for a shell, or the manual page"));
  if (argc < 2) {
    std::cerr << app.help();
    return 2;
  }
  return run_and_flush(app, argc, argv);
}
