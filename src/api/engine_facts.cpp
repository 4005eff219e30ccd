// What an engine says about itself: inputs and outputs, layers, memory.
#include <nlohmann/json.hpp>

#include "api/host_value.h"
#include "api/kiln_api.h"
#include "api/run/layer_information.h"
#include "api/run/tensor_formats.h"
#include "base/index.h"

namespace kiln::api {
namespace {

std::string describe(const kiln::Engine& engine, int32_t index, const Symbols& symbols) {
  if (index < 0) return "-";
  const plan::TensorInfo& info = tensor(engine, index);
  return info.name + " " + std::string(name(info.dtype)) + to_string(known_dims(engine, info, symbols)) +
         (info.layout.is_row_major() ? "" : " " + layout_words(info.layout, info.dims.size()));
}

LayerInfo describe(const kiln::Engine& engine, const plan::StepInfo& step, const Symbols& symbols) {
  LayerInfo layer{step.name, step.op, step.device, step.kernel, step.tactic, step.origins, {}, {}};
  layer.stream = static_cast<int>(step.lane);
  for (int32_t t : step.inputs) layer.inputs.push_back(describe(engine, t, symbols));
  for (int32_t t : step.outputs) layer.outputs.push_back(describe(engine, t, symbols));
  return layer;
}

std::string format_word(const plan::TensorInfo& info) {
  const TensorFormatInfo* format = format_of(info.layout, info.dims.size());
  return format ? format->word : to_string(info.layout);
}

nlohmann::ordered_json io_json(const IoTensor& t) {
  nlohmann::ordered_json json{{"name", t.name}, {"type", t.type}, {"dims", t.dims}};
  if (!t.collection.empty()) json["collection"] = t.collection;
  json["format"] = t.format;
  for (const Bounds& b : t.profiles) json["profiles"].push_back({{"min", b.min}, {"opt", b.opt}, {"max", b.max}});
  return json;
}

nlohmann::ordered_json layer_json(const LayerInfo& l) {
  nlohmann::ordered_json json{{"name", l.name},     {"op", l.op},          {"backend", l.backend},
                              {"kernel", l.kernel}, {"tactic", l.tactic},  {"origins", l.origins},
                              {"inputs", l.inputs}, {"outputs", l.outputs}};
  if (l.stream > 0) json["stream"] = l.stream;
  if (!l.computes.empty()) json["computes"] = l.computes;
  if (l.built_ms >= 0) json["built_ms"] = l.built_ms;
  if (l.flops >= 0) json["flops"] = l.flops;
  if (l.bytes >= 0) json["bytes"] = l.bytes;
  return json;
}

}  // namespace

std::vector<IoTensor> Engine::io() const {
  const kiln::Engine& engine = *state_->engine;
  const Symbols symbols = fixed_symbols(engine);
  std::vector<IoTensor> list;
  for (size_t i = 0; i < engine.main().inputs.size(); ++i) {
    const plan::TensorInfo& info = tensor(engine, engine.main().inputs[i]);
    std::vector<Bounds> profiles;
    for (const plan::Profile& p : engine.plan().profiles)
      profiles.push_back({p.inputs[i].min, p.inputs[i].opt, p.inputs[i].max});
    list.push_back({info.name,
                    std::string(kiln::name(info.dtype)),
                    known_dims(engine, info, symbols),
                    profiles,
                    true,
                    {},
                    collection_name(info.kind),
                    format_word(info)});
  }
  for (int32_t t : engine.main().outputs) {
    const plan::TensorInfo& info = tensor(engine, t);
    list.push_back({info.name,
                    std::string(kiln::name(info.dtype)),
                    known_dims(engine, info, symbols),
                    {},
                    false,
                    {},
                    collection_name(info.kind),
                    format_word(info)});
  }
  return list;
}

double Engine::input_bytes() const {
  const kiln::Engine& engine = *state_->engine;
  double most = 0;
  for (const plan::Profile& profile : engine.plan().profiles) {
    double bytes = 0;
    for (size_t i = 0; i < profile.inputs.size(); ++i) {
      double size = bits(tensor(engine, engine.main().inputs[i]).dtype) / 8.0;
      for (const int64_t dim : profile.inputs[i].max) size *= static_cast<double>(dim);
      bytes += size;
    }
    most = std::max(most, bytes);
  }
  return most;
}

std::vector<LayerInfo> Engine::layers() const {
  const kiln::Engine& engine = *state_->engine;
  const Symbols symbols = fixed_symbols(engine);
  std::vector<LayerInfo> list;
  for (const plan::StepInfo& step : engine.main().steps) {
    LayerInfo layer = describe(engine, step, symbols);
    if (const auto it = state_->notes.layers.find(step.name); it != state_->notes.layers.end()) {
      layer.flops = it->second.flops;
      layer.bytes = it->second.bytes;
      layer.built_ms = it->second.built_ms;
      layer.computes = it->second.computes;
      layer.tried = state_->notes.tried[it->second.tried];
    }
    list.push_back(std::move(layer));
  }
  return list;
}

std::string Engine::layer_information() const {
  const kiln::Engine& engine = *state_->engine;
  const Symbols symbols = fixed_symbols(engine);
  std::vector<std::string> layers;
  for (const plan::StepInfo& step : engine.main().steps) layers.push_back(layer_json(engine, step, symbols));
  return engine_json(engine, layers);
}

LayerInfo describe_step(const kiln::Engine& engine, size_t step) {
  return describe(engine, engine.main().steps[step], fixed_symbols(engine));
}

std::vector<MemoryUse> Engine::memory() const {
  const plan::Program& program = state_->engine->main();
  std::vector<MemoryUse> uses;
  std::map<std::pair<uint64_t, int32_t>, size_t> places;  // by offset and tensor that owns the storage
  auto owner = [&](int32_t t) {
    while (nth(program.tensors, t).view_of >= 0) t = nth(program.tensors, t).view_of;
    return t;
  };
  auto touch = [&](int32_t index, size_t step) {
    if (index < 0) return;
    const int32_t t = owner(index);
    const plan::TensorInfo& info = nth(program.tensors, t);
    if (info.storage != plan::Storage::kArena) return;
    const auto [it, added] = places.emplace(std::pair(info.offset, t), uses.size());
    if (added) uses.push_back({info.name, info.offset, info.size, step, step});
    else uses[it->second].last = step;
  };
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const plan::StepInfo& step = program.steps[s];
    for (const auto* list : {&step.inputs, &step.outputs})
      for (int32_t t : *list) touch(t, s);
    if (step.workspace_size > 0)
      uses.push_back({"workspace of " + step.name, step.workspace_offset, step.workspace_size, s, s});
  }
  return uses;
}

std::vector<std::string> Engine::debug_tensors() const {
  const kiln::Engine& engine = *state_->engine;
  std::vector<std::string> names;
  if (engine.plan().shows_results) {
    for (const plan::StepInfo& step : engine.main().steps)
      for (int32_t t : step.outputs)
        if (t >= 0) names.push_back(tensor(engine, t).name);
    return names;
  }
  for (const plan::Watch& watch : engine.plan().watches)
    if (watch.kind == plan::Watch::kShown) names.push_back(tensor(engine, watch.tensor).name);
  return names;
}

std::string Engine::description() const {
  nlohmann::ordered_json json;
  json["name"] = name();
  json["backend"] = backend();
  json["built_by"] = built_by();
  json["fingerprint"] = device();
  json["build_options"] = build_options();
  json["remarks"] = remarks();
  json["context_bytes"] = context_bytes();
  json["weight_bytes"] = weight_bytes();
  for (const IoTensor& t : io()) json[t.is_input ? "inputs" : "outputs"].push_back(io_json(t));
  for (const LayerInfo& l : layers()) json["layers"].push_back(layer_json(l));
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace kiln::api
