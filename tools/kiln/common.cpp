// What the subcommands share: text on the command line, messages.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "command.h"

namespace kiln::tool {
namespace {

bool verbose_output = false;

std::vector<int64_t> parse_dims(const std::string& text) {
  const auto parts = split(text, 'x');
  if (parts.empty()) throw CLI::ValidationError("shapes", "there is no shape after ':' (a scalar's is 'scalar')");
  std::vector<int64_t> dims;
  for (const std::string& part : parts) {
    size_t used = 0;
    int64_t value = -1;
    try {
      value = std::stoll(part, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != part.size() || value < 0)
      throw CLI::ValidationError("shapes", "'" + text + "' is not a shape like 1x3x224x224");
    dims.push_back(value);
  }
  return dims;
}

bool wants_colour(std::FILE* file) {
  const char *no_colour = std::getenv("NO_COLOR"), *terminal = std::getenv("TERM");
  if (no_colour && *no_colour) return false;
  return isatty(fileno(file)) && !(terminal && std::string_view(terminal) == "dumb");
}

// Least number of letters to insert, delete, replace or swap with the next.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  std::iota(d[0].begin(), d[0].end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    d[i][0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  while (start <= text.size() && !text.empty()) {
    const size_t end = std::min(text.find(separator, start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

void set_verbose(bool verbose) { verbose_output = verbose; }

void say(api::Level level, const std::string& text) {
  if (level == api::Level::kVerbose && !verbose_output) return;
  const bool loud = level <= api::Level::kWarning;
  std::FILE* out = loud ? stderr : stdout;
  const char* tag = level <= api::Level::kError     ? "[E] "
                    : level == api::Level::kWarning ? "[W] "
                    : level == api::Level::kInfo    ? "[I] "
                                                    : "[V] ";
  const char* paint = !loud || !wants_colour(out) ? "" : level == api::Level::kWarning ? "\033[33m" : "\033[31m";
  std::fputs(fmt::format("{}{}{}{}\n", paint, tag, text, *paint ? "\033[0m" : "").c_str(), out);
  std::fflush(out);
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string* best = nullptr;
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates)
    if (const size_t d = edit_distance(word, candidate); d < least) {
      least = d;
      best = &candidate;
    }
  return best ? "; did you mean '" + *best + "'?" : "";
}

void set_footer(CLI::App& app, const std::string& examples, const std::string& exit_codes) {
  app.footer("Examples:\n" + examples + exit_codes);
}

std::map<std::string, std::string> parse_pairs(const std::string& text) {
  std::map<std::string, std::string> pairs;
  for (std::string part : split(text, ',')) {
    if (part.size() >= 2 && part.front() == '\'' && part.back() == '\'') part = part.substr(1, part.size() - 2);
    const size_t colon = part.rfind(':');
    if (colon == std::string::npos || colon == 0)
      throw CLI::ValidationError("names", "'" + part + "' is not name:value");
    pairs[part.substr(0, colon)] = part.substr(colon + 1);
  }
  return pairs;
}

Shapes parse_shapes(const std::string& text) {
  Shapes shapes;
  for (const auto& [name, dims] : parse_pairs(text))
    shapes[name] = dims == "scalar" ? std::vector<int64_t>() : parse_dims(dims);
  return shapes;
}

std::string shape_text(const std::vector<int64_t>& dims) {
  std::string text;
  for (int64_t d : dims) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text.empty() ? "scalar" : text;
}

std::vector<api::IoTensor> of_kind(const std::vector<api::IoTensor>& list, bool inputs) {
  std::vector<api::IoTensor> result;
  std::copy_if(list.begin(), list.end(), std::back_inserter(result),
               [&](const auto& t) { return t.is_input == inputs; });
  return result;
}

}  // namespace kiln::tool
