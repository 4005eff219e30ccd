// kiln inspect: what an engine or a model holds.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "command.h"
#include "layer_table.h"

namespace kiln::tool {
namespace {

// Names of the model are shown as they are, but for what a terminal would take for commands.
template <class... Parts> void print(fmt::format_string<Parts...> form, Parts&&... parts) {
  std::fputs(api::printable(fmt::format(form, std::forward<Parts>(parts)...)).c_str(), stdout);
}

using Json = nlohmann::ordered_json;

struct InspectOptions {
  std::string file, shapes;
  bool json = false;
};

// An engine begins with a line that says so.
bool is_engine(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;  // a pipe would wait for who writes
  std::ifstream file(path, std::ios::binary);
  std::string start(4, ' ');
  return file.read(start.data(), 4) && start == "KILN";
}

// "3.6 GFLOP", "11.7 M parameters", "16 parameters".
std::string amount(double number, const std::string& unit, const char* gap) {
  for (const auto& [size, prefix] : {std::pair{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
    if (number >= size) return fmt::format("{:.4g} {}{}{}", number / size, prefix, gap, unit);
  return fmt::format("{:.4g} {}", number, unit);
}

// "batchx3x224x224": names of dimensions where they are not fixed.
std::string named_shape(const api::IoTensor& io) {
  std::string text;
  for (size_t d = 0; d < io.dims.size(); ++d) {
    const bool named = io.dims[d] < 0 && d < io.symbols.size() && !io.symbols[d].empty();
    text += (d ? "x" : "") + (named ? "(" + io.symbols[d] + ")" : std::to_string(io.dims[d]));
  }
  return text.empty() ? "scalar" : text;
}

// "uint8 > int8 > float32": of what a layer reads first, what it computes in, and what it writes first.
std::string types_of(const api::LayerInfo& l) {
  const auto first = [](const std::vector<std::string>& operands) {
    return operands.empty() ? std::string() : type_told(operands.front());
  };
  std::string text;
  for (const std::string& type : {first(l.inputs), l.computes, first(l.outputs)})
    text += (text.empty() ? "" : " > ") + (type.empty() ? "-" : type);
  return text;
}

void show_engine(const api::Engine& engine) {
  print("engine {} for {}: weights {}, a context takes {}\n", engine.name(), engine.backend(),
        bytes_text(static_cast<double>(engine.weight_bytes())),
        bytes_text(static_cast<double>(engine.context_bytes())));
  const std::string options = engine.build_options();
  print("built by Kiln {}{} on {}\n", engine.built_by(), options.empty() ? "" : " (" + options + ")", engine.device());
  for (const api::IoTensor& io : engine.io()) {
    print("{:7} {} {} {}{}\n", io.is_input ? "input" : "output", io.name, io.type, named_shape(io),
          io.format == "chw" ? "" : " " + io.format);
    for (size_t p = 0; p < io.profiles.size(); ++p)
      if (const api::Bounds& b = io.profiles[p]; io.profiles.size() > 1 || b.min != b.max)
        print("        profile {}: min {} opt {} max {}\n", p, shape_text(b.min), shape_text(b.opt), shape_text(b.max));
  }
  const auto layers = engine.layers();
  size_t name = 0, op = 0, types = 0;
  for (const api::LayerInfo& l : layers) {
    name = std::max(name, std::min<size_t>(l.name.size(), 60));
    op = std::max(op, l.op.size());
    types = std::max(types, types_of(l).size());
  }
  for (const std::string& remark : engine.remarks()) fmt::print("{}\n", remark);
  fmt::print("layers: operator, types read > computed > written, back end/tactic\n");
  size_t number = 0;
  for (const api::LayerInfo& l : layers) {
    const std::string time = l.built_ms >= 0 ? fmt::format("  {:.4g} ms", l.built_ms) : "";
    const std::string stream = l.stream > 0 ? fmt::format("  stream {}", l.stream) : "";
    print("{:4} {:<{}} {:<{}} {:<{}} {}/{}{}{}\n", number++, l.name, name, l.op, op, types_of(l), types, l.backend,
          l.tactic, time, stream);
    for (const std::string& t : l.inputs) print("       <- {}\n", t);
    for (const std::string& t : l.outputs) print("       -> {}\n", t);
  }
}

Json model_json(const api::ModelInfo& m) {
  Json json{{"name", m.name},
            {"producer", m.producer},
            {"opsets", m.opsets},
            {"inputs", Json::array()},
            {"outputs", Json::array()}};
  for (const api::IoTensor& io : m.io)
    json[io.is_input ? "inputs" : "outputs"].push_back(
        {{"name", io.name}, {"type", io.type}, {"dims", io.dims}, {"symbols", io.symbols}});
  json["operators"] = m.operators;
  json["unsupported"] = m.unsupported;
  json["parameters"] = m.parameters;
  json["parameter_bytes"] = m.parameter_bytes;
  if (m.flops >= 0) json["flops"] = m.flops;
  if (m.bytes >= 0) json["bytes"] = m.bytes;
  return json;
}

void show_model(const api::ModelInfo& m) {
  std::vector<std::string> opsets;
  for (const auto& [domain, version] : m.opsets)
    opsets.push_back((domain.empty() ? "" : domain + " ") + std::to_string(version));
  print("model {}{}, opset {}: {}, {}\n", m.name.empty() ? "without a name" : m.name,
        m.producer.empty() ? "" : " by " + m.producer, join(opsets, ", "),
        amount(static_cast<double>(m.parameters), "parameters", " "),
        bytes_text(static_cast<double>(m.parameter_bytes)));
  bool dynamic = false;
  for (const api::IoTensor& io : m.io) {
    dynamic = dynamic || (io.is_input && std::count(io.dims.begin(), io.dims.end(), -1) > 0);
    print("{:7} {} {} {}\n", io.is_input ? "input" : "output", io.name, io.type, named_shape(io));
  }
  if (m.flops >= 0)
    print("one inference{}: {}, {} of values and weights\n",
          dynamic ? " (1 for each dimension that --shapes leaves open)" : "", amount(m.flops, "FLOP", ""),
          bytes_text(m.bytes));
  std::vector<std::pair<int64_t, std::string>> operators;
  int64_t nodes = 0;
  for (const auto& [name, count] : m.operators) {
    operators.emplace_back(-count, name);
    nodes += count;
  }
  std::sort(operators.begin(), operators.end());
  print("{} {}\n", nodes, nodes == 1 ? "node" : "nodes");
  for (const auto& [count, name] : operators) print("{:6} {}\n", -count, name);
  if (!m.unsupported.empty())
    print("{} {} cannot be built:\n", m.unsupported.size(), m.unsupported.size() == 1 ? "node" : "nodes");
  for (const std::string& node : m.unsupported) print("       {}\n", node);
}

void run(const InspectOptions& o) {
  const Shapes shapes = parse_shapes("--shapes", o.shapes);
  if (is_engine(o.file) || !o.file.ends_with(".onnx")) {
    const api::Engine engine = api::Engine::look(o.file);
    if (!shapes.empty()) throw CLI::ValidationError("--shapes", "an engine has the shapes of its profiles");
    if (o.json) std::puts(engine.description().c_str());
    else show_engine(engine);
    return;
  }
  const api::ModelInfo model = api::model_info(o.file, shapes);
  if (o.json) std::puts(model_json(model).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  else show_model(model);
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto o = std::make_shared<InspectOptions>();
  app.add_option("file", o->file, "Saved engine, or model (.onnx)")->required();
  app.add_option("--shapes", o->shapes, "Shapes for which the operations of a model are counted, name:1x3x8x8,…");
  app.add_flag("--json", o->json, "As JSON");
  set_footer(app,
             "  kiln inspect resnet50.onnx --shapes=image:8x3x224x224\n"
             "  kiln inspect resnet50.plan\n"
             "  kiln inspect resnet50.plan --json | jq '.layers[].tactic'\n");
  app.callback([o] { run(*o); });
}

}  // namespace kiln::tool
