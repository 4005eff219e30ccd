// What the subcommands share: text on the command line, messages.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "command.h"

namespace kiln::tool {
namespace {

api::Level loudest = api::Level::kInfo;  // that is printed

std::vector<int64_t> parse_dims(const std::string& option, const std::string& text) {
  const auto parts = split(text, 'x');
  if (parts.empty()) throw CLI::ValidationError(option, "there is no shape after ':' (a scalar's is 'scalar')");
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
      throw CLI::ValidationError(option, "'" + text + "' is not a shape like 1x3x224x224");
    dims.push_back(value);
  }
  return dims;
}

// That a text is, when it is finite.
std::optional<double> number_of(const std::string& text) {
  double value = 0;
  return CLI::detail::lexical_cast(text, value) && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

CLI::Validator number_that(const std::function<bool(double)>& holds, const std::string& what, const std::string& type) {
  const auto check = [holds, what](const std::string& text) {
    const auto number = number_of(text);
    return number && holds(*number) ? std::string() : "'" + text + "' is not a " + what;
  };
  return CLI::Validator(check, type);
}

bool wants_colour(std::FILE* file) {
  const char *no_colour = std::getenv("NO_COLOR"), *terminal = std::getenv("TERM");
  if (no_colour && *no_colour) return false;
  return isatty(fileno(file)) && !(terminal && std::string_view(terminal) == "dumb");
}

void write(std::FILE* out, api::Level level, const std::string& text) {
  const char* tag = level <= api::Level::kError     ? "[E] "
                    : level == api::Level::kWarning ? "[W] "
                    : level == api::Level::kInfo    ? "[I] "
                                                    : "[V] ";
  const bool loud = level <= api::Level::kWarning;
  const char* paint = !loud || !wants_colour(out) ? "" : level == api::Level::kWarning ? "\033[33m" : "\033[31m";
  std::fputs(fmt::format("{}{}{}{}\n", paint, tag, api::printable(text), *paint ? "\033[0m" : "").c_str(), out);
  std::fflush(out);
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

CLI::Validator finite() {
  return number_that([](double n) { return std::isfinite(static_cast<float>(n)); }, "finite number", "FINITE");
}

CLI::Validator not_zero() {
  return number_that([](double n) { return std::isfinite(static_cast<float>(n)) && static_cast<float>(n) != 0; },
                     "finite number other than 0", "NONZERO");
}

CLI::Validator not_negative() {
  return number_that([](double n) { return n >= 0; }, "number of at least 0", "NONNEGATIVE");
}

CLI::Validator positive() {
  return number_that([](double n) { return n > 0; }, "number above 0", "POSITIVE");
}

CLI::Validator between(double low, double high) {
  return number_that([=](double n) { return n >= low && n <= high; }, fmt::format("number from {} to {}", low, high),
                     fmt::format("NUMBER in [{} - {}]", low, high));
}

void set_loudness(bool verbose, bool quiet) {
  loudest = verbose ? api::Level::kVerbose : quiet ? api::Level::kWarning : api::Level::kInfo;
}

void say(api::Level level, const std::string& text) {
  if (level != api::Level::kInfo && level > loudest) return;  // results are printed also when all else is quiet
  write(level <= api::Level::kWarning ? stderr : stdout, level, text);
}

void log(api::Level level, const std::string& text) {
  if (level <= loudest) write(stderr, level, text);
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string nearest = api::nearest_name(word, candidates);
  return nearest.empty() ? "" : "; did you mean '" + nearest + "'?";
}

CLI::Option* add_rebuild_flag(CLI::App& app, bool& rebuild_kernels) {
  return app.add_flag(
      "--rebuildKernels", rebuild_kernels,
      "Do not run generated kernels as they stand in the saved engine: make each again from its parameters");
}

void add_debug_sync_flag(CLI::App& app, bool& debug_sync) {
  app.add_flag("--debugSync", debug_sync, "Wait for each layer, so that the error of one that fails names it; slow");
}

void set_footer(CLI::App& app, const std::string& examples, const std::string& exit_codes) {
  app.footer("Examples:\n" + examples + exit_codes);
}

std::map<std::string, std::string> parse_pairs(const std::string& option, const std::string& text) {
  std::map<std::string, std::string> pairs;
  for (std::string part : split(text, ',')) {
    if (part.size() >= 2 && part.front() == '\'' && part.back() == '\'') part = part.substr(1, part.size() - 2);
    const size_t colon = part.rfind(':');
    if (colon == std::string::npos || colon == 0)
      throw CLI::ValidationError(option, "'" + part + "' is not name:value");
    pairs[part.substr(0, colon)] = part.substr(colon + 1);
  }
  return pairs;
}

Shapes parse_shapes(const std::string& option, const std::string& text) {
  Shapes shapes;
  for (const auto& [name, dims] : parse_pairs(option, text))
    shapes[name] = dims == "scalar" ? std::vector<int64_t>() : parse_dims(option, dims);
  return shapes;
}

std::vector<std::string> names_of(const std::vector<api::IoTensor>& list) {
  std::vector<std::string> names;
  for (const api::IoTensor& io : list) names.push_back(io.name);
  return names;
}

void check_names(const std::string& option, const Shapes& shapes, const std::vector<api::IoTensor>& io) {
  const std::vector<std::string> names = names_of(of_kind(io, true));
  for (const auto& [name, dims] : shapes)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw CLI::ValidationError(option, "the network has no input '" + name + "'" + api::name_hint(name, names));
}

std::string shape_text(const std::vector<int64_t>& dims) {
  std::string text;
  for (int64_t d : dims) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text.empty() ? "scalar" : text;
}

std::string bytes_text(double bytes) {
  constexpr double kKibi = 1024;
  if (bytes < kKibi * kKibi) return fmt::format("{:.1f} KiB", bytes / kKibi);
  if (bytes < kKibi * kKibi * kKibi) return fmt::format("{:.1f} MiB", bytes / kKibi / kKibi);
  return fmt::format("{:.2f} GiB", bytes / kKibi / kKibi / kKibi);
}

std::string join(const std::vector<std::string>& parts, const char* separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

void check_folder(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (folder.empty() || std::filesystem::is_directory(folder, error)) return;
  throw api::Failure("error[K1004] cannot create '" + path + "'\n  cause: there is no folder '" + folder.string() +
                     "'\n  remedy: make the folder, or give another path");
}

void check_output(const std::string& path, const FileKinds& kinds) {
  if (path.empty()) return;
  if (path == "-")
    throw api::Failure(
        "error[K1005] '-' is no file\n  cause: results do not go to the standard output, where messages go\n  remedy: "
        "give the path of a file");
  check_folder(path);
  api::check_place(path, kinds);
}

void check_tensor_place(const std::string& path) {
  check_output(path, path.ends_with(".pb") ? FileKinds() : kNpyFiles);
}

void check_engine_place(const std::string& path) {
  check_output(path);
  if (!path.empty()) api::Engine::check_place(path);
}

void write_text(const std::string& path, const std::string& text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  const FileKinds own{std::string_view(text).substr(0, 1)};
  const bool is_json = std::find(kJsonFiles.begin(), kJsonFiles.end(), own[0]) != kJsonFiles.end();
  api::save_bytes(path, {bytes, bytes + text.size()}, is_json ? kJsonFiles : own);
}

void write_bytes(const std::string& path, const std::vector<std::byte>& bytes) {
  write_text(path, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

int processors() {
  if (const char* text = std::getenv("OMP_NUM_THREADS"))
    if (const int count = std::atoi(text); count > 0) return count;
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? std::max(CPU_COUNT(&set), 1) : 1;
}

std::vector<api::IoTensor> of_kind(const std::vector<api::IoTensor>& list, bool inputs) {
  std::vector<api::IoTensor> result;
  std::copy_if(list.begin(), list.end(), std::back_inserter(result),
               [&](const auto& t) { return t.is_input == inputs; });
  return result;
}

}  // namespace kiln::tool
