// Files of calibration: Kiln's own, JSON, and TensorRT's text, lines of a name and a scale in hexadecimal.
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "api/histogram.h"
#include "api/kiln_api.h"
#include "base/error.h"
#include "base/file_map.h"

namespace kiln::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kOwn = "{\n  \"kiln_calibration\": 1", kTensorRt = "TRT-";

FileKinds kinds() { return {kOwn, kTensorRt}; }

Error damaged(const std::string& what, const std::string& cause) {
  return Error(Code::kInvalidArgument, what + " is no file of calibration")
      .cause(cause)
      .remedy("write one with kiln calibrate MODEL --data=…");
}

double sound_range(const std::string& what, const std::string& tensor, double range) {
  if (std::isfinite(range) && range >= 0) return range;
  throw damaged(what, fmt::format("the range of tensor '{}' is {}", printable(tensor), range));
}

std::vector<float> numbers(const Json& entry, const char* key) {
  std::vector<float> list;
  if (!entry.is_object() || !entry.contains(key) || !entry[key].is_array()) return list;
  for (const Json& v : entry[key]) list.push_back(v.is_number() ? v.get<float>() : std::nanf(""));
  return list;
}

Calibration read_own(const std::string& what, std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("tensors") || !json["tensors"].is_object())
    throw damaged(what, "it is cut off or holds no tensors");
  Calibration calibration;
  calibration.algorithm = json.value("algorithm", Json()).is_string() ? json["algorithm"].get<std::string>() : "";
  calibration.equalized = json.value("equalized", Json()) == true;
  for (const auto& [name, entry] : json["tensors"].items()) {
    const auto number = [&, &own = entry](const char* key) {
      return own.is_object() && own.contains(key) && own[key].is_number() ? own[key].get<double>() : std::nan("");
    };
    TensorRange& range = calibration.tensors[name];
    range = {sound_range(what, name, number("range")),
             number("low"),
             number("high"),
             number("clipped"),
             number("error"),
             {numbers(entry, "mean"), numbers(entry, "most")}};
  }
  return calibration;
}

// "TRT-8510-EntropyCalibration2", then "name: 3c010a14": the bits of a scale, of the step from one integer to the next.
Calibration read_tensorrt(const std::string& what, std::string_view text) {
  std::istringstream lines{std::string(text)};
  Calibration calibration;
  std::string line;
  std::getline(lines, line);
  calibration.algorithm = line.substr(line.rfind('-') + 1);
  while (std::getline(lines, line)) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    const size_t colon = line.rfind(": ");
    const std::string digits = colon == std::string::npos ? "" : line.substr(colon + 2);
    if (digits.size() != 8 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
      throw damaged(what, "a line is not 'name: 8 hexadecimal digits'");
    const auto scale = std::bit_cast<float>(static_cast<uint32_t>(std::stoul(digits, nullptr, 16)));
    const std::string name = line.substr(0, colon);
    calibration.tensors[name].range = sound_range(what, name, static_cast<double>(scale) * kInt8Steps);
  }
  return calibration;
}

std::string own_text(const Calibration& calibration) {
  Json json{{"kiln_calibration", 1}, {"algorithm", calibration.algorithm}};
  if (calibration.equalized) json["equalized"] = true;
  json["tensors"] = Json::object();
  for (const auto& [name, t] : calibration.tensors) {
    Json& entry = json["tensors"][name] = {
        {"range", t.range}, {"low", t.low}, {"high", t.high}, {"clipped", t.clipped}, {"error", t.error}};
    if (t.channels.mean.empty()) continue;
    entry["mean"] = t.channels.mean;
    entry["most"] = t.channels.most;
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string tensorrt_text(const Calibration& calibration) {
  const char* kind = calibration.algorithm == "minmax" ? "MinMaxCalibration" : "EntropyCalibration2";
  std::string text = fmt::format("TRT-8510-{}\n", kind);
  for (const auto& [name, t] : calibration.tensors)
    text += fmt::format("{}: {:08x}\n", name, std::bit_cast<uint32_t>(static_cast<float>(t.range / kInt8Steps)));
  return text;
}

}  // namespace

Calibration parse_calibration(std::string_view text, const std::string& what) {
  const Calibration calibration = text.starts_with(kTensorRt) ? read_tensorrt(what, text) : read_own(what, text);
  if (calibration.tensors.empty()) throw damaged(what, "it holds no tensors");
  return calibration;
}

std::string calibration_text(const Calibration& calibration, bool tensorrt) {
  return tensorrt ? tensorrt_text(calibration) : own_text(calibration);
}

Calibration load_calibration(const std::string& path) {
  return guarded([&] {
    const auto map = FileMap::open(path);
    const auto bytes = map->bytes();
    return parse_calibration({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "'" + path + "'");
  });
}

void save_calibration(const std::string& path, const Calibration& calibration, bool tensorrt) {
  guarded([&] {
    const std::string text = calibration_text(calibration, tensorrt);
    write_file(path, std::as_bytes(std::span(text)), kinds());
  });
}

void check_calibration_place(const std::string& path) {
  guarded([&] { check_writable(path, kinds()); });
}

}  // namespace kiln::api
