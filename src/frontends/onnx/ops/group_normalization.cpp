// GroupNormalization: scale and bias are those of groups in opset 18, of channels since 21.
#include "base/error.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

// [groups] to [channels], each repeated for the channels of its group.
ir::Value* by_channel(NodeImport& n, ir::Value* per_group, int64_t groups, int64_t channels) {
  ir::Value* column = n.add("Reshape", {per_group, n.ints({groups, 1})});
  ir::Value* table = n.add("Expand", {column, n.ints({groups, channels / groups})});
  return n.add("Reshape", {table, n.ints({channels})});
}

void import_groups(NodeImport& n) {
  const int64_t groups = n.integer("num_groups");
  if (n.rank() < 2 || !n.in(0)->shape()[1].is_constant())
    n.unsupported("the number of channels is not known", "give the input a fixed number of channels");
  const int64_t channels = n.in(0)->shape()[1].value();
  if (groups < 1 || channels % groups != 0)
    n.invalid(std::to_string(groups) + " groups of " + std::to_string(channels) + " channels");
  n.emit("GroupNormalization",
         {n.in(0), by_channel(n, n.in(1), groups, channels), by_channel(n, n.in(2), groups, channels)}, n.attributes());
}

}  // namespace

const OnnxOp group_normalization{"GroupNormalization", {{18, import_groups}, {21, import_as_is}}};

}  // namespace kiln::onnx::ops
