// The counts and failures as text and JSON.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "conformance/conformance.h"

namespace kiln::conformance {
namespace {

std::string kind_of(const Result& r) { return r.name.substr(0, r.name.find('/')); }

// Failures that differ in names and numbers alone share a cause.
std::string generalised(const Result& r) {
  std::string text;
  bool quoted = false;
  for (char c : r.cause) {
    if (c == '\'') {
      quoted = !quoted;
      if (!quoted) text += "'…'";
    } else if (!quoted) {
      if (c >= '0' && c <= '9') {
        if (text.empty() || text.back() != '#') text += '#';
      } else {
        text += c;
      }
    }
  }
  return r.stage + ": " + text.substr(0, 160);
}

struct Count {
  int passed = 0, all = 0;
};

std::map<std::string, Count> counts(const std::vector<Result>& results) {
  std::map<std::string, Count> by_kind;
  for (const Result& r : results)
    for (const std::string& kind : {kind_of(r), std::string("all")}) {
      by_kind[kind].passed += r.passed;
      ++by_kind[kind].all;
    }
  return by_kind;
}

}  // namespace

std::string report_text(const std::string& backend, const std::vector<Result>& results) {
  std::string text = "## " + backend + "\n\n| kind | passed | of | share |\n| --- | --: | --: | --: |\n";
  for (const auto& [kind, count] : counts(results)) {
    char share[16];
    std::snprintf(share, sizeof share, "%.1f %%", 100.0 * count.passed / count.all);
    text +=
        "| " + kind + " | " + std::to_string(count.passed) + " | " + std::to_string(count.all) + " | " + share + " |\n";
  }
  std::map<std::string, std::vector<std::string>> causes;
  for (const Result& r : results)
    if (!r.passed) causes[generalised(r)].push_back(r.name);
  std::vector<std::pair<std::string, std::vector<std::string>>> sorted(causes.begin(), causes.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  text += "\nFailures by cause:\n\n| tests | cause | names |\n| --: | --- | --- |\n";
  for (const auto& [cause, names] : sorted) {
    std::string list;
    for (const auto& n : names) list += (list.empty() ? "" : ", ") + n;
    text += "| " + std::to_string(names.size()) + " | " + cause + " | " + list + " |\n";
  }
  return text;
}

std::string report_json(const std::string& backend, const std::vector<Result>& results) {
  nlohmann::json json;
  json["backend"] = backend;
  for (const auto& [kind, count] : counts(results))
    json["counts"][kind] = {{"passed", count.passed}, {"of", count.all}};
  json["failed"] = nlohmann::json::array();
  for (const Result& r : results)
    if (!r.passed) json["failed"].push_back({{"name", r.name}, {"stage", r.stage}, {"cause", r.cause}});
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kiln::conformance
