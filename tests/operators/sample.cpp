// Samples of pointwise operators, and the list of all samplers.
#include "operators/sample.h"

#include <algorithm>

namespace kiln::operators {
namespace {

// What the texts among the attributes of pointwise operators may be.
struct Words {
  const char *op, *attribute;
  std::vector<std::string> words;
};

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (DType type : kRealTypes.list()) names.emplace_back(name(type));
  return names;
}

const std::vector<Words>& all_words() {
  static const std::vector<Words> words = {
      {"BitShift", "direction", {"LEFT", "RIGHT"}},
      {"Cast", "to", type_names()},
      {"Cast", "round_mode", {"up", "down", "nearest"}},
      {"Gelu", "approximate", {"none", "tanh"}},
  };
  return words;
}

Attribute draw_attribute(const OpDef& op, const AttributeDef& def, Draw& draw) {
  if (std::holds_alternative<int64_t>(def.fallback)) return draw.flag();
  if (const double* real = std::get_if<double>(&def.fallback))
    return draw.chance(0.5) ? *real * draw.real(0.5, 2) : draw.real(-2, 2);
  for (const Words& words : all_words())
    if (op.name() == words.op && def.name == words.attribute) return draw.word(words.words);
  return def.fallback;
}

Dims dims_of_input(size_t index, const Dims& result, Draw& draw) {
  return index == 0 && draw.chance(0.6) ? result : draw.broadcast_to(result);
}

}  // namespace

Sample sample_pointwise(const OpDef& op, Draw& draw) {
  Sample sample;
  const Dims result = draw.dims(0, 4);
  std::vector<std::pair<std::string, DType>> types;
  for (size_t i = 0; i < op.inputs().size(); ++i) {
    const InputDef& def = op.inputs()[i];
    const auto leader = std::find_if(types.begin(), types.end(), [&](const auto& t) { return t.first == def.same_as; });
    const DType type = leader == types.end() ? draw.type(def.types) : leader->second;
    types.emplace_back(def.name, type);
    const int64_t count = def.variadic ? draw.integer(def.optional ? 0 : 1, 4) : 1;
    for (int64_t k = 0; k < count; ++k) {
      if (def.optional && !def.variadic && draw.chance(0.3)) sample.absent();
      else sample.data(draw.values(type, dims_of_input(sample.inputs.size(), result, draw)));
      if (draw.chance(0.2)) sample.inputs.back().role = Input::kWeight;
    }
  }
  for (const AttributeDef& def : op.attributes())
    if (def.required || draw.chance(0.6)) sample.set(def.name, draw_attribute(op, def, draw));
  return sample;
}

const Entries& all_samplers() {
  static const Entries entries = [] {
    Entries all;
    for (const auto family :
         {attention_samplers, cast_samplers, conv_samplers, index_samplers, math_samplers, matrix_samplers, ml_samplers,
          norm_samplers, pool_samplers, quantize_samplers, random_samplers, recurrent_samplers, reduce_samplers,
          resize_samplers, shape_samplers, signal_samplers, softmax_samplers})
      for (Entry& entry : family()) all.push_back(std::move(entry));
    return all;
  }();
  return entries;
}

Sampler sampler_of(const OpDef& op) {
  for (const Entry& entry : all_samplers())
    if (entry.op == op.name()) return entry.sampler;
  if (!op.is_pointwise()) return nullptr;
  return [&op](Draw& draw) { return sample_pointwise(op, draw); };
}

}  // namespace kiln::operators
