// Layers as JSON.
#include "api/run/layer_information.h"

#include <algorithm>
#include <map>

#include "api/run/tensor_formats.h"
#include "base/index.h"

namespace kiln::api {
namespace {

// Bytes of the character of UTF-8 that begins at `at`; 0 when none does.
size_t character_bytes(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  const size_t count = first >= 0xC2 && first <= 0xDF   ? 2
                       : first >> 4 == 0xE              ? 3
                       : first >= 0xF0 && first <= 0xF4 ? 4
                                                        : 0;
  for (size_t i = 1; i < count; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool no_character = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || no_character ? 0 : count;
}

// TensorRT's word for elements of this type; ours for types that it lacks.
std::string type_word(DType type) {
  switch (type) {
    case DType::kF32: return "Float";
    case DType::kF16: return "Half";
    case DType::kBF16: return "BFloat16";
    case DType::kF64: return "Double";
    case DType::kF8E4M3FN: return "FP8";
    case DType::kBool: return "Bool";
    case DType::kI8: return "Int8";
    case DType::kI16: return "Int16";
    case DType::kI32: return "Int32";
    case DType::kI64: return "Int64";
    case DType::kU8: return "UInt8";
    case DType::kU16: return "UInt16";
    case DType::kU32: return "UInt32";
    case DType::kU64: return "UInt64";
    default: return std::string(name(type));
  }
}

// TensorRT's words for types in its descriptions of formats; what it lacks is null.
struct FormatWords {
  DType type;
  const char *row_major, *channels_last, *short_name;
};
constexpr FormatWords kFormatWords[] = {
    {DType::kF32, "Row major linear FP32", "Channel major FP32 format", "FP32"},
    {DType::kF16, "Row major linear FP16 format", "Channel major FP16 format", "FP16"},
    {DType::kBF16, "Row major linear BFloat16 format", nullptr, "BFloat16"},
    {DType::kF8E4M3FN, "Row major linear FP8 format", nullptr, "FP8"},
    {DType::kI8, "Row major Int8 format", "Channel major Int8 format", "Int8"},
    {DType::kU8, "Row major linear UInt8 format", "Channel major UInt8 format", "UInt8"},
    {DType::kI32, "Row major linear Int32", nullptr, "Int32"},
    {DType::kI64, "Row major linear Int64 format", nullptr, "Int64"},
    {DType::kBool, "Row major linear BOOL", nullptr, "BOOL"},
};

std::string vector_words(const TensorFormatInfo& format, const char* type) {
  const std::string components = std::to_string(format.components);
  if (format.pixels) return "Channel major " + std::string(type) + " format where channel % " + components + " == 0";
  static const std::map<int, const char*> words = {{2, "Two"}, {4, "Four"}, {16, "Sixteen"}, {32, "Thirty-two"}};
  return std::string(words.at(format.components)) + " wide channel vectorized row major " + type + " format";
}

std::string list_json(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) out += (out.size() > 1 ? ", " : "") + item;
  return out + "]";
}

struct Tensors {
  const kiln::Engine& engine;
  const Symbols& symbols;

