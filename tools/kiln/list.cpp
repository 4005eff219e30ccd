// kiln list: what this build of Kiln knows.
#include <fmt/format.h>

#include <cstdio>

#include "command.h"

namespace kiln::tool {
namespace {

// Name, type, default and help of each option of a build.
std::vector<std::string> knobs(const CLI::App& root) {
  std::vector<std::string> lines;
  for (const CLI::Option* option : root.get_subcommand("build")->get_options(
           [](const CLI::Option* o) { return o->get_group() == kBuildGroup && !o->get_lnames().empty(); })) {
    const bool flag = option->get_items_expected_max() == 0;
    const std::string given = option->get_default_str();
    lines.push_back(fmt::format("{:<28} {:<28} {:<8} {}", "--" + option->get_lnames()[0],
                                flag ? "FLAG" : option->get_type_name(), given.empty() ? flag ? "off" : "-" : given,
                                option->get_description()));
  }
  return lines;
}

}  // namespace

void add_list(CLI::App& app) {
  auto what = std::make_shared<std::string>();
  app.add_option("what", *what, "What to list (default: all)")
      ->check(CLI::IsMember({"backends", "operators", "rules", "tactics", "knobs"}));
  set_footer(app, "  kiln list rules\n  kiln list knobs\n");
  app.callback([what, &app] {
    auto print = [&](const std::string& title, const std::vector<std::string>& names) {
      if (what->empty()) std::printf("%s (%zu)\n", title.c_str(), names.size());
      for (const std::string& n : names) std::printf("%s%s\n", what->empty() ? "  " : "", n.c_str());
    };
    if (what->empty() || *what == "backends") print("backends", api::list_backends());
    if (what->empty() || *what == "operators") print("operators", api::list_operators());
    if (what->empty() || *what == "rules") print("rules", api::list_rules());
    if (what->empty() || *what == "tactics")
      for (const std::string& b : api::list_backends()) print("tactics of " + b, api::list_tactics(b));
    if (what->empty() || *what == "knobs") print("knobs", knobs(*app.get_parent()));
  });
}

}  // namespace kiln::tool
