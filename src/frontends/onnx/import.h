// The ONNX reader: a model becomes a graph whose operators are those of the newest ONNX.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "ir/graph.h"

namespace kiln::onnx {

inline constexpr int64_t kOldestOpset = 1;  // whole since 7; of older ones what models of opset 6 use
inline constexpr int64_t kNewestOpset = 27;

struct ImportOptions {
  std::string model_dir;  // where external data may lie; import_file takes the model's folder when empty
  Logger* logger = nullptr;
  std::map<std::string, int64_t> fixed_dims;  // sizes of named dimensions
  std::vector<Error>* unsupported = nullptr;  // receives an error for each unsupported node
};

// Values keep the model's names, nodes tell the model's nodes in `origins`. Dynamic dimensions are symbols named by the model,
// or "<input>.<axis>". Large initializers are borrowed from the parsed model or the mapped data file, which stay alive with them.
// Throws Error: kMalformedModel, kInvalidGraph, kTypeMismatch, kShapeMismatch; one kUnsupported that lists every unsupported node.
std::unique_ptr<ir::Graph> import_file(const std::string& path, const ImportOptions& options = {});
std::unique_ptr<ir::Graph> import_bytes(std::span<const std::byte> bytes, const ImportOptions& options = {});

}  // namespace kiln::onnx
