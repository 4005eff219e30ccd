// Parameters of the kernels "attention" and of rotary embeddings of every device.
#pragma once
#include "device/parameter_fields.h"

namespace kiln {

struct AttentionParameters {
  int64_t q_heads = 0, kv_heads = 0;  // of inputs with three axes
  bool causal = false;
  int64_t mask_period = 0;           // n: batches b and b + n share a mask; 0: each has its own
  std::optional<double> scale = {};  // nothing: 1 / sqrt(size)
  template <class V> void fields(V& v) {
    v("q_heads", q_heads, 0, INT32_MAX);
    v("kv_heads", kv_heads, 0, INT32_MAX);
    v("causal", causal);
    v("mask_period", mask_period, 0, INT32_MAX);
    v("scale", scale);
  }
};

struct RotaryParameters {
  int64_t heads = 0;    // of inputs with three axes
  int64_t rotated = 0;  // elements of a head; 0: all
  bool interleaved = false;
  template <class V> void fields(V& v) {
    v("heads", heads, 0, INT32_MAX);
    v("rotated", rotated, 0, INT32_MAX);
    v("interleaved", interleaved);
  }
};

}  // namespace kiln
