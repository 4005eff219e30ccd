// kiln list: what this build of Kiln knows.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "command.h"
#include "layer_table.h"

namespace kiln::tool {
namespace {

using Json = nlohmann::ordered_json;

struct ListOptions {
  std::string what, device, save, load, timing_cache;
  bool json = false;
};

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

// ---- devices

std::string place_of(const api::DeviceInfo& d) { return d.backend + ":" + std::to_string(d.ordinal); }

// "1.98 TFLOP/s".
std::string rate_text(double rate, const char* unit) {
  for (const auto& [size, prefix] : {std::pair{1e12, "T"}, {1e9, "G"}, {1e6, "M"}})
    if (rate >= size) return fmt::format("{:.4g} {}{}/s", rate / size, prefix, unit);
  return fmt::format("{:.4g} {}/s", rate, unit);
}

std::vector<std::string> device_lines(const api::DeviceInfo& d) {
  if (!d.missing.empty()) return {d.backend + ": not available: " + d.missing};
  std::string memory =
      bytes_text(static_cast<double>(d.memory)) + (d.host_memory ? " of the host's memory" : " of memory");
  if (d.free_memory >= 0) memory += " (" + bytes_text(static_cast<double>(d.free_memory)) + " free)";
  std::vector<std::string> facts{fmt::format("{} unit{}", d.units, d.units == 1 ? "" : "s")};
  if (d.memory > 0) facts.push_back(memory);
  if (d.cache > 0) facts.push_back("cache of " + bytes_text(static_cast<double>(d.cache)));
  facts.push_back(fmt::format("memory aligned at {} bytes", d.alignment));
  std::vector<std::string> rates;
  if (d.bytes_per_second > 0) rates.push_back("memory " + rate_text(d.bytes_per_second, "B"));
  for (const auto& [type, rate] : d.operations_per_second) rates.push_back(type + " " + rate_text(rate, "FLOP"));
  std::vector<std::string> lines{place_of(d) + ": " + d.name, "  " + join(facts, ", ")};
  if (!rates.empty()) lines.push_back("  " + join(rates, ", "));
  for (const auto& [library, version] : d.libraries) lines.push_back("  " + library + ": " + version);
  if (const size_t count = d.times.size(); count > 0)
    lines.push_back(fmt::format("  times of {} choice{} of tactics", count, count == 1 ? "" : "s"));
  lines.push_back("  fingerprint: " + d.fingerprint);
  return lines;
}

Json device_json(const api::DeviceInfo& d) {
  Json json{{"backend", d.backend}, {"ordinal", d.ordinal}, {"available", d.missing.empty()}};
  if (!d.missing.empty()) {
    json["reason"] = d.missing;
    return json;
  }
  json.update({{"name", d.name},
               {"fingerprint", d.fingerprint},
               {"memory", d.memory},
               {"free_memory", d.free_memory},
               {"cache", d.cache},
               {"units", d.units},
               {"bytes_per_second", d.bytes_per_second},
               {"operations_per_second", d.operations_per_second},
               {"alignment", d.alignment},
               {"host_memory", d.host_memory},
               {"libraries", d.libraries}});
  return json;
}

// That of the name "backend" or "backend:ordinal"; the first that is there when there is no name.
api::DeviceInfo chosen_device(const std::vector<api::DeviceInfo>& devices, const std::string& name) {
  std::vector<std::string> known;
  for (const api::DeviceInfo& d : devices) {
    const bool named = name == place_of(d) || (d.ordinal == 0 && name == d.backend);
    if (named && !d.missing.empty())
      throw api::Failure("error[K1004] the device '" + name + "' is not available\n  cause: " + d.missing +
                         "\n  remedy: `kiln list devices` shows those that are");
    if (named || (name.empty() && d.missing.empty())) return d;
    known.push_back(place_of(d));
  }
  throw api::Failure("error[K1004] there is no device '" + name + "'" + api::name_hint(name, known) +
                     "\n  remedy: `kiln list devices` shows which there are");
}

// What the device does not tell is measured, where engines are built for it.
void complete(api::DeviceInfo& d) {
  const auto back_ends = api::list_backends();
  const bool known = d.bytes_per_second > 0 && d.operations_per_second.count("float32") > 0;
  if (known || d.ordinal != 0 || std::find(back_ends.begin(), back_ends.end(), d.backend) == back_ends.end()) return;
  const Limits limits = measure_limits(0, d.backend);
  if (d.bytes_per_second <= 0) d.bytes_per_second = limits.bytes_per_s;
  d.operations_per_second.try_emplace("float32", limits.flops_per_s);
}

void list_devices(const ListOptions& o) {
  if (!o.timing_cache.empty() && o.save.empty())
    throw CLI::ValidationError("--timingCacheFile", "goes with --saveProfile");
  std::vector<api::DeviceInfo> devices;
  if (o.load.empty()) devices = api::list_devices();
  else devices.push_back(api::load_device_profile(o.load));
  if (!o.device.empty() || !o.save.empty()) devices = {chosen_device(devices, o.device)};
  if (!o.save.empty()) {
    check_output(o.save, kJsonFiles);
    complete(devices[0]);
    api::save_device_profile(o.save, devices[0], o.timing_cache);
  }
  if (o.json) {
    Json json = Json::array();
    for (const api::DeviceInfo& d : devices) json.push_back(device_json(d));
    std::puts(json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  for (const api::DeviceInfo& d : devices)
    for (const std::string& line : device_lines(d)) std::puts(api::printable(line).c_str());
}

// ---- all

void list_names(const ListOptions& o, const CLI::App& root) {
  auto print = [&](const std::string& title, const std::vector<std::string>& names) {
    if (o.what.empty()) std::printf("%s (%zu)\n", title.c_str(), names.size());
    for (const std::string& n : names) std::printf("%s%s\n", o.what.empty() ? "  " : "", n.c_str());
  };
  const auto wanted = [&](const char* word) { return o.what.empty() || o.what == word; };
  if (wanted("backends")) print("backends", api::list_backends());
  if (wanted("operators")) print("operators", api::list_operators());
  if (wanted("rules")) print("rules", api::list_rules());
  if (wanted("tactics"))
    for (const std::string& b : api::list_backends()) print("tactics of " + b, api::list_tactics(b));
  if (wanted("knobs")) print("knobs", knobs(root));
}

void run(const ListOptions& o, const CLI::App& root) {
  if (o.what == "devices") return list_devices(o);
  for (const auto& [given, name] : {std::pair{!o.device.empty(), "--device"},
                                    {!o.save.empty(), "--saveProfile"},
                                    {!o.load.empty(), "--loadProfile"},
                                    {!o.timing_cache.empty(), "--timingCacheFile"},
                                    {o.json, "--json"}})
    if (given) throw CLI::ValidationError(name, "goes with `kiln list devices`");
  list_names(o, root);
}

}  // namespace

void add_list(CLI::App& app) {
  auto o = std::make_shared<ListOptions>();
  app.add_option("what", o->what, "What to list (default: all but devices)")
      ->check(CLI::IsMember({"backends", "devices", "operators", "rules", "tactics", "knobs"}));
  app.add_option("--device", o->device, "The device of that name only: a back end, perhaps with ':' and a number");
  app.add_option(
      "--saveProfile", o->save,
      "Write what is known of a device as JSON (default: of the first that is there); rates that it does not "
      "tell are measured, and times of the same device that the file has stay");
  app.add_option("--loadProfile", o->load, "Show the device of such a file instead of those of this machine");
  app.add_option(
      "--timingCacheFile", o->timing_cache,
      "With --saveProfile: keep the fastest times of this file in the profile, for builds with --deviceProfile");
  app.add_flag("--json", o->json, "Devices as JSON");
  set_footer(app,
             "  kiln list rules\n"
             "  kiln list devices\n"
             "  kiln list devices --device=cpu --saveProfile=machine.json\n"
             "  kiln list devices --saveProfile=gpu.json --timingCacheFile=resnet50.times\n");
  app.callback([o, &app] { run(*o, *app.get_parent()); });
}

}  // namespace kiln::tool
