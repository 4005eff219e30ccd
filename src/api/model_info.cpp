// What a model holds, without building it.
#include <onnx/onnx-ml.pb.h>

#include <algorithm>
#include <filesystem>

#include "api/graph_file.h"
#include "api/host_value.h"
#include "api/kiln_api.h"
#include "base/file_map.h"
#include "base/names.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/node_import.h"
#include "frontends/onnx/tensor_proto.h"
#include "target/workload.h"

namespace kiln::api {
namespace {

void count_nodes(const ::onnx::GraphProto& graph, std::map<std::string, int64_t>& counts) {
  for (const auto& node : graph.node()) {
    const std::string& domain = node.domain();
    ++counts[(domain.empty() || domain == "ai.onnx" ? "" : domain + "::") + node.op_type()];
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) count_nodes(attribute.g(), counts);
      for (const auto& inner : attribute.graphs()) count_nodes(inner, counts);
    }
  }
}

void count_parameters(const ::onnx::GraphProto& graph, ModelInfo& info) {
  for (const auto& weight : graph.initializer()) {
    const auto count = checked_element_count(Dims(weight.dims().begin(), weight.dims().end()));
    const auto bytes = count ? byte_size(onnx::dtype_from_onnx(weight.data_type()), *count) : std::nullopt;
    const bool text = onnx::dtype_from_onnx(weight.data_type()) == DType::kString;
    if (text) continue;
    if (!count || !bytes || __builtin_add_overflow(info.parameters, *count, &info.parameters) ||
        __builtin_add_overflow(info.parameter_bytes, *bytes, &info.parameter_bytes))
      throw Error(Code::kOverflow, "the size of the initializer '" + weight.name() + "' does not fit");
  }
}

IoTensor from_proto(const ::onnx::ValueInfoProto& value, bool input) {
  IoTensor io{value.name(), "unknown", {}, {}, input};
  if (!value.type().has_tensor_type()) return io;
  const auto& type = value.type().tensor_type();
  if (type.elem_type() > 0) io.type = std::string(name(onnx::dtype_from_onnx(type.elem_type())));
  for (const auto& d : type.shape().dim()) {
    io.dims.push_back(d.has_dim_value() ? d.dim_value() : -1);
    io.symbols.push_back(d.has_dim_value() ? "" : d.dim_param());
  }
  return io;
}

// As the file says, where the graph could not be made.
void add_io(const ::onnx::GraphProto& graph, ModelInfo& info) {
  const auto is_weight = [&](const std::string& name) {
    return std::any_of(graph.initializer().begin(), graph.initializer().end(),
                       [&](const auto& weight) { return weight.name() == name; });
  };
  for (const auto& value : graph.input())
    if (!is_weight(value.name())) info.io.push_back(from_proto(value, true));
  for (const auto& value : graph.output()) info.io.push_back(from_proto(value, false));
}

using Shapes = std::map<std::string, std::vector<int64_t>>;

void check_names(const Shapes& shapes, const std::vector<IoTensor>& io) {
  std::vector<std::string> names;
  for (const IoTensor& t : io)
    if (t.is_input) names.push_back(t.name);
  for (const auto& [name, dims] : shapes)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw Error(Code::kNotFound, "the model has no input '" + name + "'" + kiln::name_hint(name, names));
}

// The symbols that the given shapes stand for; 1 for all others.
DimNumbers numbers_of(const ir::Graph& graph, const Shapes& shapes) {
  std::map<std::string, int64_t> symbols;
  for (const ir::Value* v : graph.inputs()) {
    const auto it = shapes.find(v->name());
    if (it == shapes.end()) continue;
    if (it->second.size() != v->shape().size())
      throw Error(Code::kShapeMismatch, "input '" + v->name() + "' has " + std::to_string(v->shape().size()) +
                                            " dimensions, its given shape " + std::to_string(it->second.size()));
    for (size_t d = 0; d < v->shape().size(); ++d) {
      const auto fixed = v->shape()[d].constant();
      if (fixed && *fixed != it->second[d])
        throw Error(Code::kShapeMismatch, "input '" + v->name() + "': dimension " + std::to_string(d) +
                                              " is fixed at " + std::to_string(*fixed));
      if (!fixed) symbols.emplace(v->shape()[d].str(), it->second[d]);
    }
  }
  return [symbols](const Shape& shape) -> std::optional<Dims> {
    Dims dims;
    for (const Dim& dim : shape) {
      const auto value = evaluate(dim.program(), [&](const std::string& symbol) -> std::optional<int64_t> {
        const auto it = symbols.find(symbol);
        return it == symbols.end() ? 1 : it->second;
      });
      if (!value) return std::nullopt;
      dims.push_back(*value);
    }
    return dims;
  };
}

ModelInfo describe(const std::string& path, const Shapes& shapes) {
  const auto file = FileMap::open(path);
  auto model = onnx::parse_bytes(file->bytes());
  ModelInfo info;
  info.name = model->graph().name();
  info.producer = model->producer_name() + (model->producer_version().empty() ? "" : " " + model->producer_version());
  for (const auto& opset : model->opset_import())
    info.opsets[opset.domain() == "ai.onnx" ? "" : opset.domain()] = opset.version();
  count_nodes(model->graph(), info.operators);
  count_parameters(model->graph(), info);
  ModelInfo from_file = info;
  add_io(model->graph(), from_file);
  onnx::ImportReport report;
  const std::string folder = std::filesystem::path(path).parent_path().string();
  onnx::ImportOptions options;
  options.model_dir = folder.empty() ? "." : folder;
  options.report = &report;
  try {
    const auto graph = onnx::import_model(std::move(model), options);
    info.io = io_of(*graph);
    check_names(shapes, info.io);
    const Workload work = workload_of(*graph, numbers_of(*graph, shapes));
    info.flops = work.flops;
    info.bytes = work.bytes;
    return info;
  } catch (const Error&) {
    if (report.unsupported.empty()) throw;
  }
  for (const onnx::UnsupportedNode& node : report.unsupported)
    from_file.unsupported.push_back(node.error.node() + ": " + node.error.message() +
                                    (node.error.cause().empty() ? "" : "; " + node.error.cause()));
  check_names(shapes, from_file.io);
  return from_file;
}

}  // namespace

std::vector<IoTensor> io_of(const ir::Graph& graph) {
  std::vector<IoTensor> list;
  auto add = [&](const ir::Value* v, bool input) {
    IoTensor t{v->name(), std::string(name(v->dtype())), {}, {}, input, {}, collection_name(v->type().kind)};
    for (const Dim& d : v->shape()) {
      t.dims.push_back(d.constant().value_or(-1));
      t.symbols.push_back(d.is_constant() ? "" : d.str());
    }
    list.push_back(std::move(t));
  };
  for (const ir::Value* v : graph.inputs()) add(v, true);
  for (const ir::Value* v : graph.outputs()) add(v, false);
  return list;
}

std::vector<IoTensor> model_io(const std::string& path) {
  return guarded([&] {
    std::vector<IoTensor> list;
    look_at_model(path, [&](const ir::Graph& graph) { list = io_of(graph); });
    return list;
  });
}

ModelInfo model_info(const std::string& path, const Shapes& shapes) {
  return guarded([&] { return describe(path, shapes); });
}

std::string nearest_name(const std::string& word, const std::vector<std::string>& known) {
  return kiln::nearest_name(word, known);
}

std::string name_hint(const std::string& word, const std::vector<std::string>& known) {
  return kiln::name_hint(word, known);
}

}  // namespace kiln::api
