// Samples of attention.
#include "operators/sample.h"

namespace kiln::operators {
namespace {

Sample sample_attention(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes), v_type = draw.chance(0.9) ? type : draw.type(kFloatTypes);
  const int64_t batch = draw.integer(1, 3), kv_heads = draw.integer(1, 3), heads = kv_heads * draw.integer(1, 3);
  const int64_t seq = draw.size() % 11, keys = draw.size() % 11, size = draw.integer(1, 9),
                v_size = draw.chance(0.7) ? size : draw.integer(1, 9);
  const bool flat = draw.chance(0.4), cached = draw.chance(0.3);
  const int64_t past = cached ? draw.integer(0, 5) : 0, total = past + keys;
  const auto dims = [&](int64_t h, int64_t t, int64_t d) {
    return flat ? Dims{batch, t, h * d} : Dims{batch, h, t, d};
  };
  s.data(draw.numbers(type, dims(heads, seq, size), -2, 2)).data(draw.numbers(type, dims(kv_heads, keys, size), -2, 2));
  s.data(draw.numbers(v_type, dims(kv_heads, keys, v_size), -2, 2));
  const bool causal = draw.chance(0.3);
  if (draw.chance(0.4)) {
    const DType mask = draw.chance(0.4) ? DType::kBool : type;
    const Dims shape = draw.broadcast_to({batch, heads, seq, total});
    Tensor values = draw.numbers(mask, shape.empty() ? Dims{total} : shape, -1, 1);
    if (mask == DType::kBool)  // every query sees something
      for (int64_t i = 0; i < values.size(); ++i)
        values.set_int(i, draw.chance(0.7) || i % std::max<int64_t>(values.dims().back(), 1) == 0);
    s.data(values);
  } else {
    s.absent();
  }
  cached ? s.data(draw.numbers(type, {batch, kv_heads, past, size}, -2, 2))
               .data(draw.numbers(v_type, {batch, kv_heads, past, v_size}, -2, 2))
         : s.absent().absent();
  if (draw.chance(0.2) && total > 0) s.data(draw.integers(DType::kI64, {batch}, 1, total));
  if (flat) s.set("q_num_heads", heads).set("kv_num_heads", kv_heads);
  if (causal) s.set("is_causal", int64_t{1});
  if (draw.chance(0.3)) s.set("scale", draw.real(0.1, 1));
  if (draw.chance(0.3)) s.set("softcap", draw.real(0, 3));
  if (draw.chance(0.3)) s.set("qk_matmul_output_mode", draw.integer(0, 3));
  s.outputs = draw.chance(0.6) ? 1 : static_cast<int>(draw.integer(2, 4));
  return s;
}

Sample sample_rotary_embedding(Draw& draw) {
  Sample s;
  const DType type = draw.type({DType::kF32, DType::kF16, DType::kBF16});
  const int64_t batch = draw.integer(1, 3), heads = draw.integer(1, 3), seq = draw.size() % 9,
                size = 2 * draw.integer(1, 6);
  const int64_t rotated = draw.chance(0.7) ? size : 2 * draw.integer(1, size / 2), half = rotated / 2,
                rows = seq + draw.integer(1, 3);
  const bool flat = draw.chance(0.5), positions = draw.chance(0.5);
  s.data(draw.values(type, flat ? Dims{batch, seq, heads * size} : Dims{batch, heads, seq, size}));
  const Dims cache = positions ? Dims{rows, half} : Dims{batch, seq, half};
  s.weight(draw.numbers(type, cache, -1, 1)).weight(draw.numbers(type, cache, -1, 1));
  if (positions) s.data(draw.integers(DType::kI64, {batch, seq}, 0, rows - 1));
  if (flat) s.set("num_heads", heads);
  if (rotated != size) s.set("rotary_embedding_dim", rotated);
  if (draw.chance(0.5)) s.set("interleaved", draw.flag());
  return s;
}

Sample sample_linear_attention(Draw& draw) {
  Sample s;
  const DType type = draw.type(kFloatTypes);
  const int64_t batch = draw.integer(1, 2), steps = draw.size() % 7, shared = draw.integer(1, 3),
                heads = shared * draw.integer(1, 2), d_k = draw.integer(1, 5), d_v = draw.integer(1, 5);
  const std::string rule = draw.word({"linear", "gated", "delta", "gated_delta"});
  s.data(draw.numbers(type, {batch, steps, heads * d_k}, -1, 1))
      .data(draw.numbers(type, {batch, steps, shared * d_k}, -1, 1));
  s.data(draw.numbers(type, {batch, steps, shared * d_v}, -1, 1));
  draw.chance(0.5) ? s.data(draw.numbers(DType::kF32, {batch, shared, d_k, d_v}, -1, 1)) : s.absent();
  rule.starts_with("gated")
      ? s.data(draw.numbers(type, {batch, steps, draw.chance(0.5) ? shared : shared * d_k}, -1, 0))
      : s.absent();
  if (rule.ends_with("delta")) s.data(draw.numbers(type, {batch, steps, draw.chance(0.5) ? shared : 1}, 0, 1));
  s.outputs = static_cast<int>(draw.integer(1, 2));
  return s.set("q_num_heads", heads).set("kv_num_heads", shared).set("update_rule", rule);
}

}  // namespace

Entries attention_samplers() {
  return {{"Attention", sample_attention},
          {"LinearAttention", sample_linear_attention},
          {"RotaryEmbedding", sample_rotary_embedding}};
}

}  // namespace kiln::operators
