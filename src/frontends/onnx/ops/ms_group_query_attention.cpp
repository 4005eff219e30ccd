// com.microsoft GroupQueryAttention: attention with a cache, in which each sequence of the batch ends at a place of its own.
#include <limits>

#include "base/index.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

struct Heads {
  int64_t queries, keys;
};

void refuse_variants(const NodeImport& n) {
  for (int i = 11; i < n.input_count(); ++i)
    if (n.optional(i)) n.unsupported("input " + std::to_string(i) + " of GroupQueryAttention");
  if (n.integer("smooth_softmax", 0) > 0) n.unsupported("smooth_softmax");
}

// [batch, sequence, heads * size] as [batch, heads, sequence, size].
ir::Value* by_heads(NodeImport& n, ir::Value* x, int64_t heads) {
  return n.add("Transpose", {n.add("Reshape", {x, n.ints(Ints{0, 0, heads, -1})})}, {{"perm", Ints{0, 2, 1, 3}}});
}

std::vector<ir::Value*> queries_keys_values(NodeImport& n, const Heads& heads) {
  if (n.optional(1)) return {n.in(0), n.in(1), n.in(2)};
  const auto width = n.rank(0) == 3 ? n.in(0)->shape()[2].constant() : std::nullopt;
  if (!width || *width % (heads.queries + 2 * heads.keys) != 0)
    n.unsupported("the width of the packed operands is not known");
  const int64_t size = *width / (heads.queries + 2 * heads.keys);
  return n.add_many("Split", {n.in(0), n.ints(Ints{heads.queries * size, heads.keys * size, heads.keys * size})},
                    {{"axis", int64_t{2}}}, 3);
}

ir::Value* integer(NodeImport& n, int64_t value) { return n.constant(Tensor::scalar<int64_t>(value)); }

ir::Value* counted(NodeImport& n, ir::Value* count) { return n.add("Range", {integer(n, 0), count, integer(n, 1)}); }

ir::Value* extent(NodeImport& n, ir::Value* x, int64_t axis) {
  return n.add("Gather", {n.add("Shape", {x}), integer(n, axis)});
}

// Where the new rows of each sequence begin: behind what it has in the cache.
ir::Value* beginnings(NodeImport& n, ir::Value* rows) {
  ir::Value* last = n.add("Cast", {n.add("Reshape", {n.in(5), n.ints(Ints{-1})})}, {{"to", std::string("int64")}});
  ir::Value* first = n.add("Sub", {n.add("Add", {last, integer(n, 1)}), rows});
  return n.add("Max", {first, integer(n, 0)});
}

// What a query at a position may see of the keys: none behind it, and none further back than the window; or the bias, where it may.
ir::Value* visible(NodeImport& n, ir::Value* positions, ir::Value* keys) {
  ir::Value* at = n.add("Unsqueeze", {positions, n.ints(Ints{1, 3})});
  ir::Value* places = counted(n, extent(n, keys, 2));
  ir::Value* seen = n.add("LessOrEqual", {places, at});
  if (const int64_t window = n.integer("local_window_size", -1); window >= 0)
    seen = n.add("And", {seen, n.add("Greater", {places, n.add("Sub", {at, integer(n, window)})})});
  if (!n.optional(10)) return seen;
  return n.add("Where", {seen, n.in(10), n.scalar(n.in(10)->dtype(), -std::numeric_limits<double>::infinity())});
}

void import_group_query(NodeImport& n) {
  refuse_variants(n);
  const Heads heads{n.integer("num_heads"), n.integer("kv_num_heads")};
  if (heads.queries < 1 || heads.keys < 1) n.invalid("the numbers of heads are not positive");
  std::vector<ir::Value*> operands = queries_keys_values(n, heads);
  ir::Value* rows = extent(n, operands[0], 1);
  ir::Value* begin = beginnings(n, rows);
  ir::Value* positions = n.add("Add", {n.add("Unsqueeze", {begin, n.ints(Ints{1})}), counted(n, rows)});
  if (n.integer("do_rotary", 0) != 0) {
    ir::Value* ids = n.optional(9) ? n.in(9) : positions;
    for (int i : {0, 1})
      nth(operands, i) = n.add(
          "RotaryEmbedding", {nth(operands, i), n.in(7), n.in(8), ids},
          {{"interleaved", n.integer("rotary_interleaved", 0)}, {"num_heads", i == 0 ? heads.queries : heads.keys}});
  }
  std::vector<ir::Value*> cache{by_heads(n, operands[1], heads.keys), by_heads(n, operands[2], heads.keys)};
  for (int i : {0, 1}) {
    if (!n.optional(3 + i)) continue;
    ir::Value*& kept = nth(cache, i);
    ir::Value* room = n.add("Concat", {n.in(3 + i), kept}, {{"axis", int64_t{2}}});
    kept = n.result(1 + i, "TensorScatter", {room, kept, begin}, {{"axis", int64_t{2}}});
  }
  Attributes attributes{{"softcap", n.real("softcap", 0)}};
  if (const double scale = n.real("scale", 0); scale != 0) attributes.set("scale", scale);
  ir::Value* y =
      n.add("Attention", {by_heads(n, operands[0], heads.queries), cache[0], cache[1], visible(n, positions, cache[0])},
            std::move(attributes));
  ir::Value* rows_first = n.add("Transpose", {y}, {{"perm", Ints{0, 2, 1, 3}}});
  n.yield({n.result(0, "Reshape", {rows_first, n.ints(Ints{0, 0, -1})}), cache[0], cache[1]});
}

}  // namespace

const OnnxOp ms_group_query_attention{"com.microsoft.GroupQueryAttention", {{1, import_group_query}}};

}  // namespace kiln::onnx::ops
