// com.microsoft Attention, QAttention, PackedAttention, MultiHeadAttention and RotaryEmbedding.
#include "base/error.h"
#include "frontends/onnx/one_value.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

struct Operands {
  ir::Value *q, *k, *v;  // [batch, sequence, heads * size]
  // [batch, keys], or [batch, sequence, keys]: 0 where a key is left out; [batch]: how many of the first keys are not.
  ir::Value* padding = nullptr;
  ir::Value* bias = nullptr;  // added to the scores
  ir::Value *past_k = nullptr, *past_v = nullptr;
};

Attributes attention_attributes(const NodeImport& n) {
  const int64_t heads = n.integer("num_heads");
  Attributes a{{"q_num_heads", heads}, {"kv_num_heads", heads}, {"is_causal", n.integer("unidirectional", 0)}};
  if (const double scale = n.real("scale", 0); scale != 0) a.set("scale", scale);
  return a;
}

// 0, 1, … along an axis.
ir::Value* positions(NodeImport& n, ir::Value* x, int64_t axis) {
  const auto number = [&](int64_t i) { return n.constant(Tensor::scalar<int64_t>(i)); };
  return n.add("Range", {number(0), n.add("Gather", {n.add("Shape", {x}), number(axis)}), number(1)});
}

// Which keys are not left out, as the scores [batch, heads, sequence, keys] read it.
ir::Value* kept_keys(NodeImport& n, const Operands& o) {
  const ir::Value* mask = o.padding;
  const int64_t rank = mask->ranked() ? mask->rank() : 0;
  if (rank == 1 && !o.past_k && o.q->ranked() && mask->shape()[0] == o.q->shape()[0]) {
    ir::Value* lengths =
        n.add("Cast", {n.add("Unsqueeze", {o.padding, n.ints({1, 2, 3})})}, {{"to", std::string("int64")}});
    return n.add("Less", {positions(n, o.k, 1), lengths});
  }
  if (rank != 2 && rank != 3)
    n.unsupported("a mask that is neither [batch], [batch, keys] nor [batch, sequence, keys]",
                  "give the padding mask as 0 and 1 for each key");
  ir::Value* kept = n.add("Cast", {o.padding}, {{"to", std::string("bool")}});
  return n.add("Unsqueeze", {kept, rank == 2 ? n.ints({1, 2}) : n.ints({1})});
}

// What is added to the scores: the filter value where the padding mask leaves a key out, and the bias.
ir::Value* mask_of(NodeImport& n, const Operands& o) {
  if (!o.padding) return o.bias;
  const DType type = n.dtype();
  ir::Value* kept = kept_keys(n, o);
  ir::Value* added = n.add("Where", {kept, n.scalar(type, 0), n.scalar(type, n.real("mask_filter_value", -10000.0))});
  return o.bias ? n.add("Add", {o.bias, added}) : added;
}

// Result 0, and 1 and 2, the keys and values with those of the past before them, when `cache` asks for them.
std::vector<ir::Value*> attended(NodeImport& n, const Operands& o, bool cache) {
  const std::vector<ir::Value*> inputs{o.q, o.k, o.v, mask_of(n, o), o.past_k, o.past_v};
  if (!cache) return {n.result(0, "Attention", inputs, attention_attributes(n))};
  return n.add_many("Attention", inputs, attention_attributes(n), 3);
}

// Queries, keys and values out of their packed projections.
Operands unpacked(NodeImport& n, ir::Value* all, const Dim& columns) {
  Ints sizes = n.ints("qkv_hidden_sizes");
  if (sizes.empty()) {
    if (!columns.is_constant() || columns.value() % 3 != 0) n.unsupported("the width of the weights is not known");
    sizes.assign(3, columns.value() / 3);
  }
  const auto parts = n.add_many("Split", {all, n.ints(sizes)}, {{"axis", int64_t{-1}}}, 3);
  return {parts[0], parts[1], parts[2]};
}

// Keys, then values, of the past and of the present are one tensor [2, batch, heads, sequence, size].
void yield_attention(NodeImport& n, Operands o, ir::Value* past) {
  if (past) {
    o.past_k = n.add("Gather", {past, n.scalar(DType::kI64, 0)}, {{"axis", int64_t{0}}});
    o.past_v = n.add("Gather", {past, n.scalar(DType::kI64, 1)}, {{"axis", int64_t{0}}});
  }
  std::vector<ir::Value*> results = attended(n, o, n.wants(1));
  if (n.wants(1)) {
    const auto stacked = [&](ir::Value* x) { return n.add("Unsqueeze", {x, n.ints(Ints{0})}); };
    results = {results[0], n.result(1, "Concat", {stacked(results[1]), stacked(results[2])}, {{"axis", int64_t{0}}})};
  }
  n.yield(std::move(results));
}

// The projection is the input times weights [width, q + k + v] plus bias.
void import_attention(NodeImport& n) {
  if (n.optional(6)) n.unsupported("a cache that is shared with the results");
  ir::Value* all = n.add("MatMul", {n.in(0), n.in(1)});
  if (n.optional(2)) all = n.add("Add", {all, n.in(2)});
  Operands o = unpacked(n, all, n.in(1)->shape().back());
  o.padding = n.optional(3);
  o.bias = n.optional(5);
  yield_attention(n, o, n.optional(4));
}

