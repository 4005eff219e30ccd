// From bytes to a graph.
#include "frontends/onnx/import.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "base/error.h"
#include "base/file_map.h"
#include "base/require.h"
#include "frontends/onnx/graph_importer.h"
#include "frontends/onnx/large_elements.h"
#include "frontends/onnx/message_cost.h"
#include "frontends/onnx/outline.h"

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

static std::shared_ptr<::onnx::ModelProto> parse_rest(const std::string& rest) {
  google::protobuf::io::ArrayInputStream input(rest.data(), static_cast<int>(rest.size()));
  return parse(input, rest.size());
}

// Of the message without its large elements. Null, when it has none.
static std::shared_ptr<::onnx::ModelProto> parse_outline(const std::string& path, const InputFile& file,
                                                         std::map<std::string, size_t>& large) {
  google::protobuf::io::FileInputStream counted(file.descriptor());
  check_message_cost(counted, file.size());
  LargeElements elements(file, path);
  const std::string rest = file.size() > INT_MAX ? "" : elements.scan();
  if (rest.empty()) return nullptr;
  auto model = parse_rest(rest);
  for (int i = 0; i < model->graph().initializer_size(); ++i)
    if (const int64_t size = elements.size_of(i); size > 0)
      large[model->graph().initializer(i).name()] = static_cast<size_t>(size);
  return large.empty() ? nullptr : model;
}

static std::string folder_of_model(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

void look_at_file(const std::string& path, const std::function<void(const ir::Graph&)>& look) {
  ImportOptions options;
  options.model_dir = folder_of_model(path);
  std::map<std::string, size_t> large;
  size_t most = 0;
  std::unique_ptr<void, decltype(&std::free)> zeros(nullptr,
                                                    &std::free);  // nobody reads them: pages that are never touched
  std::unique_ptr<ir::Graph> graph;
  try {
    auto model = with_memory([&] { return parse_outline(path, InputFile(path), large); });
    for (const auto& [name, size] : large) most = std::max(most, size);
    zeros.reset(std::calloc(1, most));
    for (const auto& [name, size] : large)
      options.initializers[name] = {static_cast<const std::byte*>(zeros.get()), size};
    if (model && zeros) graph = import_model(std::move(model), options);
  } catch (const Error&) {
    graph = nullptr;  // what is wrong is said of the whole file
  }
  look(graph ? *graph : *import_file(path));
}

// Read, not mapped: the pages of a map would be counted beside the tensors.
std::unique_ptr<ir::Graph> import_file(const std::string& path, const ImportOptions& options) {
  const InputFile file(path);
  ImportOptions with_folder = options;
  if (with_folder.model_dir.empty()) with_folder.model_dir = folder_of_model(path);
  google::protobuf::io::FileInputStream counted(file.descriptor());
  check_message_cost(counted, file.size());
  return with_memory([&] {
    LargeElements elements(file, path);
    if (const std::string rest = file.size() > INT_MAX ? "" : elements.scan(); !rest.empty())
      return GraphImporter(parse_rest(rest), with_folder, &elements).run();
    file.rewind();
    google::protobuf::io::FileInputStream input(file.descriptor(), kBlockBytes);
    return GraphImporter(parse(input, file.size()), with_folder).run();
  });
}

}  // namespace kiln::onnx
