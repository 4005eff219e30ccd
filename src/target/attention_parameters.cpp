// What Attention and RotaryEmbedding ask of their kernels.
#include "target/attention_parameters.h"

namespace kiln {

AttentionParameters attention_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  return {.q_heads = a.integer("q_num_heads", 0),
          .kv_heads = a.integer("kv_num_heads", 0),
          .causal = a.integer("is_causal", 0) != 0,
          .mask_period = a.integer("mask_period", 0),
          .scale = a.has("scale") ? std::optional(a.real("scale")) : std::nullopt};
}

RotaryParameters rotary_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  return {.heads = a.integer("num_heads", 0),
          .rotated = a.integer("rotary_embedding_dim", 0),
          .interleaved = a.integer("interleaved", 0) != 0};
}

Refusal mask_fits(const Problem& p) {
  const Argument& mask = p.input(3);
  if (!mask.present) return accept();
  if (mask.dtype != DType::kF32 && mask.dtype != DType::kBool && mask.dtype != p.input(0).dtype)
    return refuse("the mask is " + std::string(name(mask.dtype)));
  const Shape &m = p.node->input(3)->shape(), &k = p.node->input(1)->shape();
  const bool is_whole = p.attributes().integer("whole_mask", 0) != 0;
  if (m.empty() || m.size() > 4 || (!is_whole && !(m.back() == k[k.size() - 2])))
    return refuse("the mask " + to_string(m) + " may be shorter than the keys " + to_string(k));
  return accept();
}

}  // namespace kiln
