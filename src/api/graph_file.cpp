// Reading and writing graphs as text.
#include "api/graph_file.h"

#include <cstring>
#include <filesystem>
#include <sstream>

#include "base/file_map.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/outline.h"
#include "ir/text.h"

namespace kiln::api {
namespace {

// The text says where the bytes of each constant lie: "// weight NAME TYPE DIMS OFFSET", lines at its end.
constexpr std::string_view kWeightLine = "// weight ";
constexpr uint64_t kAligned = 64;

[[noreturn]] void wrong_weight(const std::string& line) {
  throw Error(Code::kInvalidArgument, "'" + line + "' does not describe a weight")
      .remedy("write the graph again with kiln build --dumpFile");
}

struct Weight {
  std::string name;
  DType type;
  Dims dims;
  uint64_t offset, size;
};

Weight parse_weight(const std::string& line) {
  std::istringstream words(line.substr(kWeightLine.size()));
  std::string type, dims;
  Weight weight;
  if (!(words >> type >> dims >> weight.offset) || words.get() != ' ' || !std::getline(words, weight.name))
    wrong_weight(line);
  const auto known = dtype_from_name(type);
  if (!known) wrong_weight(line);
  weight.type = *known;
  std::istringstream list(dims);
  for (std::string d; std::getline(list, d, 'x');) {
    if (d.empty() || d.size() > 18 || d.find_first_not_of("0123456789") != std::string::npos) wrong_weight(line);
    weight.dims.push_back(std::stoll(d));
  }
  const auto count = checked_element_count(weight.dims);
  const auto size = count ? byte_size(weight.type, *count) : std::nullopt;
  if (!size || weight.offset % kAligned != 0) wrong_weight(line);
  weight.size = static_cast<uint64_t>(*size);
  return weight;
}

std::string weight_line(const std::string& name, const Tensor& tensor, uint64_t offset) {
  std::string dims;
  for (int64_t d : tensor.dims()) dims += (dims.empty() ? "" : "x") + std::to_string(d);
  return std::string(kWeightLine) + std::string(kiln::name(tensor.dtype())) + " " + dims + " " +
         std::to_string(offset) + " " + name + "\n";
}

// Bytes that no graph of that name says the meaning of are somebody's.
void check_weights_place(const std::string& graph, const std::string& weights) {
  std::error_code none;
  const auto size = std::filesystem::file_size(weights, none);
  if (none || size == 0 || std::filesystem::exists(graph, none)) return;
  throw Error(Code::kIo, "'" + weights + "' exists and belongs to no graph '" + graph + "'; it stays as it is")
      .remedy("give another path");
}

}  // namespace

void save_graph(const ir::Graph& graph, const std::string& path) {
  const ir::TensorMap constants = ir::referenced_constants(graph);
  std::string text = ir::to_text(graph);
  uint64_t offset = 0;
  for (const auto& [name, tensor] : constants) {
    text += weight_line(name, tensor, offset);
    offset += (static_cast<uint64_t>(tensor.bytes()) + kAligned - 1) / kAligned * kAligned;
  }
  const FileKinds kinds = {std::string_view(text).substr(0, 6)};
  check_writable(path, kinds);
  const std::string weights = path + ".weights";
  if (!constants.empty()) {
    check_weights_place(path, weights);
    write_file(weights, [&](const FileSink& sink) {
      const std::vector<std::byte> zeros(kAligned);
      for (const auto& [name, tensor] : constants) {
        const auto size = static_cast<uint64_t>(tensor.bytes());
        sink({static_cast<const std::byte*>(tensor.data()), size});
        sink({zeros.data(), (kAligned - size % kAligned) % kAligned});
      }
    });
  }
  write_file(path, std::as_bytes(std::span(text)), kinds);
}

std::unique_ptr<ir::Graph> load_graph(const std::string& path) {
  const auto file = FileMap::open(path);
  const std::string text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  ir::TensorMap constants;
  std::shared_ptr<const FileMap> weights;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kWeightLine)) continue;
    const Weight weight = parse_weight(line);
    if (!weights) weights = FileMap::open(path + ".weights");
    const size_t held = weights->bytes().size();
    if (weight.offset > held || weight.size > held - weight.offset)
      throw Error(Code::kInvalidArgument, "'" + path + ".weights' ends before the weight '" + weight.name + "'")
          .remedy("keep both files of the graph together");
    constants[weight.name] = Tensor::borrow(weight.type, weight.dims, weights->bytes().data() + weight.offset, weights);
  }
  return ir::parse_graph(text, constants);
}

std::unique_ptr<ir::Graph> load_model(const std::string& path, Logger* logger) {
  if (path.ends_with(kGraphEnding)) return load_graph(path);
  return onnx::import_file(path, {.model_dir = "", .logger = logger, .fixed_dims = {}});
}

void look_at_model(const std::string& path, const std::function<void(const ir::Graph&)>& look) {
  if (path.ends_with(kGraphEnding)) look(*load_graph(path));
  else onnx::look_at_file(path, look);
}

}  // namespace kiln::api