// Input and weights are integers with scales and zero points.
void import_qattention(NodeImport& n) {
  ir::Value* sums = n.add("MatMulInteger", {n.in(0), n.in(1), optional_value(n, 6), n.optional(7)});
  ir::Value* scaled = n.add("Mul", {n.add("Cast", {sums}, {{"to", std::string("float32")}}),
                                    n.add("Mul", {one_value(n, 3), one_or_each_column(n, 4, *n.in(1))})});
  Operands o = unpacked(n, n.add("Add", {scaled, n.in(2)}), n.in(1)->shape().back());
  o.padding = n.optional(5);
  yield_attention(n, o, n.optional(8));
}

// Tokens of all sequences without padding, [tokens, width]: a token sees those of its own sequence, which begins and ends where the
// cumulated lengths (input 4) say.
void import_packed_attention(NodeImport& n) {
  if (n.optional(5)) n.unsupported("a bias of packed attention");
  ir::Value* all = n.add("Add", {n.add("MatMul", {n.in(0), n.in(1)}), n.in(2)});
  Operands o = unpacked(n, n.add("Unsqueeze", {all, n.ints(Ints{0})}), n.in(1)->shape().back());
  ir::Value* tokens = n.add("Unsqueeze", {positions(n, n.in(0), 0), n.ints(Ints{1})});
  ir::Value* ends = n.add("Cast", {n.in(4)}, {{"to", std::string("int64")}});
  ir::Value* begun = n.add("Cast", {n.add("GreaterOrEqual", {tokens, ends})}, {{"to", std::string("int64")}});
  ir::Value* sequence = n.add("ReduceSum", {begun, n.ints(Ints{1})});
  ir::Value* same = n.add("Equal", {sequence, n.add("Transpose", {sequence}, {{"perm", Ints{1, 0}}})});
  ir::Value* y = n.add("Attention", {o.q, o.k, o.v, same}, attention_attributes(n));
  n.emit("Squeeze", {y, n.ints(Ints{0})});
}

ir::Value* plus(NodeImport& n, ir::Value* x, ir::Value* bias) { return bias ? n.add("Add", {x, bias}) : x; }

void import_multi_head(NodeImport& n) {
  for (int i : {0, 1, 2})
    if (n.rank(i) != 3) n.unsupported("operands of rank " + std::to_string(n.rank(i)), "give [batch, sequence, width]");
  for (int i = 8; i < n.input_count(); ++i)
    if (n.optional(i)) n.unsupported("a cache that is shared with the results");
  ir::Value *bias_q = nullptr, *bias_k = nullptr, *bias_v = nullptr;
  if (n.optional(3)) {
    Ints widths;
    for (int i : {0, 1, 2}) {
      const Dim& width = n.in(i)->shape()[2];
      if (!width.is_constant()) n.unsupported("a bias of operands of unknown width");
      widths.push_back(width.value());
    }
    const auto parts = n.add_many("Split", {n.in(3), n.ints(widths)}, {{"axis", int64_t{0}}}, 3);
    bias_q = parts[0], bias_k = parts[1], bias_v = parts[2];
  }
  Operands o{plus(n, n.in(0), bias_q), plus(n, n.in(1), bias_k), plus(n, n.in(2), bias_v)};
  o.padding = n.optional(4);
  o.bias = n.optional(5);
  o.past_k = n.optional(6);
  o.past_v = n.optional(7);
  n.yield(attended(n, o, n.wants(1) || n.wants(2)));
}

// position_ids are one offset for all rows, or [batch, sequence].
void import_rotary(NodeImport& n) {
  if (n.rank(1) != 2) n.unsupported("position_ids of rank " + std::to_string(n.rank(1)), "give [batch, sequence]");
  if (n.integer("is_packed_batching", 0) != 0 || n.real("scale", 1.0) != 1)
    n.unsupported("packed batches and scales other than 1");
  int64_t heads = n.integer("num_heads", 0);
  if (heads == 0 && n.rank() == 3) {  // a head is twice as wide as the tables
    const auto width = n.in(0)->shape()[2].constant(), half = n.in(2)->shape().back().constant();
    if (!width || !half || *half == 0) n.unsupported("the number of heads is not known", "set num_heads");
    heads = *width / (2 * *half);
  }
  n.emit("RotaryEmbedding", {n.in(0), n.in(2), n.in(3), n.in(1)},
         {{"interleaved", n.integer("interleaved", 0)},
          {"num_heads", heads},
          {"rotary_embedding_dim", n.integer("rotary_embedding_dim", 0)}});
}

}  // namespace

const OnnxOp ms_attention{"com.microsoft.Attention", {{1, import_attention}}};
const OnnxOp ms_multi_head_attention{"com.microsoft.MultiHeadAttention", {{1, import_multi_head}}};
const OnnxOp ms_packed_attention{"com.microsoft.PackedAttention", {{1, import_packed_attention}}};
const OnnxOp ms_qattention{"com.microsoft.QAttention", {{1, import_qattention}}};
const OnnxOp ms_rotary_embedding{"com.microsoft.RotaryEmbedding", {{1, import_rotary}}};

}  // namespace kiln::onnx::ops
