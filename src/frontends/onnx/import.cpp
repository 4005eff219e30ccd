// From bytes to a graph.
#include "frontends/onnx/import.h"

#include <google/protobuf/io/coded_stream.h>

#include <climits>
#include <filesystem>
#include <new>

#include "base/error.h"
#include "base/file_map.h"
#include "frontends/onnx/graph_importer.h"

namespace kiln::onnx {
namespace {

constexpr int kDeepestNesting = 100;  // of messages

std::shared_ptr<::onnx::ModelProto> parse(std::span<const std::byte> bytes) {
  if (bytes.empty()) throw Error(Code::kMalformedModel, "the model is empty (0 bytes)");
  if (bytes.size() > INT_MAX)
    throw Error(Code::kMalformedModel, "the model has " + std::to_string(bytes.size()) + " bytes")
        .cause("the format ends at 2 GiB")
        .remedy("save the model with external data");
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(INT_MAX);
  stream.SetRecursionLimit(kDeepestNesting);
  auto model = std::make_shared<::onnx::ModelProto>();
  if (!model->ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    throw Error(Code::kMalformedModel, "the bytes are not an ONNX model")
        .cause("they do not parse as a ModelProto")
        .remedy("check that the file is complete and not a text or archive");
  return model;
}

}  // namespace

std::unique_ptr<ir::Graph> import_bytes(std::span<const std::byte> bytes, const ImportOptions& options) {
  try {
    return GraphImporter(parse(bytes), options).run();
  } catch (const std::bad_alloc&) {
    throw Error(Code::kOutOfMemory, "the model needs more memory than there is");
  }
}

std::unique_ptr<ir::Graph> import_file(const std::string& path, const ImportOptions& options) {
  const auto file = FileMap::open(path);
  ImportOptions with_folder = options;
  if (with_folder.model_dir.empty()) {
    with_folder.model_dir = std::filesystem::path(path).parent_path().string();
    if (with_folder.model_dir.empty()) with_folder.model_dir = ".";
  }
  return import_bytes(file->bytes(), with_folder);
}

}  // namespace kiln::onnx
