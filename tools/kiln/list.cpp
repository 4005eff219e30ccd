// kiln list: what this build of Kiln knows.
#include <cstdio>

#include "command.h"

namespace kiln::tool {

void add_list(CLI::App& app) {
  auto what = std::make_shared<std::string>();
  app.add_option("what", *what, "backends, operators, rules or tactics (default: all)")
      ->check(CLI::IsMember({"backends", "operators", "rules", "tactics"}));
  app.footer("Example:\n  kiln list rules");
  app.callback([what] {
    auto print = [&](const std::string& title, const std::vector<std::string>& names) {
      if (what->empty()) std::printf("%s (%zu)\n", title.c_str(), names.size());
      for (const std::string& n : names) std::printf("%s%s\n", what->empty() ? "  " : "", n.c_str());
    };
    if (what->empty() || *what == "backends") print("backends", api::list_backends());
    if (what->empty() || *what == "operators") print("operators", api::list_operators());
    if (what->empty() || *what == "rules") print("rules", api::list_rules());
    if (what->empty() || *what == "tactics")
      for (const std::string& b : api::list_backends()) print("tactics of " + b, api::list_tactics(b));
  });
}

}  // namespace kiln::tool
