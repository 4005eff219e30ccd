// Devices of this machine, and profiles of devices as files.
#include <filesystem>
#include <set>

#include "api/kiln_api.h"
#include "base/file_map.h"
#include "device/choice.h"
#include "target/device_facts.h"
#include "target/target.h"
#include "tuner/timing_cache.h"

namespace kiln::api {
namespace {

constexpr int kMostOrdinals = 64;  // of one back end that are asked for

DeviceInfo info_of(const DeviceProfile& profile) {
  const DeviceFacts& f = profile.facts;
  DeviceInfo info{.backend = profile.back_end,
                  .ordinal = profile.ordinal,
                  .missing = "",
                  .name = f.name,
                  .fingerprint = f.fingerprint,
                  .memory = f.memory,
                  .cache = f.cache,
                  .units = f.units,
                  .bytes_per_second = f.bytes_per_second,
                  .operations_per_second = {},
                  .alignment = f.alignment,
                  .host_memory = f.host_memory,
                  .libraries = {},
                  .switch_milliseconds = f.switch_milliseconds,
                  .switch_factor = f.switch_factor,
                  .times = profile.times};
  for (const auto& [type, rate] : f.operations_per_second)
    info.operations_per_second[std::string(kiln::name(type))] = rate;
  return info;
}

// Back ends in the order of the list, then devices whose steps stand in engines of another back end.
std::vector<std::string> device_names() {
  std::vector<std::string> names = list_backends();
  std::set<std::string> known(names.begin(), names.end());
  for (const Target* target : all_targets())
    for (const Tactic* tactic : target->tactics().all())
      if (!tactic->device.empty() && known.insert(tactic->device).second) names.push_back(tactic->device);
  return names;
}

DType type_of(const std::string& name) {
  const auto type = dtype_from_name(name);
  if (!type) throw Error(Code::kInvalidArgument, "'" + name + "' is no element type");
  return *type;
}

// As a file; throws what reading it would.
std::vector<std::byte> readable_bytes(const DeviceProfile& profile, const std::string& path) {
  const std::string text = device_profile_text(profile);
  const auto bytes = std::as_bytes(std::span(text));
  static_cast<void>(parse_device_profile(bytes, path));
  return {bytes.begin(), bytes.end()};
}

// The profile that a file holds already; throws unless it is of this device. Such numbers and times are not to be lost.
DeviceProfile same_profile(std::span<const std::byte> bytes, const std::string& path, const DeviceProfile& device) {
  const auto what = [](const DeviceProfile& p) {
    return p.facts.name + " (" + p.back_end + ", " + p.facts.fingerprint + ")";
  };
  DeviceProfile known;
  try {
    known = parse_device_profile(bytes, path);
  } catch (const Error& e) {
    throw Error(Code::kIo, "'" + path + "' exists and holds something else; it stays as it is")
        .cause(e.message())
        .remedy("give another path");
  }
  if (known.back_end == device.back_end && known.facts.name == device.facts.name &&
      known.facts.fingerprint == device.facts.fingerprint)
    return known;
  throw Error(Code::kIo, "'" + path + "' holds the profile of another device; it stays as it is")
      .cause("it is of " + what(known) + ", and this is " + what(device))
      .remedy("give another path");
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  return guarded([] {
    std::vector<DeviceInfo> list;
    for (const std::string& name : device_names())
      for (int ordinal = 0; ordinal < kMostOrdinals; ++ordinal) {
        std::string reason;
        const Device* device = try_open_device(name + ":" + std::to_string(ordinal), reason);
        if (device) {
          list.push_back(info_of({name, ordinal, device->facts()}));
          list.back().free_memory = device->free_memory();
          list.back().libraries = device->libraries();
        } else {
          if (ordinal > 0) break;
          list.emplace_back().backend = name;
          list.back().missing = reason;
          break;
        }
      }
    return list;
  });
}

std::vector<DeviceInfo> devices_tried(const std::string& backend) {
  return guarded([&] {
    std::vector<DeviceInfo> list;
    for (const std::string& name : backend.empty() ? list_backends() : std::vector<std::string>{backend}) {
      DeviceInfo& info = list.emplace_back();
      info.backend = name;
      const Device* device = try_open_device(name, info.missing);
      if (!device) continue;
      info = info_of({name, 0, device->facts()});
      break;
    }
    return list;
  });
}

void choose_device(const std::string& backend, int ordinal) {
  guarded([&] { choose_ordinal(backend, ordinal); });
}

void save_device_profile(const std::string& path, const DeviceInfo& device, const std::string& timing_cache) {
  guarded([&] {
    std::map<std::string, double> times;
    if (!timing_cache.empty()) times = TimingCache::load(timing_cache, device.fingerprint).fastest_of_tactics();
    std::map<DType, double> rates;
    for (const auto& [type, rate] : device.operations_per_second) rates[type_of(type)] = rate;
    DeviceProfile profile{device.backend,
                          device.ordinal,
                          {.name = device.name,
                           .fingerprint = device.fingerprint,
                           .memory = device.memory,
                           .cache = device.cache,
                           .units = device.units,
                           .bytes_per_second = device.bytes_per_second,
                           .operations_per_second = rates,
                           .alignment = device.alignment,
                           .host_memory = device.host_memory,
                           .switch_milliseconds = device.switch_milliseconds,
                           .switch_factor = device.switch_factor},
                          std::move(times)};
    profile.times.insert(device.times.begin(), device.times.end());
    const std::vector<std::byte> alone = readable_bytes(profile, path);
    if (std::filesystem::is_character_file(path)) return write_file(path, alone, {"{"});
    update_file(path,
                [&](std::span<const std::byte> old) {
                  if (old.empty()) return alone;
                  profile.times.merge(same_profile(old, path, profile).times);
                  return readable_bytes(profile, path);
                },
                {"{"});
  });
}

DeviceInfo load_device_profile(const std::string& path) {
  return guarded([&] { return info_of(parse_device_profile(FileMap::open(path)->bytes(), path)); });
}

}  // namespace kiln::api
