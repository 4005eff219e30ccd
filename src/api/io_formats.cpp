// The types and formats that a build asks for its inputs and outputs.
#include "api/io_formats.h"

#include <algorithm>
#include <optional>

#include "api/run/tensor_formats.h"
#include "base/error.h"
#include "compiler/compile.h"
#include "kiln/kiln.h"

namespace kiln::api {
namespace {

// What a boundary tensor may be; without a type it has the model's.
struct WantedForm {
  std::optional<DType> type;
  nvinfer1::TensorFormats formats = 0;
};

struct TypeWord {
  std::string_view word;
  DType type;
};
constexpr TypeWord kTypeWords[] = {{"fp32", DType::kF32},  {"fp16", DType::kF16},     {"bf16", DType::kBF16},
                                   {"int8", DType::kI8},   {"fp8", DType::kF8E4M3FN}, {"uint8", DType::kU8},
                                   {"int32", DType::kI32}, {"int64", DType::kI64},    {"bool", DType::kBool}};

std::vector<std::string> pieces_of(const std::string& text, char separator) {
  std::vector<std::string> pieces;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(separator, start), text.size());
    pieces.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return pieces;
}

// "chw4", "fp16:chw4+hwc8".
WantedForm parse_form(const std::string& text) {
  WantedForm form;
  const size_t colon = text.find(':');
  if (colon != std::string::npos) {
    const std::string word = text.substr(0, colon);
    const auto* known =
        std::find_if(std::begin(kTypeWords), std::end(kTypeWords), [&](const TypeWord& t) { return t.word == word; });
    if (known == std::end(kTypeWords))
      throw Error(Code::kInvalidArgument, "inputs and outputs of engines have no type '" + word + "'")
          .remedy("write fp32, fp16, bf16, fp8, int8, uint8, int32, int64 or bool, or leave the type out");
    form.type = known->type;
  }
  for (const std::string& word : pieces_of(colon == std::string::npos ? text : text.substr(colon + 1), '+'))
    form.formats |= bit_of(format_from_word(word));
  return form;
}

// One for each of `count` tensors, or none for an empty text; a single one is for all.
std::vector<WantedForm> parse_forms(const std::string& text, size_t count, const char* what) {
  std::vector<WantedForm> forms;
  if (text.empty()) return forms;
  for (const std::string& piece : pieces_of(text, ',')) forms.push_back(parse_form(piece));
  if (forms.size() == 1) return std::vector<WantedForm>(count, forms[0]);
  if (forms.size() != count)
    throw Error(Code::kInvalidArgument, "'" + text + "' gives " + std::to_string(forms.size()) + " formats for " +
                                            std::to_string(count) + " " + what)
        .remedy("give one for each, in their order, or one for all");
  return forms;
}

// Throws unless numbers of the model can be these at the engine's boundary.
void check_conversion(const ir::Value& value, DType type) {
  const DType own = value.dtype();
  if (own == type || (kFloatTypes.has(own) && kFloatTypes.has(type)) || (kIndexTypes.has(own) && kIndexTypes.has(type)))
    return;
  throw Error(Code::kTypeMismatch, "'" + value.name() + "' is " + std::string(name(own)) +
                                       " in the model, and cannot be " + std::string(name(type)) +
                                       " at the engine's boundary")
      .cause("a type of floating-point numbers stands in for another one, as do int32 and int64")
      .remedy("leave the type of the format out");
}

ir::Value* cast_to(ir::Graph& graph, ir::Value* value, DType type, ir::Node* before) {
  return graph
      .add_node({.op = find_op("Cast"),
                 .inputs = {value},
                 .attributes = {{"to", std::string(name(type))}},
                 .name = value->name() + ".cast",
                 .origins = {},
                 .regions = {},
                 .output_names = {}},
                before)
      ->output();
}

// The input has the type, and all that read it what it was.
void convert_input(ir::Graph& graph, ir::Value* input, DType type) {
  const DType own = input->dtype();
  EdgeType edge = input->type();
  edge.tensor.dtype = type;
  input->set_type(edge);
  ir::Value* cast = cast_to(graph, input, own, graph.nodes().empty() ? nullptr : graph.nodes().front().get());
  graph.replace_uses(input, cast);
  cast->producer()->set_input(0, input);
}

void convert_output(ir::Graph& graph, size_t i, DType type) {
  ir::Value* own = graph.outputs()[i];
  const std::string name = own->name();
  graph.set_output(i, cast_to(graph, own, type, nullptr));
  if (own->is_input()) return;
  graph.rename(own, name + ".model");
  graph.rename(graph.outputs()[i], name);
}

// The layout of a tensor that may be of these formats.
Layout layout_for(const ir::Value& value, const WantedForm& form) {
  const size_t rank = value.is_tensor() && value.ranked() ? value.shape().size() : 0;
  return choose_format(value.name(), value.dtype(), rank, form.formats, &TensorFormatInfo::word).layout(rank);
}

}  // namespace

void put_io_formats(const BuildOptions& options, ir::Graph& graph, CompileOptions& to) {
  const auto inputs = parse_forms(options.input_formats, graph.inputs().size(), "inputs");
  const auto outputs = parse_forms(options.output_formats, graph.outputs().size(), "outputs");
  for (size_t i = 0; i < inputs.size(); ++i) {
    ir::Value* value = graph.inputs()[i];
    if (inputs[i].type) check_conversion(*value, *inputs[i].type);
    if (inputs[i].type && *inputs[i].type != value->dtype()) convert_input(graph, value, *inputs[i].type);
    value->layout = layout_for(*value, inputs[i]);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const ir::Value* value = graph.outputs()[i];
    if (outputs[i].type) check_conversion(*value, *outputs[i].type);
    if (outputs[i].type && *outputs[i].type != value->dtype()) convert_output(graph, i, *outputs[i].type);
    to.output_layouts.push_back(layout_for(*graph.outputs()[i], outputs[i]));
  }
}

}  // namespace kiln::api
