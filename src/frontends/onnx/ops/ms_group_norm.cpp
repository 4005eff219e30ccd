// com.microsoft GroupNorm, SkipGroupNorm and BiasAdd: normalisation of groups of channels, which are the last axis unless
// channels_last is 0.
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

Ints channels_first(int64_t rank) {
  Ints perm{0, rank - 1};
  for (int64_t i = 1; i + 1 < rank; ++i) perm.push_back(i);
  return perm;
}
Ints channels_last(int64_t rank) {
  Ints perm{0};
  for (int64_t i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return perm;
}

// Result 0 of the node.
ir::Value* normalized_groups(NodeImport& n, ir::Value* x) {
  const bool last = n.integer("channels_last", 1) != 0;
  const int64_t rank = n.rank();
  const auto turn = [&](ir::Value* v, const Ints& perm, bool result) {
    return result ? n.result(0, "Transpose", {v}, {{"perm", perm}}) : n.add("Transpose", {v}, {{"perm", perm}});
  };
  const Attributes attributes{{"num_groups", n.integer("groups")}, {"epsilon", n.real("epsilon", 1e-5)}};
  const bool activated = n.integer("activation") != 0;
  const std::vector<ir::Value*> inputs{last ? turn(x, channels_first(rank), false) : x, n.in(1), n.in(2)};
  if (!last && !activated) return n.result(0, "GroupNormalization", inputs, attributes);
  ir::Value* y = n.add("GroupNormalization", inputs, attributes);
  if (!activated) return turn(y, channels_last(rank), true);
  if (!last) return n.result(0, "Swish", {y});
  return turn(n.add("Swish", {y}), channels_last(rank), true);
}

// A skip of [batch, channels] counts for every pixel.
void import_skip_group_norm(NodeImport& n) {
  ir::Value* skip = n.in(3);
  if (n.rank(3) == 2)
    skip = n.add("Unsqueeze", {skip, n.integer("channels_last", 1) != 0 ? n.ints({1, 2}) : n.ints({2, 3})});
  ir::Value* sum = n.add("Add", {n.in(0), skip});
  if (n.optional(4)) {
    const bool last = n.integer("channels_last", 1) != 0;
    sum = n.add("Add", {sum, last ? n.in(4) : n.add("Unsqueeze", {n.in(4), n.ints({1, 2})})});
  }
  std::vector<ir::Value*> results{normalized_groups(n, sum)};
  if (n.wants(1)) results.push_back(sum);
  n.yield(std::move(results));
}

}  // namespace

const OnnxOp ms_bias_add{"com.microsoft.BiasAdd",
                         {{1, [](NodeImport& n) { n.emit("Add", {n.add("Add", {n.in(0), n.in(1)}), n.in(2)}); }}}};
const OnnxOp ms_group_norm{"com.microsoft.GroupNorm",
                           {{1, [](NodeImport& n) { n.yield({normalized_groups(n, n.in(0))}); }}}};
const OnnxOp ms_skip_group_norm{"com.microsoft.SkipGroupNorm", {{1, import_skip_group_norm}}};

}  // namespace kiln::onnx::ops
