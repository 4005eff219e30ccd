// Convolutions as graphs of cuDNN's operations.
#pragma once
#include "backends/cuda/device/cudnn_graph.h"

namespace kiln::cuda {

// activation(conv(x, w) [+ residual] [+ bias]), or the residual added behind the activation; all channels last and without gaps, of one type.
struct CudnnConv {
  DType type = DType::kInvalid;
  kernels::CudnnWindow window;
  // Batch, channels, and two or three spatial axes. w: columns, channels of a group, taps; of a transposed convolution channels of x,
  // columns of a group, taps.
  Dims x, w, y;
  bool tf32 = false;  // float32 may lose what TF32 lacks
  bool bias = false, residual = false, residual_after = false;
  Activation activation = Activation::kNone;
  bool operator==(const CudnnConv&) const = default;
  template <class V> void fields(V& v) {
    v("type", type, kDTypeCount);
    v(window);
    v("x", x, 0, INT32_MAX);
    v("w", w, 0, INT32_MAX);
    v("y", y, 0, INT32_MAX);
    v("tf32", tf32);
    v("has_bias", bias);
    v("has_sum", residual);
    v("sums_last", residual_after);
    v("activates", activation, kActivationCount);
  }
  bool is_empty() const;    // there are no results
  Status fits() const;      // that the sizes fit each other
  std::string str() const;  // all of it, as text
  CudnnNeeds needs(bool compiled) const;
  CudnnGraph graph(const Cudnn& library, const CudnnSite& site) const;  // throws Error, also where the sizes do not fit
};

// The operands of its graph, as a plan's caller names them.
enum class CudnnOperand : int64_t { kX = 1, kW, kBias, kResidual, kY };

}  // namespace kiln::cuda
