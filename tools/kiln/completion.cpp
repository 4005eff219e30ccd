// kiln completion: scripts for bash and zsh, and the manual page, made from the commands and options that the program itself parses.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "command.h"

namespace kiln::tool {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& root) {
  return root.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  return command.get_options([](const CLI::Option*) { return true; });
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// The values that an option is checked against, which its type shows as {a,b}.
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{'), close = type.rfind('}');
  return open == std::string::npos || close == std::string::npos ? std::vector<std::string>()
                                                                 : split(type.substr(open + 1, close - open - 1), ',');
}

const CLI::Option* positional_of(const CLI::App& command) {
  for (const CLI::Option* option : options_of(command))
    if (option->get_positional()) return option;
  return nullptr;
}

// What may stand first: the values of the first argument, or the names of the command's own commands.
std::vector<std::string> first_words(const CLI::App& command) {
  if (const CLI::Option* first = positional_of(command)) return choices_of(*first);
  std::vector<std::string> names;
  for (const CLI::App* c : commands_of(command)) names.push_back(c->get_name());
  return names;
}

std::string bash_script(const CLI::App& root) {
  std::string options, values, names;
  for (const CLI::App* command : commands_of(root)) {
    names += " " + command->get_name();
    std::vector<std::string> words;
    for (const CLI::Option* option : options_of(*command)) {
      const auto choices = choices_of(*option);
      for (const std::string& name : option->get_lnames()) {
        words.push_back("--" + name + (takes_value(*option) ? "=" : ""));
        if (!choices.empty())
          values += fmt::format("    {}:--{}) choices='{}' ;;\n", command->get_name(), name, fmt::join(choices, " "));
      }
    }
    options += fmt::format("    {}) options='{}' words='{}' ;;\n", command->get_name(), fmt::join(words, " "),
                           fmt::join(first_words(*command), " "));
  }
  return fmt::format(R"(# bash completion of kiln and trtexec
_kiln() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}}
  local options='' words='' choices='' program=${{COMP_WORDS[0]##*/}}
  COMPREPLY=()
  if [[ $program == trtexec ]]; then command=bench
  elif ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$current"))
    return
  fi
  if [[ $current == = ]]; then current=''
  elif [[ $before == = ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  case $command:$before in
{}  esac
  case $command in
{}  esac
  if [[ -n $choices ]]; then COMPREPLY=($(compgen -W "$choices" -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
    if [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *= ]]; then compopt -o nospace 2>/dev/null; fi
  elif [[ $before != -* && -n $words ]]; then COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -o default -F _kiln kiln trtexec
)",
                     names.substr(1), values, options);
}

std::string zsh_text(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    if (c == '\'') escaped += "'\\'";
    if (c == '[' || c == ']' || c == ':' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string zsh_value(const CLI::Option& option) {
  const auto choices = choices_of(option);
  return choices.empty() ? "_files" : fmt::format("({})", fmt::join(choices, " "));
}

std::string zsh_script(const CLI::App& root) {
  std::string names, cases;
  for (const CLI::App* command : commands_of(root)) {
    names += fmt::format("    '{}:{}'\n", command->get_name(), zsh_text(command->get_description()));
    cases += fmt::format("    {})\n      _arguments", command->get_name());
    for (const CLI::Option* option : options_of(*command))
      for (const std::string& name : option->get_lnames())
        cases += fmt::format(" \\\n        '--{}{}[{}]{}'", name, takes_value(*option) ? "=" : "",
                             zsh_text(option->get_description()),
                             takes_value(*option) ? ":value:" + zsh_value(*option) : "");
    if (const CLI::Option* first = positional_of(*command))
      cases += fmt::format(" \\\n        '1:{}:{}'", first->get_name(true), zsh_value(*first));
    cases += "\n      ;;\n";
  }
  return fmt::format(R"(#compdef kiln trtexec
# zsh completion of kiln and trtexec
_kiln() {{
  local command=${{words[2]}}
  local -a commands=(
{}  )
  if [[ ${{words[1]:t}} == trtexec ]]; then command=bench
  elif ((CURRENT == 2)); then
    _describe command commands
    return
  else
    shift words
    ((CURRENT--))
  fi
  case $command in
{}  esac
}}
if [[ ${{funcstack[1]}} == _kiln ]]; then _kiln "$@"
else compdef _kiln kiln trtexec
fi
)",
                     names, cases);
}

// ---- the manual page

std::string roff_text(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool line_starts = i == 0 || text[i - 1] == '\n';
    if (line_starts && (text[i] == '.' || text[i] == '\'')) out += "\\&";
    if (text[i] == '\\') out += "\\e";
    else if (text[i] == '-') out += "\\-";
    else out += text[i];
  }
  return out;
}

std::string roff_options(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* option : options_of(command)) {
    std::vector<std::string> names;
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    if (names.empty()) names.push_back(option->get_name(true));
    std::string help = option->get_description();
    if (!option->get_default_str().empty()) help += " (default: " + option->get_default_str() + ")";
    text += ".TP\n.B " + roff_text(fmt::format("{}", fmt::join(names, ", "))) + "\n" + roff_text(help) + "\n";
  }
  return text;
}

std::string man_page(const CLI::App& root) {
  std::string text = ".TH KILN 1 \"\" \"Kiln " + api::version() +
                     "\"\n.SH NAME\nkiln, trtexec \\- compiles trained networks to tuned " +
                     "engines and runs them\n.SH SYNOPSIS\n";
  for (const CLI::App* command : commands_of(root)) text += ".B kiln " + command->get_name() + "\n[options]\n.br\n";
  text +=
      ".B trtexec\n[options of kiln bench]\n.SH DESCRIPTION\n" + roff_text(root.get_description()) + "\n.SH COMMANDS\n";
  for (const CLI::App* command : commands_of(root)) {
    text += ".SS kiln " + command->get_name() + "\n" + roff_text(command->get_description()) + "\n" +
            roff_options(*command);
    for (const CLI::App* inner : commands_of(*command))
      text += ".PP\n.B kiln " + command->get_name() + " " + inner->get_name() + ":\n" +
              roff_text(inner->get_description()) + "\n" + roff_options(*inner);
    text += ".PP\n.nf\n" + roff_text(command->get_footer()) + "\n.fi\n";
  }
  return text + ".SH ENVIRONMENT\n.nf\n" + roff_text(kEnvironment) + ".fi\n.SH EXIT STATUS\n" + roff_text(kExitCodes) +
         "\n";
}

}  // namespace

void add_completion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("shell", *shell, "Shell to print the script for; man: the manual page")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "man"}));
  set_footer(app,
             "  kiln completion bash > ~/.local/share/bash-completion/completions/kiln\n"
             "  kiln completion zsh > \"${fpath[1]}/_kiln\"\n"
             "  kiln completion man | man -l -\n");
  app.callback([shell, &app] {
    const CLI::App& root = *app.get_parent();
    std::fputs((*shell == "bash"  ? bash_script(root)
                : *shell == "zsh" ? zsh_script(root)
                                  : man_page(root))
                   .c_str(),
               stdout);
  });
}

}  // namespace kiln::tool
