// Facts of devices as JSON.
#include "target/device_facts.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace kiln {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kKind = "kiln device profile 1";
constexpr size_t kLargestFile = size_t{1} << 20;
constexpr size_t kLongestText = 1000;
constexpr const char* kTimes = "times";
constexpr int64_t kMostUnits = 1 << 20, kLargestAlignment = 1 << 20;
constexpr double kMostNumber = 1e21;

// Fields of a profile, each taken once, with what is wrong with it.
class Fields {
 public:
  Fields(const Json& json, std::string what) : json_(json), what_(std::move(what)) {}

  [[noreturn]] void refuse(const std::string& message) const {
    throw Error(Code::kInvalidArgument, "'" + what_ + "' is not the profile of a device: " + message)
        .remedy("write it with `kiln list devices --saveProfile=FILE`");
  }
  // Null when there is none.
  const Json* find(const char* key) {
    known_.insert(key);
    const auto it = json_.find(key);
    return it == json_.end() ? nullptr : &*it;
  }
  const Json& at(const char* key) {
    const Json* value = find(key);
    if (!value) refuse("there is no '" + std::string(key) + "'");
    return *value;
  }
  std::string text(const char* key) {
    const Json& value = at(key);
    if (!value.is_string() || value.get_ref<const std::string&>().size() > kLongestText)
      refuse("'" + std::string(key) + "' is not a text of at most " + std::to_string(kLongestText) + " bytes");
    return value.get<std::string>();
  }
  int64_t integer(const char* key, int64_t least, int64_t most) {
    const Json& value = at(key);
    const bool fits = value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
    if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > most)
      refuse("'" + std::string(key) + "' is not an integer from " + std::to_string(least) + " to " +
             std::to_string(most));
    return value.get<int64_t>();
  }
  bool boolean(const char* key) {
    const Json& value = at(key);
    if (!value.is_boolean()) refuse("'" + std::string(key) + "' is neither true nor false");
    return value.get<bool>();
  }
  double number(const std::string& key, const Json& value) const {
    if (!value.is_number() || !(value.get<double>() >= 0) || value.get<double>() > kMostNumber)
      refuse("'" + key + "' is not a number from 0 to 1e21");
    return value.get<double>();
  }
  // Refuses what nobody asked for: a word that is typed wrong would be lost otherwise.
  void check_all_known() const {
    for (const auto& [key, value] : json_.items())
      if (!known_.count(key)) refuse("nothing is called '" + key + "'");
  }

 private:
  const Json& json_;
  std::string what_;
  std::set<std::string> known_;
};

std::map<DType, double> rates_of(Fields& fields) {
  constexpr const char* kKey = "operations_per_second";
  std::map<DType, double> rates;
  const Json& json = fields.at(kKey);
  if (!json.is_object()) fields.refuse("'" + std::string(kKey) + "' does not name types");
  for (const auto& [name, value] : json.items()) {
    const auto type = dtype_from_name(name);
    if (!type) fields.refuse("'" + name + "' is no element type");
    rates[*type] = fields.number(name, value);
  }
  return rates;
}

// A profile need not have any.
std::map<std::string, double> times_of(Fields& fields) {
  std::map<std::string, double> times;
  const Json* json = fields.find(kTimes);
  if (!json) return times;
  if (!json->is_object()) fields.refuse("'" + std::string(kTimes) + "' does not name choices");
  for (const auto& [choice, value] : json->items()) times[choice] = fields.number(choice, value);
  return times;
}

}  // namespace

std::string device_profile_text(const DeviceProfile& profile) {
  const DeviceFacts& f = profile.facts;
  Json rates = Json::object();
  for (const auto& [type, rate] : f.operations_per_second) rates[std::string(name(type))] = rate;
  Json json{{"kind", kKind},
            {"backend", profile.back_end},
            {"ordinal", profile.ordinal},
            {"name", f.name},
            {"fingerprint", f.fingerprint},
            {"memory", f.memory},
            {"cache", f.cache},
            {"units", f.units},
            {"bytes_per_second", f.bytes_per_second},
            {"operations_per_second", rates},
            {"alignment", f.alignment},
            {"host_memory", f.host_memory},
            {"switch_milliseconds", f.switch_milliseconds},
            {"switch_factor", f.switch_factor}};
  if (!profile.times.empty()) json[kTimes] = profile.times;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

DeviceProfile parse_device_profile(std::span<const std::byte> bytes, const std::string& what) {
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  Json json;
  if (bytes.size() <= kLargestFile) json = Json::parse(text, text + bytes.size(), nullptr, false);
  Fields fields(json, what);
  if (bytes.size() > kLargestFile) fields.refuse("it is larger than 1 MiB");
  if (!json.is_object()) fields.refuse("it is no JSON object");
  if (fields.text("kind") != kKind) fields.refuse("its 'kind' is not '" + std::string(kKind) + "'");
  DeviceProfile profile;
  DeviceFacts& f = profile.facts;
  profile.back_end = fields.text("backend");
  profile.ordinal = static_cast<int>(fields.integer("ordinal", 0, INT32_MAX));
  f.name = fields.text("name");
  f.fingerprint = fields.text("fingerprint");
  f.memory = fields.integer("memory", 0, INT64_MAX);
  f.cache = fields.integer("cache", 0, INT64_MAX);
  f.units = static_cast<int>(fields.integer("units", 1, kMostUnits));
  f.bytes_per_second = fields.number("bytes_per_second", fields.at("bytes_per_second"));
  f.operations_per_second = rates_of(fields);
  f.alignment = fields.integer("alignment", 1, kLargestAlignment);
  if ((f.alignment & (f.alignment - 1)) != 0) fields.refuse("'alignment' is not a power of two");
  f.host_memory = fields.boolean("host_memory");
  f.switch_milliseconds = fields.number("switch_milliseconds", fields.at("switch_milliseconds"));
  f.switch_factor = fields.number("switch_factor", fields.at("switch_factor"));
  profile.times = times_of(fields);
  fields.check_all_known();
  return profile;
}

}  // namespace kiln