  std::string json(const plan::TensorInfo& info) const {
    std::vector<std::string> dims;
    for (int64_t d : known_dims(engine, info, symbols)) dims.push_back(std::to_string(d));
    return "{\"Name\": " + quoted(info.name) + ", \"Location\": " + (info.on_host ? "\"Host\"" : "\"Device\"") +
           ", \"Dimensions\": " + list_json(dims) + ", \"Format/Datatype\": " + quoted(format_words(info)) +
           ", \"Layout\": " + quoted(layout_words(info.layout, info.dims.size())) + "}";
  }
  // Those of `list` that are constants, or those that are not.
  std::string json(const std::vector<int32_t>& list, bool constants) const {
    std::vector<std::string> items;
    for (int32_t t : list) {
      if (t < 0) continue;
      const plan::TensorInfo& info = nth(engine.main().tensors, t);
      if ((info.storage == plan::Storage::kConstant) == constants) items.push_back(json(info));
    }
    return list_json(items);
  }
  std::string weights(const std::vector<int32_t>& list) const {
    for (int32_t t : list) {
      if (t < 0 || nth(engine.main().tensors, t).storage != plan::Storage::kConstant) continue;
      const plan::TensorInfo& info = nth(engine.main().tensors, t);
      const auto count = checked_element_count(known_dims(engine, info, symbols));
      return ", \"Weights\": {\"Type\": " + quoted(type_word(info.dtype)) +
             ", \"Count\": " + std::to_string(count.value_or(0)) + "}";
    }
    return "";
  }
};

std::string origins_text(const std::vector<std::string>& origins) {
  std::string text;
  for (const std::string& origin : origins) text += (text.empty() ? "" : "\x1e") + ("[ONNX Layer: " + origin + "]");
  return text;
}

}  // namespace

std::string quoted(const std::string& text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = character_bytes(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (bytes == 0) {
      out += "\xEF\xBF\xBD";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      if (byte == '"' || byte == '\\') out += '\\';
      out += text.substr(at, bytes);
    }
    at += std::max<size_t>(bytes, 1);
  }
  return out + '"';
}

Symbols fixed_symbols(const kiln::Engine& engine) {
  Symbols symbols(engine.dims().symbol_count());
  std::vector<bool> varies(symbols.size());
  const auto& inputs = engine.main().inputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const plan::TensorInfo& info = nth(engine.main().tensors, inputs[i]);
    for (size_t d = 0; d < info.dims.size(); ++d) {
      const int symbol = engine.dims().lone_symbol(info.dims[d]);
      if (symbol < 0) continue;
      const auto at = static_cast<size_t>(symbol);
      for (const plan::Profile& p : engine.plan().profiles) {
        const int64_t low = p.inputs[i].min[d], high = p.inputs[i].max[d];
        varies[at] = varies[at] || low != high || symbols[at].value_or(low) != low;
        symbols[at] = low;
      }
    }
  }
  for (size_t s = 0; s < symbols.size(); ++s)
    if (varies[s]) symbols[s].reset();
  return symbols;
}

std::vector<int64_t> known_dims(const kiln::Engine& engine, const plan::TensorInfo& info, const Symbols& symbols) {
  std::vector<int64_t> dims;
  for (uint32_t d : info.dims) dims.push_back(engine.dims().evaluate(d, symbols).value_or(-1));
  return dims;
}

std::string layout_words(const Layout& layout, size_t rank) {
  if (layout.is_row_major()) return "row-major";
  if (rank >= 3 && layout == Layout::channels_last(static_cast<int>(rank))) return "channels-last";
  const TensorFormatInfo* format = format_of(layout, rank);
  return format ? format->word : "order " + to_string(layout);
}

std::string format_words(const plan::TensorInfo& info) {
  const auto* words = std::find_if(std::begin(kFormatWords), std::end(kFormatWords),
                                   [&](const FormatWords& w) { return w.type == info.dtype; });
  if (words == std::end(kFormatWords)) return type_word(info.dtype);
  const std::string layout = layout_words(info.layout, info.dims.size());
  const TensorFormatInfo* format = format_of(info.layout, info.dims.size());
  if (format && format->components > 1) return vector_words(*format, words->short_name);
  const bool last = layout == "channels-last" || (format && format->pixels);
  const char* text = layout == "row-major" ? words->row_major : last ? words->channels_last : nullptr;
  return text ? text : type_word(info.dtype);
}

std::string layer_json(const kiln::Engine& engine, const plan::StepInfo& step, const Symbols& symbols) {
  const Tensors tensors{engine, symbols};
  return "{\"Name\": " + quoted(step.name) + ", \"LayerType\": " + quoted(step.op) +
         ", \"Inputs\": " + tensors.json(step.inputs, false) + ", \"Outputs\": " + tensors.json(step.outputs, false) +
         ", \"Constants\": " + tensors.json(step.inputs, true) + tensors.weights(step.inputs) +
         ", \"TacticName\": " + quoted(step.tactic) + ", \"Backend\": " + quoted(step.device) +
         ", \"Kernel\": " + quoted(step.kernel) + ", \"WorkspaceSize\": " + std::to_string(step.workspace_size) +
         ", \"StreamId\": " + std::to_string(step.lane) + ", \"Metadata\": " + quoted(origins_text(step.origins)) + "}";
}

std::string engine_json(const kiln::Engine& engine, const std::vector<std::string>& layers) {
  std::string out = "{\"Layers\": [";
  for (size_t i = 0; i < layers.size(); ++i) out += (i > 0 ? ",\n" : "") + layers[i];
  std::vector<std::string> names;
  for (const auto* list : {&engine.main().inputs, &engine.main().outputs})
    for (int32_t t : *list) names.push_back(quoted(nth(engine.main().tensors, t).name));
  return out + "],\n\"Bindings\": " + list_json(names) + "}";
}

}  // namespace kiln::api
