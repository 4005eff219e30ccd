// kiln: one program, a subcommand per file; under the name trtexec it is `kiln bench`.
#include <malloc.h>

#include <algorithm>
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

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// The command that the words name, as far as they name one, and how many do.
std::pair<const CLI::App*, size_t> command_of(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* command = &root;
  size_t used = 0;
  for (; used < words.size(); ++used) {
    const auto commands = commands_of(*command);
    const auto named =
        std::find_if(commands.begin(), commands.end(), [&](const CLI::App* c) { return c->get_name() == words[used]; });
    if (named == commands.end()) break;
    command = *named;
  }
  return {command, used};
}

// The first word of the command line that is no command or no option of its command, and what may have been meant.
std::string unknown_word(const CLI::App& root, const std::vector<std::string>& words) {
  const auto [command, used] = command_of(root, words);
  if (const auto commands = commands_of(*command);
      !commands.empty() && used < words.size() && words[used].find('-') != 0) {
    std::vector<std::string> names;
    for (const CLI::App* c : commands) names.push_back(c->get_name());
    return "'" + words[used] + "' is no command" + did_you_mean(words[used], names);
  }
  const auto known = option_names(*command);
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (name.size() < 3 || name.find("--") != 0 || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return "'" + name + "' is no option of " + command->get_name() + did_you_mean(name, known);
  }
  return "";
}

// The option of the command that a word begins with.
const CLI::Option* option_in(const CLI::App& command, const std::string& word) {
  return word.size() > 1 && word[0] == '-' ? command.get_option_no_throw(word.substr(0, word.find('='))) : nullptr;
}

// What is wrong where an option has no value: CLI11 would take the next word for it, be it another option or empty.
std::string missing_value(const CLI::App& root, const std::vector<std::string>& words) {
  const auto [command, used] = command_of(root, words);
  for (size_t i = used; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    const CLI::Option* option = option_in(*command, word);
    if (!option) continue;
    const bool is_long = word.find("--") == 0;
    if (const size_t equals = word.find('='); equals != std::string::npos) {
      const std::string name = word.substr(0, equals);
      if (!is_long) return name + ": its value stands behind a space: " + name + " " + word.substr(equals + 1);
      if (equals + 1 == word.size()) return name + ": there is no value behind '='";
      continue;
    }
    if (option->get_items_expected_max() == 0 || ++i == words.size()) continue;
    if (words[i].empty()) return word + ": its value is empty";
    if (option_in(*command, words[i])) return word + ": it takes a value, and '" + words[i] + "' is another option";
  }
  return "";
}

// An option that is given twice has its last value.
void let_last_win(CLI::App& app) { app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast); }

int refuse_usage(const std::string& text) {
  kiln::tool::say(kiln::api::Level::kError, text);
  std::cerr << "Run with --help for more information.\n";
  return 2;
}

int run(CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> words{argv + std::min(argc, 1), argv + argc};
  try {
    if (const std::string problem = missing_value(app, words); !problem.empty()) return refuse_usage(problem);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    const std::string unknown = unknown_word(app, words);
    return refuse_usage(unknown.empty() ? e.what() : unknown);
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
