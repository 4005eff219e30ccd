// Notes of a build as JSON.
#include "api/engine_notes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compiler/compile.h"
#include "kiln/kiln.h"
#include "target/workload.h"

namespace kiln::api {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kLargestNotes = size_t{16} << 20;  // bytes that are read, and written

double number(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_number() ? it->get<double>() : -1;
}

std::string text_of(const Json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : "";
}

Json tried_json(const std::vector<Tried>& list) {
  Json json = Json::array();
  for (const Tried& t : list) json.push_back({t.candidate, t.milliseconds});
  return json;
}

std::string text(const std::string& options, const std::vector<std::string>& remarks,
                 const std::vector<LayerReport>& layers, const std::map<std::string, Workload>& work, bool with_tried) {
  Json json{{"options", options}, {"tried", Json::array()}, {"layers", Json::array()}};
  if (!remarks.empty()) json["remarks"] = remarks;
  std::map<std::string, size_t> places{{"[]", 0}};  // of lists that are there
  for (const LayerReport& layer : layers) {
    Json one{{"name", layer.name}};
    if (const auto it = work.find(layer.name); it != work.end()) {
      one["flops"] = it->second.flops;
      one["bytes"] = it->second.bytes;
    }
    if (layer.computes != DType::kInvalid) one["computes"] = std::string(name(layer.computes));
    if (layer.milliseconds >= 0) one["ms"] = layer.milliseconds;
    if (with_tried && !layer.tried.empty()) {
      const Json list = tried_json(layer.tried);
      const auto [place, added] = places.emplace(list.dump(), places.size());
      if (added) json["tried"].push_back(list);
      one["tried"] = place->second;
    }
    json["layers"].push_back(std::move(one));
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string options_text(const BuildOptions& o) {
  std::string text = "level " + std::to_string(o.optimization_level);
  if (!o.disabled.empty()) {
    text += ", without";
    for (const std::string& name : o.disabled) text += " " + name;
  }
  if (!o.input_formats.empty()) text += ", inputs " + o.input_formats;
  if (!o.output_formats.empty()) text += ", outputs " + o.output_formats;
  if (!o.ranges.empty()) text += ", int8";
  if (o.corrects_bias) text += ", corrected biases";
  if (o.smoothing > 0) text += fmt::format(", smoothed by {}", o.smoothing);
  if (o.equalizes) text += ", equalized layers";
  if (o.weight_bits > 0) text += fmt::format(", weights of {} bits", o.weight_bits);
  if (o.weight_bits > 0 && o.weight_block > 0) text += fmt::format(" in blocks of {}", o.weight_block);
  if (o.stop_after >= 0) text += fmt::format(", {} patches", o.stop_after);
  if (o.max_aux_streams >= 0) text += fmt::format(", {} streams beside the caller's", o.max_aux_streams);
  if (o.max_threads > 0) text += fmt::format(", {} threads", o.max_threads);
  return text;
}

std::string notes_text(const std::string& options, const std::vector<std::string>& remarks,
                       const std::vector<LayerReport>& layers, const std::map<std::string, Workload>& work) {
  std::string all = text(options, remarks, layers, work, true);
  if (all.size() > kLargestNotes) all = text(options, remarks, layers, work, false);
  return all.size() > kLargestNotes ? "" : all;
}

EngineNotes parse_notes(const std::string& text) {
  EngineNotes notes;
  if (text.size() > kLargestNotes) return notes;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return notes;
  if (const auto it = json.find("options"); it != json.end() && it->is_string()) notes.options = it->get<std::string>();
  if (const auto list = json.find("remarks"); list != json.end() && list->is_array())
    for (const Json& one : *list)
      if (one.is_string()) notes.remarks.push_back(one.get<std::string>());
  if (const auto lists = json.find("tried"); lists != json.end() && lists->is_array())
    for (const Json& list : *lists) {
      auto& into = notes.tried.emplace_back();
      for (const Json& one : list)
        if (one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_number())
          into.emplace_back(one[0].get<std::string>(), one[1].get<double>());
    }
  if (const auto layers = json.find("layers"); layers != json.end() && layers->is_array())
    for (const Json& one : *layers) {
      if (!one.is_object() || !one.contains("name") || !one["name"].is_string()) continue;
      EngineNotes::Layer& layer = notes.layers[one["name"].get<std::string>()];
      layer = {number(one, "flops"), number(one, "bytes"), number(one, "ms"), 0, text_of(one, "computes")};
      if (const auto it = one.find("tried"); it != one.end() && it->is_number_unsigned())
        layer.tried = it->get<size_t>() < notes.tried.size() ? it->get<size_t>() : 0;
    }
  return notes;
}

}  // namespace kiln::api
