// Inputs of an inference: from files, or random.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "command.h"

namespace kiln::tool {
namespace {

constexpr uint64_t kLargestElement = 16;                   // bytes, complex128
constexpr uint64_t kLargestUnbounded = uint64_t{1} << 30;  // bytes of an input whose shape nothing bounds

// The largest shape that the input may have; nothing when it has no bound.
std::vector<std::vector<int64_t>> largest_shapes(const api::IoTensor& io, const Shapes& asked) {
  if (auto it = asked.find(io.name); it != asked.end()) return {it->second};
  std::vector<std::vector<int64_t>> shapes;
  for (const api::Bounds& b : io.profiles) shapes.push_back(b.max);
  if (shapes.empty() && std::count(io.dims.begin(), io.dims.end(), -1) == 0) shapes.push_back(io.dims);
  return shapes;
}

uint64_t most_bytes(const api::IoTensor& io, const Shapes& asked) {
  const auto shapes = largest_shapes(io, asked);
  uint64_t most = shapes.empty() ? kLargestUnbounded : 0;
  for (const auto& dims : shapes) {
    uint64_t bytes = kLargestElement;
    for (int64_t d : dims)
      if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(d), &bytes)) bytes = UINT64_MAX / 2;
    most = std::max(most, bytes);
  }
  return std::min(most, UINT64_MAX / 2);
}

std::vector<int64_t> shape_of_raw(const api::IoTensor& io, const Shapes& asked, const std::string& path) {
  if (auto it = asked.find(io.name); it != asked.end()) return it->second;
  if (std::count(io.dims.begin(), io.dims.end(), -1) == 0) return io.dims;
  if (!io.profiles.empty()) return io.profiles[0].opt;
  throw api::Failure("error[K4002] '" + path + "' holds bytes without a shape, and input '" + io.name +
                     "' is dynamic\n  remedy: --shapes=" + io.name + ":…");
}

api::HostTensor load_raw(const api::IoTensor& io, const std::vector<int64_t>& dims, const std::string& path) {
  api::HostTensor tensor = api::random_tensor(io.type, dims, 0);
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error))
    throw api::Failure("error[K1005] '" + path + "' is not a regular file\n  remedy: copy the bytes to a file");
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file)
    throw api::Failure("error[K1004] cannot open '" + path + "'\n  remedy: check the path; --loadInputs=name:file,…");
  const size_t read = std::fread(tensor.data.data(), 1, tensor.data.size(), file.get());
  if (read != tensor.data.size() || std::fgetc(file.get()) != EOF)
    throw api::Failure("error[K2005] '" + path + "' does not hold " + std::to_string(tensor.data.size()) +
                       " bytes, as input '" + io.name +
                       "' needs\n  remedy: give .npy or .pb, which know their shape, or the right --shapes");
  return tensor;
}

api::HostTensor load_file(const api::IoTensor& io, const std::string& path, const Shapes& asked) {
  if (path.ends_with(".npy") || path.ends_with(".pb")) return api::load_tensor(path);
  if (path.ends_with(".npz")) {
    const auto arrays = npz_arrays(path);
    const bool only = arrays.size() == 1;
    return load_npz(path, only ? arrays[0] : io.name, most_bytes(io, asked));
  }
  return load_raw(io, shape_of_raw(io, asked, path), path);
}

// The shape of an input: of its value, as asked for, or the optimum of the profile.
std::vector<int64_t> input_shape(const api::IoTensor& io, const api::Values& loaded, const Shapes& asked, int profile) {
  if (auto it = loaded.find(io.name); it != loaded.end()) return it->second.dims;
  if (auto it = asked.find(io.name); it != asked.end()) return it->second;
  return io.profiles.at(static_cast<size_t>(profile)).opt;
}

bool takes(const api::Bounds& bounds, const std::vector<int64_t>& dims) {
  bool inside = dims.size() == bounds.min.size();
  for (size_t i = 0; inside && i < dims.size(); ++i) inside = dims[i] >= bounds.min[i] && dims[i] <= bounds.max[i];
  return inside;
}

// The file of each input that --loadInputs names.
std::map<std::string, std::string> input_files(const std::string& text, const std::vector<std::string>& names) {
  std::map<std::string, std::string> files;
  if (text.empty()) return files;
  if (text.ends_with(".npz") && text.find(',') == std::string::npos && text.find(':') == std::string::npos)
    for (const std::string& array : npz_arrays(text)) files[array] = text;
  else files = parse_pairs("--loadInputs", text);
  for (const auto& [name, path] : files)
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw api::Failure("error[K1004] the network has no input '" + name + "'" + api::name_hint(name, names) +
                         "\n  remedy: --loadInputs=NAME:FILE,… with names of these");
  return files;
}

