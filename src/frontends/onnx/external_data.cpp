// Data files beside a model.
#include <climits>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "frontends/onnx/tensor_proto.h"

namespace kiln::onnx {
namespace {

// The path without links; empty when it does not exist.
std::string resolved(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? real.get() : "";
}

Error refused(const std::string& location, std::string cause) {
  return Error(Code::kInvalidGraph, "external data '" + location + "' is refused")
      .cause(std::move(cause))
      .remedy("keep data files in the model's folder");
}

}  // namespace

std::shared_ptr<const FileMap> ExternalData::open(const std::string& location) {
  if (auto known = files_.find(location); known != files_.end()) return known->second;
  if (folder_.empty()) throw refused(location, "the model has no folder");
  if (location.empty() || location.find('\0') != std::string::npos) throw refused(location, "it is not a file name");
  const std::filesystem::path relative(location);
  if (relative.is_absolute()) throw refused(location, "the path is absolute");
  for (const auto& part : relative)
    if (part == "..") throw refused(location, "the path contains '..'");
  const std::string folder = resolved(folder_), file = resolved(folder_ + "/" + location);
  if (folder.empty()) throw Error(Code::kNotFound, "the model's folder '" + folder_ + "' does not exist");
  if (file.empty())
    throw Error(Code::kNotFound, "external data '" + location + "' does not exist in '" + folder_ + "'");
  const std::string prefix = folder == "/" ? folder : folder + "/";
  if (file.compare(0, prefix.size(), prefix) != 0) throw refused(location, "a link leads out of the model's folder");
  return files_[location] = FileMap::open(file);
}

ExternalData::Part ExternalData::read(const std::string& location, int64_t offset, int64_t length) {
  auto file = open(location);
  const auto size = static_cast<int64_t>(file->bytes().size());
  if (offset < 0 || offset > size || length > size - offset)
    throw Error(Code::kInvalidGraph, "external data '" + location + "' is too short")
        .cause("needs " + std::to_string(length) + " bytes at offset " + std::to_string(offset) + ", the file has " +
               std::to_string(size));
  if (length < 0) length = size - offset;
  return {file->bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(length)), file};
}

}  // namespace kiln::onnx
