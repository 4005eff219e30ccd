// Results of layers as files, in trtexec's forms.
#include "results.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "difference.h"

namespace kiln::tool {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kSummaryFile = "tensor_summary.json";

// The type's name as TensorRT spells it.
std::string field_type(const std::string& type) {
  if (type == "float32") return "FLOAT";
  if (type == "float16") return "HALF";
  if (type == "bfloat16") return "BF16";
  if (type == "float8e4m3fn") return "FP8";
  std::string text = type;
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

// JSON has no NaN and no infinity.
Json finite_or_text(double value) { return std::isfinite(value) ? Json(value) : Json(fmt::format("{}", value)); }

std::string number_text(double value) { return fmt::format("{:g}", value); }

std::string elements_text(const api::HostTensor& tensor) {
  constexpr int64_t kShown = 5;  // at either end
  const int64_t count = api::element_count(tensor);
  std::vector<std::string> parts;
  for (int64_t i = 0; i < count; ++i) {
    if (count > 2 * kShown && i == kShown) {
      parts.push_back("...");
      i = count - kShown;
    }
    parts.push_back(number_text(api::element(tensor, i)));
  }
  return join(parts, ", ");
}

Json statistics(const api::HostTensor& tensor) {
  const int64_t count = api::element_count(tensor);
  if (count == 0) return Json::object();
  double least = INFINITY, most = -INFINITY, sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double v = api::element(tensor, i);
    least = std::min(least, v);
    most = std::max(most, v);
    sum += v;
  }
  return {{"min", finite_or_text(least)},
          {"max", finite_or_text(most)},
          {"avg", finite_or_text(sum / static_cast<double>(count))},
          {"elements", elements_text(tensor)}};
}

// Rows in brackets, one bracket for each dimension.
void append_rows(const api::HostTensor& tensor, size_t axis, int64_t& next, std::string& text) {
  const std::string indent(axis, ' ');
  if (axis + 1 >= tensor.dims.size()) {
    text += indent + "[";
    const int64_t width = tensor.dims.empty() ? 1 : tensor.dims[axis];
    for (int64_t i = 0; i < width; ++i) {
      const double value = api::element(tensor, next++);
      text += (i ? " " : "") + (is_float(tensor.type) ? fmt::format("{:13.6e}", value) : number_text(value));
    }
    text += "]\n";
    return;
  }
  text += indent + "[\n";
  for (int64_t i = 0; i < tensor.dims[axis]; ++i) append_rows(tensor, axis + 1, next, text);
  text += indent + "]\n";
}

std::string rows_text(const api::HostTensor& tensor) {
  if (api::element_count(tensor) == 0) return "[]\n";
  std::string text;
  int64_t next = 0;
  append_rows(tensor, 0, next, text);
  return text;
}

// Types that numpy lacks become float32, and the file's name says so.
std::string save_numpy(const std::string& stem, const api::HostTensor& tensor) {
  static const std::set<std::string> known{"float32", "float64", "float16", "bool",   "int8",   "int16",
                                           "int32",   "int64",   "uint8",   "uint16", "uint32", "uint64"};
  if (known.count(tensor.type)) {
    api::save_tensor(stem + ".npy", tensor);
    return stem + ".npy";
  }
  api::HostTensor wide{"float32", tensor.dims,
                       std::vector<std::byte>(sizeof(float) * static_cast<size_t>(api::element_count(tensor)))};
  for (int64_t i = 0; i < api::element_count(tensor); ++i) {
    const auto value = static_cast<float>(api::element(tensor, i));
    std::memcpy(wide.data.data() + sizeof(float) * static_cast<size_t>(i), &value, sizeof(float));
  }
  api::save_tensor(stem + "_to_float.npy", wide);
  return stem + "_to_float.npy";
}

// A file of that name, in the form of its ending; without a known one the bytes alone.
void save_named(const std::string& path, const api::HostTensor& tensor) {
  if (path.ends_with(".npy") || path.ends_with(".pb")) api::save_tensor(path, tensor);
  else write_bytes(path, tensor.data);
}

class Writer {
 public:
  Writer(const api::Engine& engine, const TrtexecOptions& o) : files_(parse_pairs("--saveDebugTensors", o.save_debug)) {
    for (const std::string& format : split(o.save_all_debug, ',')) formats_.insert(format);
    const auto marked = engine.debug_tensors();
    marked_.insert(marked.begin(), marked.end());
    summary_ = {{"metadata", {{"title", "Tensor Summary Report"}, {"engine_name", engine.name()}}},
                {"tensors", Json::array()}};
    if (!formats_.empty() && marked_.empty())
      say(api::Level::kWarning,
          "--saveAllDebugTensors: the engine has no debug tensors (remedy: --markDebug=a,b,c or "
          "--markUnfusedTensorsAsDebugTensors at the build)");
  }
  void take(const std::string& value, const api::HostTensor& tensor) {
    seen_.insert(value);
    Json names = Json::object();
    if (const auto it = files_.find(value); it != files_.end()) {
      save_named(it->second, tensor);
      names["assigned"] = it->second;
    }
    if (formats_.empty() || !marked_.count(value)) return;
    const std::string stem = fmt::format("{:04}_{}", number_++, path_part(value));
    if (formats_.count("numpy")) names["numpy"] = save_numpy(stem, tensor);
    if (formats_.count("string")) write_text(names["string"] = stem + ".str", rows_text(tensor));
    if (formats_.count("raw")) write_bytes(names["raw"] = stem + ".raw", tensor.data);
    if (!formats_.count("summary")) return;
    Json one{
        {"name", value}, {"shape", tensor.dims}, {"type", field_type(tensor.type)}, {"statistics", statistics(tensor)}};
    if (!names.empty()) one["files"] = names;
    summary_["tensors"].push_back(std::move(one));
  }
  void finish() const {
    if (formats_.count("summary"))
      write_text(kSummaryFile, summary_.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    for (const auto& [name, file] : files_)
      if (!seen_.count(name))
        throw api::Failure("error[K1004] no layer of the engine has the result '" + name + "'" +
                           api::name_hint(name, {seen_.begin(), seen_.end()}) +
                           "\n  remedy: parts of a fused layer have no results; --markDebug=" + name +
                           " at the build keeps this one");
  }

 private:
  std::map<std::string, std::string> files_;
  std::set<std::string> formats_, marked_, seen_;
  Json summary_;
  int number_ = 0;
};

}  // namespace

std::string path_part(const std::string& name) {
  constexpr size_t kLongest = 200;
  std::string part = name.substr(0, kLongest);
  for (char& c : part)
    if (c == '/' || static_cast<unsigned char>(c) < 32 || c == 127) c = '_';
  return part.find_first_not_of('.') == std::string::npos ? "_" : part;
}

bool has_odd(const api::HostTensor& tensor) {
  if (!is_float(tensor.type)) return false;
  for (int64_t i = 0; i < api::element_count(tensor); ++i)
    if (!std::isfinite(api::element(tensor, i))) return true;
  return false;
}

void FirstOdd::take(const api::LayerInfo& layer, const std::string& value, const api::HostTensor& tensor) {
  if (text_.empty() && has_odd(tensor))
    text_ = fmt::format("the first NaN or infinity is in '{}', made by layer '{}' ({}, {})", value, layer.name,
                        layer.op, layer.tactic);
}

void FirstOdd::tell() const {
  if (!text_.empty()) say(api::Level::kWarning, text_);
}

void save_debug_tensors(api::Session& session, const api::Engine& engine, const TrtexecOptions& o) {
  Writer writer(engine, o);
  FirstOdd odd;
  session.observe([&](const api::LayerInfo& layer, const std::string& value, const api::HostTensor& tensor) {
    writer.take(value, tensor);
    odd.take(layer, value, tensor);
  });
  session.enqueue();
  session.observe(nullptr);
  odd.tell();
  writer.finish();
}

}  // namespace kiln::tool