api::HostValue load_other(const api::IoTensor& io, const std::string& path) {
  if (io.collection.empty())
    return path.ends_with(".npz") ? load_npz_value(path, io.name, kLargestUnbounded)
                                  : api::load_value(path, api::HostValue::Kind::kStrings);
  const auto kind = io.collection == "sequence" ? api::HostValue::Kind::kSequence : api::HostValue::Kind::kOptional;
  if (!path.ends_with(".npz")) return api::load_value(path, kind);
  api::HostValue value;
  value.kind = kind;
  value.type = io.type;
  for (const std::string& array : npz_arrays(path))
    value.items.push_back(load_npz_value(path, array, kLargestUnbounded));
  return value;
}

}  // namespace

bool is_numbers(const api::IoTensor& io) { return io.type != "string" && io.collection.empty(); }

api::Values load_inputs(const std::string& text, const std::vector<api::IoTensor>& io, const Shapes& asked) {
  const auto inputs = of_kind(io, true);
  const auto files = input_files(text, names_of(inputs));
  const bool archive = text.ends_with(".npz") && files.size() > 1 && text.find(':') == std::string::npos;
  api::Values values;
  for (const api::IoTensor& input : inputs) {
    const auto file = files.find(input.name);
    if (file == files.end() || !is_numbers(input)) continue;
    values[input.name] =
        archive ? load_npz(file->second, input.name, most_bytes(input, asked)) : load_file(input, file->second, asked);
  }
  return values;
}

void set_others(api::Session& session, const std::vector<api::IoTensor>& io, const std::string& text) {
  const auto inputs = of_kind(io, true);
  const auto files = input_files(text, names_of(inputs));
  for (const api::IoTensor& input : inputs) {
    if (is_numbers(input)) continue;
    const auto file = files.find(input.name);
    if (file == files.end())
      throw api::Failure("error[K1004] input '" + input.name + "' is " +
                         (input.collection.empty() ? "text" : "a value of the kind " + input.collection) +
                         ", and no file gives it\n  remedy: --loadInputs=" + input.name + ":FILE" +
                         (input.collection.empty() ? ".npy" : ".npz"));
    session.set_value(input.name, load_other(input, file->second));
  }
}

api::Values load_inputs_for_build(const std::string& text, BuildFlags& flags) {
  if (text.empty()) return {};
  const auto io = api::model_io(flags.onnx);
  const Shapes asked = parse_shapes("--shapes", flags.shapes);
  api::Values values = load_inputs(text, io, asked);
  const auto files = input_files(text, names_of(of_kind(io, true)));
  Shapes given = asked;
  for (const BuildFlags::ProfileShapes& p : flags.profiles)
    for (const std::string* part : {&p.min, &p.opt, &p.max}) given.merge(parse_shapes("--minShapes", *part));
  for (const api::IoTensor& input : of_kind(io, true)) {
    const auto file = files.find(input.name);
    if (file == files.end() || !input.collection.empty() || given.count(input.name) ||
        std::count(input.dims.begin(), input.dims.end(), -1) == 0)
      continue;
    const auto dims = is_numbers(input) ? values[input.name].dims : load_other(input, file->second).dims;
    flags.shapes += (flags.shapes.empty() ? "" : ",") + input.name + ":" + shape_text(dims);
  }
  return values;
}

int choose_profile(const api::Engine& engine, const api::Values& loaded, const Shapes& asked, int wanted) {
  const auto inputs = of_kind(engine.io(), true);
  const int count = inputs.empty() ? 1 : static_cast<int>(inputs[0].profiles.size());
  if (wanted >= count)
    throw api::Failure("error[K1001] the engine has no optimisation profile " + std::to_string(wanted) + ", only " +
                       std::to_string(count) + "\n  remedy: kiln inspect lists the profiles");
  if (wanted >= 0) return wanted;
  for (int p = 0; p < count; ++p)
    if (std::all_of(inputs.begin(), inputs.end(), [&](const api::IoTensor& io) {
          return takes(io.profiles[static_cast<size_t>(p)], input_shape(io, loaded, asked, p));
        }))
      return p;
  return 0;
}

void tell_random(const std::vector<api::IoTensor>& io, const api::Values& loaded) {
  std::vector<std::string> names;
  for (const api::IoTensor& input : of_kind(io, true))
    if (!loaded.count(input.name) && is_numbers(input)) names.push_back(input.name);
  if (!names.empty())
    log(api::Level::kInfo,
        "random values for " + join(names, ", ") + " (--loadInputs=" + names[0] + ":FILE,… gives others)");
}

api::Values set_inputs(api::Session& session, const api::Engine& engine, const api::Values& loaded, const Shapes& asked,
                       int profile) {
  session.set_profile(profile);
  api::Values values;
  for (const api::IoTensor& io : of_kind(engine.io(), true)) {
    if (!is_numbers(io)) continue;
    const auto dims = input_shape(io, loaded, asked, profile);
    session.set_shape(io.name, dims);  // refuses what the profile does not take
    auto it = loaded.find(io.name);
    values[io.name] =
        it != loaded.end() ? it->second : api::random_tensor(io.type, dims, std::hash<std::string>{}(io.name));
    session.set_input(io.name, values[io.name]);
  }
  return values;
}

}  // namespace kiln::tool
