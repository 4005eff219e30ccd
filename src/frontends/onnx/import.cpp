// From bytes to a graph.
#include "frontends/onnx/import.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <algorithm>
#include <climits>
#include <filesystem>
#include <new>

#include "base/error.h"
#include "base/file_map.h"
#include "base/require.h"
#include "frontends/onnx/graph_importer.h"
#include "frontends/onnx/message_cost.h"

namespace kiln::onnx {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::ZeroCopyInputStream;

constexpr int kDeepestNesting = 100;  // of messages
constexpr int kBlockBytes = 1 << 20;  // read at once

std::shared_ptr<::onnx::ModelProto> parse(ZeroCopyInputStream& input, uint64_t size) {
  require(size != 0, Code::kMalformedModel, "the model is empty (0 bytes)");
  if (size > INT_MAX)
    throw Error(Code::kMalformedModel, "the model has " + std::to_string(size) + " bytes")
        .cause("the format ends at 2 GiB")
        .remedy("save the model with external data");
  CodedInputStream stream(&input);
  stream.SetTotalBytesLimit(INT_MAX);
  stream.SetRecursionLimit(kDeepestNesting);
  auto model = std::make_shared<::onnx::ModelProto>();
  if (!model->ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage())
    throw Error(Code::kMalformedModel, "the bytes are not an ONNX model")
        .cause("they do not parse as a ModelProto")
        .remedy("check that the file is complete and not a text or archive");
  return model;
}

template <class F> auto with_memory(F&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    throw Error(Code::kOutOfMemory, "the model needs more memory than there is");
  }
}

}  // namespace

std::shared_ptr<::onnx::ModelProto> parse_bytes(std::span<const std::byte> bytes) {
  const int size = static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX));
  google::protobuf::io::ArrayInputStream counted(bytes.data(), size), input(bytes.data(), size);
  check_message_cost(counted, bytes.size());
  return with_memory([&] { return parse(input, bytes.size()); });
}

std::unique_ptr<ir::Graph> import_model(std::shared_ptr<::onnx::ModelProto> model, const ImportOptions& options) {
  return with_memory([&] { return GraphImporter(std::move(model), options).run(); });
}

std::unique_ptr<ir::Graph> import_bytes(std::span<const std::byte> bytes, const ImportOptions& options) {
  return import_model(parse_bytes(bytes), options);
}

// Read as a stream, not mapped: the message copies its tensors, and the pages of a map would be counted beside them.
std::unique_ptr<ir::Graph> import_file(const std::string& path, const ImportOptions& options) {
  const InputFile file(path);
  ImportOptions with_folder = options;
  if (with_folder.model_dir.empty()) {
    with_folder.model_dir = std::filesystem::path(path).parent_path().string();
    if (with_folder.model_dir.empty()) with_folder.model_dir = ".";
  }
  google::protobuf::io::FileInputStream counted(file.descriptor());
  check_message_cost(counted, file.size());
  file.rewind();
  google::protobuf::io::FileInputStream input(file.descriptor(), kBlockBytes);
  return import_model(with_memory([&] { return parse(input, file.size()); }), with_folder);
}

}  // namespace kiln::onnx
