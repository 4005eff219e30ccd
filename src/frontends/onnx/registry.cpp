// The operators that have importers of their own.
#include <map>

#include "frontends/onnx/node_import.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx {
namespace {

const std::map<std::string_view, const OnnxOp*>& importers() {
  static const std::map<std::string_view, const OnnxOp*> map = [] {
    std::map<std::string_view, const OnnxOp*> all;
    for (const OnnxOp* op : {
#define KILN_ONNX_OP(word) &ops::word,
#include "frontends/onnx/ops/list.inc"
#undef KILN_ONNX_OP
         })
      all[op->name] = op;
    return all;
  }();
  return map;
}

}  // namespace

bool has_importer(const std::string& op) { return importers().count(op) > 0; }

OnnxOp::Importer find_importer(const std::string& op, int64_t opset) {
  const auto found = importers().find(op);
  if (found == importers().end()) return nullptr;
  OnnxOp::Importer best = nullptr;
  for (const auto& version : found->second->versions)
    if (version.since <= opset) best = version.import;
  return best;
}

}  // namespace kiln::onnx
