// Attention as a graph of cuDNN's operations.
#pragma once
#include "backends/cuda/device/cudnn_graph.h"

namespace kiln::cuda {

// softmax(scale * q * k^T [+ mask]) * v, for one shape.
struct CudnnAttention {
  // Queries, keys, values and results, each [batch, heads, rows, size], and the mask, where there is one, which is added and whose axes of
  // one element repeat.
  kernels::CudnnTensors tensors = {};
  AttentionParameters parameters = {};
  template <class V> void fields(V& v) {
    v(tensors);
    v(parameters);
  }
  float scale() const;
  bool has_mask() const { return tensors.count() > 4; }
  // The same with the mask as a kernel of ours makes it ready: rows one behind the other of numbers, of the queries' type if it is bool.
  CudnnAttention with_mask_rows() const;
  bool shares_mask() const;   // queries have one row of the mask
  size_t mask_bytes() const;  // SIZE_MAX: they cannot be counted
  bool is_empty() const;      // there are no results, or no keys
  Status fits() const;        // that the sizes fit each other
  std::string str() const;    // all of it, as text
  CudnnNeeds needs() const { return {.compiled = true}; }
  CudnnGraph graph(const Cudnn& library, const CudnnSite& site) const;  // throws Error, also where the sizes do not fit
};

// The tensors of its graph, as a plan's caller names them: those above in their order, and two numbers.
enum class CudnnAttentionOperand : int64_t { kQ = 1, kK, kV, kY, kMask, kScale, kLowest };

// What attention of those operands is: q, k, v, and a mask that may be absent.
Status read_attention(const KernelCall& call, const AttentionParameters& parameters, CudnnAttention& to);

}  // namespace kiln::cuda
